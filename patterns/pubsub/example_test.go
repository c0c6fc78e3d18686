package pubsub_test

import (
	"context"
	"fmt"
	"log"

	"github.com/yodel-mq/yodel/patterns/pubsub"
)

type Quote struct {
	Price float64 `json:"price"`
}

func ExampleNewPublisher() {
	ctx := context.Background()
	pub := pubsub.NewPublisher[Quote]()
	defer pub.Close()
	endpoint, err := pub.Bind(ctx, "tcp://127.0.0.1:*")
	if err != nil {
		log.Fatal(err)
	}

	sub := pubsub.NewSubscriber[Quote]()
	defer sub.Close()
	sub.Subscribe("quotes.*.sap")
	sub.Connect(endpoint)

	if err := pub.WaitSubscribers(ctx, "quotes.eu.sap", 1); err != nil {
		log.Fatal(err)
	}
	pub.Publish(ctx, "quotes.eu.bmw", Quote{92.4})
	pub.Publish(ctx, "quotes.eu.sap", Quote{101.5})
	for e, err := range sub.Events(ctx) {
		fmt.Println(e.Subject, e.Value.Price, err)
		break
	}
	// Output: quotes.eu.sap 101.5 <nil>
}

// Of a group one member gets each event. It is acknowledged when the handler returns nil.
func ExampleSubscriber_Handle() {
	ctx, cancel := context.WithCancel(context.Background())
	pub := pubsub.NewPublisher[string]()
	defer pub.Close()
	endpoint, err := pub.Bind(ctx, "tcp://127.0.0.1:*")
	if err != nil {
		log.Fatal(err)
	}

	sub := pubsub.NewSubscriber[string]()
	defer sub.Close()
	sub.Subscribe("orders.>", pubsub.Group("billing"))
	sub.Connect(endpoint)

	if err := pub.WaitSubscribers(ctx, "orders.new", 1); err != nil {
		log.Fatal(err)
	}
	pub.Publish(ctx, "orders.new", "seven pens")
	err = sub.Handle(ctx, 8, func(_ context.Context, e pubsub.Event[string]) error {
		fmt.Println(e.Subject, e.Value)
		cancel()
		return nil
	})
	fmt.Println(err)
	// Output:
	// orders.new seven pens
	// context canceled
}

// Who comes late asks for the newest value of each subject.
func ExampleNewSubscriber() {
	ctx := context.Background()
	pub := pubsub.NewPublisher[int](pubsub.WithLastValue(1000))
	defer pub.Close()
	endpoint, err := pub.Bind(ctx, "tcp://127.0.0.1:*")
	if err != nil {
		log.Fatal(err)
	}
	pub.Publish(ctx, "temp.kitchen", 20)
	pub.Publish(ctx, "temp.kitchen", 21)
	pub.Publish(ctx, "temp.attic", 14)

	sub := pubsub.NewSubscriber[int]()
	defer sub.Close()
	sub.Subscribe("temp.*", pubsub.Last())
	sub.Connect(endpoint)
	seen := 0
	for e, err := range sub.Events(ctx) {
		fmt.Println(e.Subject, e.Value, e.Replay, err)
		if seen++; seen == 2 {
			break
		}
	}
	// Output:
	// temp.kitchen 21 true <nil>
	// temp.attic 14 true <nil>
}
