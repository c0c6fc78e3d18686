package discovery_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/yodel-mq/yodel/discovery"
	"github.com/yodel-mq/yodel/discovery/dns"
	"github.com/yodel-mq/yodel/discovery/gossip"
	"github.com/yodel-mq/yodel/discovery/mdns"
	"github.com/yodel-mq/yodel/discovery/static"
	"github.com/yodel-mq/yodel/socket"
)

// What README.md shows about finding peers by name. There the two are programs of their own.
func Example_readme() {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	group := "example-" + discovery.NewID().String() // nobody else's

	// One program offers prices:
	pub := socket.NewPub()
	defer pub.Close()
	if _, err := pub.Bind(ctx, "tcp://*:*"); err != nil { // every interface, any free port
		log.Fatal(err)
	}
	here := discovery.NewNode(mdns.New(), discovery.WithGroup(group))
	defer here.Shutdown(ctx) // says goodbye
	if err := here.Announce(ctx, "prices", pub); err != nil {
		log.Fatal(err)
	}

	// Others want them, whether they start before it or after, here or on another host:
	sub := socket.NewSub(socket.WithSubscription("EUR"))
	defer sub.Close()
	there := discovery.NewNode(mdns.New(), discovery.WithGroup(group))
	defer there.Shutdown(ctx)
	if err := there.Connect("prices", sub); err != nil {
		log.Fatal(err)
	}

	if err := pub.WaitSubscribers(ctx, "EUR", 1); err != nil {
		log.Fatal(err)
	}
	if err := pub.Send(ctx, socket.Text("EUR", "1.0842")); err != nil {
		log.Fatal(err)
	}
	m, err := sub.Recv(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m)
	// Output: ["EUR" "1.0842"]
}

// What README.md shows of networks that multicast does not cross. Nothing is opened: nobody announces or watches.
func Example_readmeBackends() {
	key := make([]byte, 32)
	// Kubernetes: a headless Service with a port named "prices". The pods need not announce anything.
	pods, err := dns.New("yodel.shop.svc.cluster.local.", dns.WithSRV("prices", ""))
	if err != nil {
		log.Fatal(err)
	}
	// Routed networks: all members have the key, port 7946, and the address of one or more that are there.
	members, err := gossip.New(gossip.WithKey(key), gossip.WithSeeds("10.1.0.7:7946"))
	if err != nil {
		log.Fatal(err)
	}
	// A file with lines such as "prices tcp://10.1.0.7:5555", read again when it changes.
	list := static.File("/etc/yodel/peers")

	node := discovery.NewNode(discovery.Merge(mdns.New(), pods, members, list))
	defer node.Close()
	// Output:
}
