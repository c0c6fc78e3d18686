package mdns

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/yodel-mq/yodel/discovery"
)

// childEnv says what this program does when a test has started it again, as another process.
const childEnv = "YODEL_MDNS_CHILD"

// child announces a node in the group that it is told until its standard input ends, or, told "loopback", measures
// how long two nodes of its own take to find each other, or is a member. It prints one line for each thing it has to
// say.
func child(what string) int {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var err error
	switch verb, arg, _ := strings.Cut(what, " "); verb {
	case "announce":
		err = childAnnounce(ctx, arg)
	case "member":
		err = childMember(ctx, arg)
	case "files":
		err = childFiles(ctx, arg)
	case "finder":
		err = childFinder(ctx, arg)
	case "loopback":
		for _, first := range []string{"announce", "watch"} {
			if err == nil {
				err = childLoopback(ctx, first)
			}
		}
	default:
		err = fmt.Errorf("cannot %s", what)
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

func childAnnounce(ctx context.Context, group string) error {
	r := loopbackNode(group)
	a, err := New().Announce(ctx, r)
	if err != nil {
		return err
	}
	fmt.Println(r.ID)
	_, _ = io.Copy(io.Discard, os.Stdin)
	return a.Close(ctx)
}

func childLoopback(ctx context.Context, first string) error {
	group := uniqueGroup()
	r := loopbackNode(group)
	a, b := New(), New()
	began := time.Now()
	var ann discovery.Announcement
	var err error
	if first == "announce" {
		if ann, err = a.Announce(ctx, r); err != nil {
			return err
		}
		began = time.Now()
	}
	watched, end := context.WithCancel(ctx)
	defer end()
	events, err := b.Watch(watched, discovery.Query{Group: group})
	if err != nil {
		return err
	}
	if first == "watch" {
		began = time.Now()
		if ann, err = a.Announce(ctx, r); err != nil {
			return err
		}
	}
	for _, kind := range []discovery.EventKind{discovery.Added, discovery.Left} {
		for ev := range events {
			if ev.Kind == discovery.Trouble {
				return ev.Err
			}
			if ev.Kind == kind {
				break
			}
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s first: not %s: %w", first, kind, ctx.Err())
		}
		fmt.Println(first, "first:", kind, time.Since(began))
		if kind == discovery.Added {
			began = time.Now()
			if err := ann.Close(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}
