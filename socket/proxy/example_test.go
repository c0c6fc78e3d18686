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
