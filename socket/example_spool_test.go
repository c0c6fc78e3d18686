package socket_test

import (
	"context"
	"fmt"
	"os"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/spool"
)

// Messages that are sent before there is anybody to receive them, by a sender that is closed and opened again.
func ExampleWithSpool() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "spool")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	for _, text := range []string{"one", "two"} {
		q, err := spool.Open(dir, spool.Options{})
		if err != nil {
			panic(err)
		}
		push := socket.NewPush(socket.WithSpool(q))
		if err := push.Send(ctx, socket.Text(text)); err != nil { // on disk, or not sent
			panic(err)
		}
		push.Close()
		q.Close()
	}

	q, err := spool.Open(dir, spool.Options{})
	if err != nil {
		panic(err)
	}
	defer q.Close()
	push, pull := socket.NewPush(socket.WithSpool(q)), socket.NewPull()
	defer pull.Close()
	at, err := pull.Bind(ctx, "tcp://127.0.0.1:*")
	if err != nil {
		panic(err)
	}
	if err := push.Connect(at); err != nil {
		panic(err)
	}
	receipt, err := push.SendReceipt(ctx, socket.Text("three"))
	if err != nil {
		panic(err)
	}
	for range 3 {
		m, err := pull.Recv(ctx)
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s\n", m.Bytes())
	}
	fmt.Println(receipt.Wait(ctx))
	fmt.Println(push.Shutdown(ctx), q.Stats().Live.Messages)
	// Output:
	// one
	// two
	// three
	// <nil>
	// <nil> 0
}

// A request whose requester ends before the reply, and its reply in the requester's next life.
func ExampleReq_Pending() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "spool")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)

	q, err := spool.Open(dir, spool.Options{})
	if err != nil {
		panic(err)
	}
	req := socket.NewReq(socket.WithSpool(q))
	if err := req.Send(ctx, socket.Text("two and two")); err != nil { // on disk, or not sent
		panic(err)
	}
	req.Close()
	q.Close()

	rep := socket.NewRep()
	at, err := rep.Bind(ctx, "tcp://127.0.0.1:*")
	if err != nil {
		panic(err)
	}
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		for range rep.Messages(ctx) {
			if err := rep.Send(ctx, socket.Text("four")); err != nil {
				panic(err)
			}
		}
	}()

	q, err = spool.Open(dir, spool.Options{})
	if err != nil {
		panic(err)
	}
	req = socket.NewReq(socket.WithSpool(q))
	if err := req.Connect(at); err != nil {
		panic(err)
	}
	for p, err := range req.Pending(ctx) {
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s: %s\n", p.Request.Bytes(), p.Reply.Bytes())
		break
	}
	req.Close()
	rep.Close()
	<-answered
	fmt.Println(q.Stats().Live.Messages)
	q.Close()

	// Output:
	// two and two: four
	// 0
}
