// Command service is a service that has as many replicas as you start, on one machine or on several of a local network,
// and that is found by its name. Start a few replicas, and then the caller:
//
//	go run ./examples/service serve
//	go run ./examples/service serve
//	go run ./examples/service call
//
// Kill any replica meanwhile, with Ctrl-C or kill -9, or start more: the caller's calls go to those that are there, and
// none of them fails. It says which replica has answered how many.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/yodel-mq/yodel/discovery"
	"github.com/yodel-mq/yodel/examples/internal/cli"
	"github.com/yodel-mq/yodel/patterns/rpc"
)

type request struct{ N int }

type reply struct {
	Square  int
	Replica int // its process id
}

// square is what both sides agree on; the name is the method's.
const square rpc.Method[request, reply] = "square"

// name is what the service is found by.
const name = "squares"

var (
	group   = flag.String("group", "service-example", "only those of one group find each other")
	on      = flag.String("interface", "", "the network interface to use; by default all but public ones")
	calls   = flag.Int("calls", 20_000, "how many calls to make")
	callers = flag.Int("callers", 8, "how many of them at a time")
	first   = flag.Int("replicas", 1, "how many replicas to wait for")
)

func main() {
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: service [flags] serve | call")
		flag.PrintDefaults()
	}
	flag.Parse()
	ctx, _ := cli.Context(context.Background()) // a second Ctrl-C ends the program at once
	if err := run(ctx, flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, "service:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, role string) error {
	node := cli.Node(*group, *on)
	defer cli.Goodbye(node)
	switch role {
	case "serve":
		return serve(ctx, node)
	case "call":
		return call(ctx, node)
	}
	return errors.New("say serve or call")
}

func serve(ctx context.Context, node *discovery.Node) error {
	svc := rpc.NewService()
	defer svc.Close()
	square.Handle(svc, func(_ context.Context, in request) (reply, error) {
		return reply{in.N * in.N, os.Getpid()}, nil
	})
	if _, err := svc.Bind(ctx, "tcp://*:*"); err != nil { // on every interface, at any free port
		return err
	}
	if err := node.Announce(ctx, name, svc); err != nil {
		return err
	}
	fmt.Println("serving as", os.Getpid())
	<-ctx.Done()
	cli.Goodbye(node)     // first nobody finds it any more,
	return svc.Serve(ctx) // then calls that run end, and callers go elsewhere
}

func call(ctx context.Context, node *discovery.Node) error {
	client := rpc.NewClient()
	defer client.Close()
	if err := node.Connect(name, client); err != nil { // whoever comes and goes from now on
		return err
	}
	if err := client.WaitReplicas(ctx, *first); err != nil {
		return err
	}
	var mu sync.Mutex
	made, failed, by := 0, 0, make(map[int]int)
	one := func(n int) {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		// It may be done twice, so that it is tried again if a replica dies with it.
		got, err := square.Call(ctx, client, request{n}, rpc.Idempotent())
		mu.Lock()
		defer mu.Unlock()
		made++
		if err != nil || got.Square != n*n {
			failed++
			fmt.Println(n, got, err)
			return
		}
		if by[got.Replica]++; made%1000 == 0 {
			fmt.Println(made, "calls")
		}
	}
	numbers := make(chan int)
	var work sync.WaitGroup
	for range *callers {
		work.Go(func() {
			for n := range numbers {
				one(n)
			}
		})
	}
	for n := 0; n < *calls && ctx.Err() == nil; n++ {
		numbers <- n
	}
	close(numbers)
	work.Wait()
	for replica, n := range by {
		fmt.Printf("replica %d has answered %d\n", replica, n)
	}
	fmt.Printf("%d calls, %d failed, %d sent again\n", made, failed, client.Stats().Methods[string(square)].Retried)
	if failed > 0 {
		return errors.New("calls have failed")
	}
	return nil
}
