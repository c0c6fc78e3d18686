package gossip_test

import (
	"context"
	"fmt"
	"time"

	"github.com/yodel-mq/yodel/discovery"
	"github.com/yodel-mq/yodel/discovery/gossip"
)

// Two members on one host. Elsewhere the second would have the first one's address as its seed, and both the same bind.
func Example() {
	key := []byte("32 bytes that nobody else knows!")
	first, _ := gossip.New(gossip.WithKey(key), gossip.WithBind("127.0.0.1:17946"))
	second, _ := gossip.New(gossip.WithKey(key), gossip.WithBind("127.0.0.2:17946"), gossip.WithSeeds("127.0.0.1:17946"))

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	a, err := first.Announce(ctx, discovery.Record{
		ID:       discovery.NewID(),
		Services: []discovery.Service{{Name: "orders", Type: "PUB", Endpoints: []string{"tcp://*:5555"}}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	events, err := second.Watch(watching, discovery.Query{Service: "orders"})
	if err != nil {
		fmt.Println(err)
		return
	}
	e := <-events
	fmt.Println(e.Kind, e.Record.Services[0].Name, "at", e.Record.From[0])
	_ = a.Close(ctx)
	for e = range events {
		if e.Kind == discovery.Left {
			fmt.Println(e.Kind)
			stop()
		}
	}
	// Output:
	// added orders at 127.0.0.1
	// left
}
