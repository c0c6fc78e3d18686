package proxy_test

import (
	"context"
	"fmt"
	"log"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/proxy"
)

// A proxy between clients and workers: both sides connect to it, and need not know of each other.
func ExampleRun() {
	ctx, cancel := context.WithCancel(context.Background())

	clients, workers := socket.NewRouter(), socket.NewDealer()
	defer clients.Close()
	defer workers.Close()
	front, err := clients.Bind(ctx, "tcp://127.0.0.1:*")
	if err != nil {
		log.Fatal(err)
	}
	back, err := workers.Bind(ctx, "tcp://127.0.0.1:*")
	if err != nil {
		log.Fatal(err)
	}
	var control proxy.Control
	done := make(chan error)
	go func() { done <- proxy.Run(ctx, clients, workers, proxy.WithControl(&control)) }()

	worker := socket.NewRep()
	defer worker.Close()
	if err := worker.Connect(back); err != nil {
		log.Fatal(err)
	}
	go func() {
		for m, err := range worker.Messages(ctx) {
			if err != nil {
				return
			}
			_ = worker.Send(ctx, socket.Text("hello, "+string(m.Bytes())))
		}
	}()

	client := socket.NewReq()
	defer client.Close()
	if err := client.Connect(front); err != nil {
		log.Fatal(err)
	}
	reply, err := client.Do(ctx, socket.Text("world"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(reply)

	cancel() // what is on its way is forwarded still
	fmt.Println(<-done, control.Stats().Forth.Forwarded.Messages, control.Stats().Back.Forwarded.Messages)
	// Output:
	// ["hello, world"]
	// <nil> 1 1
}

// What is said about a request after it goes to the worker that has it.
func ExampleWithAffinity() {
	ctx, cancel := context.WithCancel(context.Background())
	clients, workers := socket.NewRouter(), socket.NewDealer()
	defer clients.Close()
	defer workers.Close()
	if _, err := clients.Bind(ctx, "inproc://affine-clients"); err != nil {
		log.Fatal(err)
	}
	if _, err := workers.Bind(ctx, "inproc://affine-workers"); err != nil {
		log.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- proxy.Run(ctx, clients, workers, proxy.WithAffinity(0)) }()

	for range 2 {
		worker := socket.NewDealer()
		defer worker.Close()
		if err := worker.Connect("inproc://affine-workers"); err != nil {
			log.Fatal(err)
		}
		go func() {
			began := false
			for m, err := range worker.Messages(ctx) {
				if err != nil {
					return
				}
				envelope, body := m.Envelope()
				switch string(body[0]) {
				case "begin":
					began = true
				case "cancel":
					answer := append(envelope, fmt.Appendf(nil, "it was begun here: %t", began))
					_ = worker.Send(ctx, socket.NewMsg(answer...))
				}
			}
		}()
	}

	client := socket.NewDealer()
	defer client.Close()
	if err := client.Connect("inproc://affine-clients"); err != nil {
		log.Fatal(err)
	}
	for _, what := range []string{"begin", "cancel"} {
		if err := client.Send(ctx, socket.Text("request 1", "", what)); err != nil {
			log.Fatal(err)
		}
	}
	m, err := client.Recv(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m)

	cancel()
	fmt.Println(<-done)
	// Output:
	// ["request 1" "" "it was begun here: true"]
	// <nil>
}
