package mdns_test

import (
	"context"
	"fmt"
	"net"

	"github.com/yodel-mq/yodel/discovery"
	"github.com/yodel-mq/yodel/discovery/mdns"
)

func Example() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	// Only this machine. Leave it out to meet the whole local network.
	here := mdns.WithInterfaces(func(i net.Interface) bool { return i.Flags&net.FlagLoopback != 0 })
	group := "example-" + discovery.NewID().String()

	events, err := mdns.New(here).Watch(ctx, discovery.Query{Group: group, Service: "orders"})
	if err != nil {
		fmt.Println(err)
		return
	}
	self := discovery.Record{
		ID: discovery.NewID(), Group: group,
		Services: []discovery.Service{{Name: "orders", Type: "PUB", Endpoints: []string{"tcp://127.0.0.1:5555"}}},
	}
	announcement, err := mdns.New(here).Announce(ctx, self)
	if err != nil {
		fmt.Println(err)
		return
	}
	for ev := range events {
		switch ev.Kind {
		case discovery.Added:
			fmt.Println("added", ev.Record.Services[0].Endpoints)
			announcement.Close(ctx)
		case discovery.Left:
			fmt.Println("left")
			cancel() // ends the loop
		}
	}

	// Output:
	// added [tcp://127.0.0.1:5555]
	// left
}
