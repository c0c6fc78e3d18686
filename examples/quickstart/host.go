package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"

	"github.com/yodel-mq/yodel/discovery"
	"github.com/yodel-mq/yodel/socket"
)

// What is sent, so that it can be counted at the end.
const (
	requestsPerGuest = 100
	newsPerTopic     = 100
)

// guests are the other two processes and what they subscribe to. Nobody subscribes to chess.
var guests = []struct {
	name   string
	topics []string
}{
	{"ann", []string{"weather"}},
	{"bob", []string{"weather", "sport"}},
}

// host is the process that you start.
func host(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)

	// A socket is made by the constructor of its type and then bound or connected, or both, any number of times. Port *
	// is a free one and path * a fresh one; Bind tells which. With tcp://*:* other hosts could connect as well.
	rep := socket.NewRep()
	defer rep.Close()
	answersAt, err := rep.Bind(ctx, "tcp://127.0.0.1:*")
	if err != nil {
		return err
	}
	pub := socket.NewPub()
	defer pub.Close()
	newsAt, err := pub.Bind(ctx, "ipc://*")
	if err != nil {
		return err
	}

	// Others find sockets by name. A group keeps nodes that have nothing to do with each other apart; this one is
	// new, so that two people on one network can run this program at once.
	group := "quickstart-" + discovery.NewID().String()
	node := join(group)
	defer leave(node)
	if err := node.Announce(ctx, "answers", rep); err != nil {
		return err
	}
	if err := node.Announce(ctx, "news", pub); err != nil {
		return err
	}
	fmt.Printf("The host is process %d. It offers answers at %s and news at %s.\n", os.Getpid(), answersAt, newsAt)

	// The guests report on their standard output. One that fails takes everything down, with its reason.
	reports := make([]report, len(guests))
	var running, answering sync.WaitGroup
	defer answering.Wait()
	defer running.Wait()
	for i := range guests {
		running.Go(func() {
			if err := runGuest(ctx, i, group, &reports[i]); err != nil {
				cancel(err)
			}
		})
	}

	// Requests are answered one at a time: receive, then send. Messages ends when the socket is closed; that a
	// requester has gone would not end it.
	answering.Go(func() {
		for request, err := range rep.Messages(ctx) {
			if err == nil {
				err = rep.Send(ctx, socket.NewMsg(bytes.ToUpper(request.Frames[0])))
			}
			if err != nil {
				cancel(err)
				return
			}
		}
	})
	fail := func(err error) error {
		cancel(err) // ends the guests; the first error is the one that counts
		rep.Close()
		return context.Cause(ctx)
	}

	// A publisher sends to those who have subscribed by then. WaitSubscribers replaces the sleep that is usual here:
	// when it returns, the next message reaches that many subscribers.
	for topic, n := range map[string]int{"weather": 2, "sport": 1, "end": 2} {
		if err := pub.WaitSubscribers(ctx, topic, n); err != nil {
			return fail(err)
		}
	}
	// The first frame of a message is its topic.
	for n := range newsPerTopic {
		for _, topic := range []string{"weather", "sport", "chess"} {
			if err := pub.Send(ctx, socket.Text(topic, fmt.Sprintf("%s news, number %d", topic, n))); err != nil {
				return fail(err)
			}
		}
	}
	if err := pub.Send(ctx, socket.Text("end")); err != nil {
		return fail(err)
	}

	// Meanwhile, within this process:
	pipe, err := pipeline(ctx)
	if err != nil {
		return fail(err)
	}

	// When the guests have ended, all is said.
	running.Wait()
	if err := context.Cause(ctx); err != nil {
		return fail(err)
	}
	if err := errors.Join(rep.Shutdown(ctx), pub.Shutdown(ctx)); err != nil {
		return fail(err)
	}
	answering.Wait()
	own := report{Name: "host", Rows: append([]row{rowOf("answers", "questions", rep), rowOf("news", "", pub)}, pipe...)}
	return account(own, reports)
}

// runGuest runs this program again, as a guest, and reads its report.
func runGuest(ctx context.Context, i int, group string, r *report) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	g := guests[i]
	cmd := exec.CommandContext(ctx, self, append([]string{"guest", g.name, group}, g.topics...)...)
	out, err := cmd.Output()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok && len(failed.Stderr) > 0 {
		return fmt.Errorf("guest %s: %s", g.name, bytes.TrimSpace(failed.Stderr))
	}
	if err != nil {
		return fmt.Errorf("guest %s: %w", g.name, err)
	}
	if err := json.Unmarshal(out, r); err != nil {
		return fmt.Errorf("guest %s: its report: %w", g.name, err)
	}
	return nil
}
