package simnet_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"

	"github.com/yodel-mq/yodel/transport/simnet"
)

// A connection is cut after exactly five bytes.
func ExampleNew() {
	ctx := context.Background()
	net := simnet.New(simnet.Config{Seed: 1})
	net.CutNext("collector", simnet.ToListener, 5)

	l, _ := net.Listen(ctx, "collector")
	defer l.Close()
	client, _ := net.Dial(ctx, "collector")
	defer client.Close()
	server, _ := l.Accept()
	defer server.Close()

	client.Write([]byte("hello, world"))
	got, err := io.ReadAll(server)
	fmt.Printf("%s, reset: %v\n", got, errors.Is(err, syscall.ECONNRESET))
	// Output: hello, reset: true
}

// One way is partitioned, the other stays open.
func ExampleNetwork_Host() {
	ctx := context.Background()
	net := simnet.New(simnet.Config{})
	a, b := net.Host("a"), net.Host("b")

	l, _ := b.Listen(ctx, "collector:1")
	defer l.Close()
	client, _ := a.Dial(ctx, "collector:1")
	defer client.Close()
	server, _ := l.Accept()
	defer server.Close()

	net.PartitionOneWay("a", "b")
	client.Write([]byte("ping")) // held
	server.Write([]byte("pong"))
	buf := make([]byte, 4)
	io.ReadFull(client, buf)
	fmt.Printf("a has %s\n", buf)

	net.Heal()
	io.ReadFull(server, buf)
	fmt.Printf("b has %s\n", buf)
	// Output:
	// a has pong
	// b has ping
}
