package pubsub_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/yodel-mq/yodel/patterns/pubsub"
	"github.com/yodel-mq/yodel/socket/spool"
)

// A subscriber with a name gets what was published while it was away.
func ExampleDurable() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "spool")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	q, err := spool.Open(dir, spool.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer q.Close()
	pub := pubsub.NewPublisher[int](pubsub.WithSpool(q))
	defer pub.Close()
	endpoint, err := pub.Bind(ctx, "tcp://127.0.0.1:*")
	if err != nil {
		log.Fatal(err)
	}

	audit := func() *pubsub.Subscriber[int] {
		sub := pubsub.NewSubscriber[int]()
		sub.Subscribe("orders.>", pubsub.Durable("audit"))
		sub.Connect(endpoint)
		return sub
	}
	sub := audit()
	pub.WaitSubscribers(ctx, "orders.1", 1)
	sub.Close()

	pub.Publish(ctx, "orders.1", 1)
	pub.Publish(ctx, "orders.2", 2)

	sub = audit()
	defer sub.Close()
	for e, err := range sub.Events(ctx) {
		fmt.Println(e.Subject, e.Value, err)
		if e.Value == 2 {
			break
		}
	}
	// Output:
	// orders.1 1 <nil>
	// orders.2 2 <nil>
}
