package gossip

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/yodel-mq/yodel/discovery"
	"github.com/yodel-mq/yodel/discovery/mdns"
)

// The environment of a process that is a member and says what it sees.
const (
	memberSeed = "YODEL_TEST_GOSSIP_SEED"
	memberKey  = "YODEL_TEST_GOSSIP_KEY"
	byMDNS     = "mdns" // among the seeds, which commas separate
)

// memberMain announces a record and prints what a watch tells, until its input ends.
func memberMain() {
	if err := runMember(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func runMember() error {
	opts := []Option{WithKey([]byte(os.Getenv(memberKey)))}
	for seed := range strings.SplitSeq(os.Getenv(memberSeed), ",") {
		if seed == byMDNS {
			opts = append(opts, WithSeedsFrom(mdns.New()))
		} else {
			opts = append(opts, WithSeeds(seed))
		}
	}
	b, err := New(opts...)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r := record("", 1)
	a, err := b.Announce(ctx, r)
	if err != nil {
		return err
	}
	fmt.Println("announced", r.ID)
	events, err := b.Watch(ctx, discovery.Query{})
	if err != nil {
		return err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for e := range events {
			if e.Err != nil {
				fmt.Println(e.Kind, strings.ReplaceAll(e.Err.Error(), "\n", " "))
				continue
			}
			fmt.Println(e.Kind, e.Record.ID)
		}
	}()
	_, _ = io.Copy(io.Discard, os.Stdin)
	bye, stop := context.WithTimeout(ctx, 5*time.Second)
	defer stop()
	err = a.Close(bye)
	cancel()
	<-done
	return err
}
