package pubsub_test

import (
	"context"
	"fmt"

	"github.com/yodel-mq/yodel/patterns/pubsub"
)

// What README.md shows, in the order in which one program can do both sides.
func Example_readme() {
	ctx := context.Background()
	pub := pubsub.NewPublisher[Quote]()
	defer pub.Close()
	endpoint, err := pub.Bind(ctx, "tcp://127.0.0.1:*")
	if err != nil {
		fmt.Println(err)
	}

	sub := pubsub.NewSubscriber[Quote]()
	defer sub.Close()
	sub.Connect(endpoint) // any number of publishers
	sub.Subscribe("quotes.*.sap")

	if err := pub.WaitSubscribers(ctx, "quotes.eu.sap", 1); err != nil {
		fmt.Println(err)
	}
	err = pub.Publish(ctx, "quotes.eu.sap", Quote{101.5})
	if err != nil {
		fmt.Println(err)
	}
	for e, err := range sub.Events(ctx) {
		fmt.Println(e.Subject, e.Value, e.Missed, err)
		break
	}
	// Output: quotes.eu.sap {101.5} 0 <nil>
}
