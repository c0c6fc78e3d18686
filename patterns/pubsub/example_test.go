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
