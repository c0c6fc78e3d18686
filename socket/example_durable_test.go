package socket_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/spool"
)

// A subscriber with a name gets what was published while it was away.
func ExampleWithSubscriberName() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	dir, _ := os.MkdirTemp("", "spool")
	defer os.RemoveAll(dir)
	q, err := spool.Open(dir, spool.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer q.Close()

	pub := socket.NewPub(socket.WithSpool(q))
	defer pub.Close()
	at, _ := pub.Bind(ctx, "tcp://127.0.0.1:*")

	subscribe := func() *socket.Sub {
		sub := socket.NewSub(socket.WithSubscriberName("audit", socket.DurableOptions{}))
		_ = sub.Subscribe("orders.")
		_ = sub.Connect(at)
		_, _ = sub.TryRecv() // that is all it subscribes to
		return sub
	}
	sub := subscribe()
	_ = pub.WaitSubscribers(ctx, "orders.", 1)
	sub.Close()

	_ = pub.Send(ctx, socket.Text("orders.1"))
	_ = pub.Send(ctx, socket.Text("prices.1"))
	_ = pub.Send(ctx, socket.Text("orders.2"))

	sub = subscribe()
	defer sub.Close()
	for range 2 {
		m, _ := sub.Recv(ctx)
		fmt.Println(string(m.Frames[0]))
	}
	// Output:
	// orders.1
	// orders.2
}

// A publisher keeps up to a megabyte for each of ten subscribers, for a day.
func ExampleWithDurableSubscribers() {
	q, err := spool.Open(os.TempDir()+"/yodel-example-durable", spool.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(q.Dir())
	defer q.Close()
	pub := socket.NewPub(socket.WithSpool(q), socket.WithDurableSubscribers(socket.DurableSubscribers{
		Max: 10, MaxBytes: 1 << 20, Expiry: 24 * time.Hour, Laggard: socket.LoseOldest,
	}))
	defer pub.Close()
	fmt.Println(len(pub.DurableSubscribers()), "subscribers")
	// Output:
	// 0 subscribers
}
