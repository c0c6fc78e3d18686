// Command fanout publishes ticks to any number of subscribers, which find the publisher by its name, on one machine or
// anywhere on a local network:
//
//	go run ./examples/fanout subscribe
//	go run ./examples/fanout subscribe 'ticks.even'
//	go run ./examples/fanout --subscribers 2 publish
//
// Each subscriber gets what matches its pattern, in order, and says at the end how much that was and how much it has
// missed: one that is too slow misses ticks, for the others do not wait for it, but it knows exactly how many.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/yodel-mq/yodel/discovery"
	"github.com/yodel-mq/yodel/examples/internal/cli"
	"github.com/yodel-mq/yodel/patterns/pubsub"
)

type tick struct{ N int }

// name is what the publisher is found by.
const name = "ticks"

// last is the subject by which subscribers learn that it was all.
const last = "ticks.end"

var (
	group       = flag.String("group", "fanout-example", "only those of one group find each other")
	on          = flag.String("interface", "", "the network interface to use; by default all but public ones")
	subscribers = flag.Int("subscribers", 1, "how many subscribers to wait for before the first tick")
	ticks       = flag.Int("ticks", 1000, "how many ticks to publish")
	every       = flag.Duration("every", time.Millisecond, "the time between two ticks")
)

func main() {
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: fanout [flags] publish | subscribe [PATTERN]")
		flag.PrintDefaults()
	}
	flag.Parse()
	ctx, _ := cli.Context(context.Background()) // a second Ctrl-C ends the program at once
	if err := run(ctx, flag.Arg(0), flag.Arg(1)); err != nil {
		fmt.Fprintln(os.Stderr, "fanout:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, role, pattern string) error {
	node := cli.Node(*group, *on)
	defer cli.Goodbye(node)
	switch role {
	case "publish":
		return publish(ctx, node)
	case "subscribe":
		if pattern == "" {
			pattern = "ticks.>"
		}
		return subscribe(ctx, node, pattern)
	}
	return errors.New("say publish or subscribe")
}

func publish(ctx context.Context, node *discovery.Node) error {
	pub := pubsub.NewPublisher[tick]()
	defer pub.Close()
	if _, err := pub.Bind(ctx, "tcp://*:*"); err != nil { // on every interface, at any free port
		return err
	}
	if err := node.Announce(ctx, name, pub); err != nil {
		return err
	}
	fmt.Println("waiting for", *subscribers)
	if err := pub.WaitSubscribers(ctx, last, *subscribers); err != nil {
		return err
	}
	clock := time.NewTicker(*every)
	defer clock.Stop()
	for n := range *ticks {
		subject := "ticks." + []string{"even", "odd"}[n%2]
		if err := pub.Publish(ctx, subject, tick{n}); err != nil {
			return err
		}
		select {
		case <-clock.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if err := pub.Publish(ctx, last, tick{*ticks}); err != nil {
		return err
	}
	fmt.Println("published", *ticks)
	_ = pub.Shutdown(ctx) // waits until all is delivered; subscribers that have it all may be gone by then
	return nil
}

func subscribe(ctx context.Context, node *discovery.Node, pattern string) error {
	sub := pubsub.NewSubscriber[tick]()
	defer sub.Close()
	if err := errors.Join(sub.Subscribe(pattern), sub.Subscribe(last)); err != nil {
		return err
	}
	if err := node.Connect(name, sub); err != nil { // as soon as there is one
		return err
	}
	fmt.Println("waiting for ticks")
	got, missed, before := 0, 0, -1
	for e, err := range sub.Events(ctx) {
		if err != nil {
			return err
		}
		missed += max(e.Missed, 0)
		if e.Subject == last {
			fmt.Printf("received %d, missed %d\n", got, missed)
			return nil
		}
		if e.Value.N <= before {
			return fmt.Errorf("%d came behind %d", e.Value.N, before)
		}
		before = e.Value.N
		got++
	}
	return nil
}
