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
