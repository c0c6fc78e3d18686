package socket_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/spool"
)

// A message that was received and not settled comes again, also when the process has been started anew.
func ExampleWithInbox() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "inbox")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	push := socket.NewPush(socket.WithReliable())
	defer push.Close()
	at, err := push.Bind(ctx, "tcp://127.0.0.1:*")
	if err != nil {
		panic(err)
	}
	go push.Send(ctx, socket.Text("a job")) // waits until somebody is there
	for _, settles := range []bool{false, true} {
		q, err := spool.Open(dir, spool.Options{})
		if err != nil {
			panic(err)
		}
		pull := socket.NewPull(socket.WithInbox(q), socket.WithManualAck())
		if err := pull.Connect(at); err != nil {
			panic(err)
		}
		d, err := pull.Next(ctx)
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s, redelivered: %v\n", d.Bytes(), d.Redelivered)
		if settles {
			if err := d.Ack(); err != nil {
				panic(err)
			}
		}
		pull.Close()
		q.Close()
	}
	// Output:
	// a job, redelivered: false
	// a job, redelivered: true
}

// A worker that cannot do a job now gives it back for a while.
func ExampleDelivery() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	push, pull := socket.NewPush(socket.WithReliable()), socket.NewPull(socket.WithManualAck())
	defer push.Close()
	defer pull.Close()
	at, err := pull.Bind(ctx, "tcp://127.0.0.1:*")
	if err != nil {
		panic(err)
	}
	if err := push.Connect(at); err != nil {
		panic(err)
	}
	for _, job := range []string{"easy", "not now"} {
		if err := push.Send(ctx, socket.Text(job)); err != nil {
			panic(err)
		}
	}
	ready := time.Now().Add(200 * time.Millisecond)
	for range 3 {
		d, err := pull.Next(ctx)
		if err != nil {
			panic(err)
		}
		if left := time.Until(ready); string(d.Bytes()) == "not now" && left > 0 {
			fmt.Printf("%s: given back\n", d.Bytes())
			err = d.Nak(left)
		} else {
			fmt.Printf("%s: done\n", d.Bytes())
			err = d.Ack()
		}
		if err != nil {
			panic(err)
		}
	}
	// Output:
	// easy: done
	// not now: given back
	// not now: done
}
