package discovery_test

import (
	"context"
	"fmt"
	"time"

	"github.com/yodel-mq/yodel/discovery"
	"github.com/yodel-mq/yodel/discovery/mdns"
	"github.com/yodel-mq/yodel/discovery/static"
	"github.com/yodel-mq/yodel/socket"
)

// Where the peers are stands in a list here. With another backend nothing else changes.
func ExampleAutoConnect() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	pull, push := socket.NewPull(), socket.NewPush()
	defer pull.Close()
	defer push.Close()
	at, _ := pull.Bind(ctx, "tcp://127.0.0.1:0")

	peers, _ := static.New(static.Peer{Service: "work", Endpoints: []string{at}})
	connecting, stop := context.WithCancel(ctx)
	done := make(chan error)
	go func() { done <- discovery.AutoConnect(connecting, push, peers, "work", discovery.Policy{}) }()

	_ = push.Send(ctx, socket.Text("hello"))
	m, _ := pull.Recv(ctx)
	fmt.Printf("%s\n", m.Bytes())

	stop() // disconnects
	fmt.Println(<-done)
	// Output:
	// hello
	// <nil>
}

// Two programs on a local network find each other by the name of a service. Here they are one, and nothing is sent
// before both have an endpoint.
func ExampleNode() {
	ctx := context.Background()

	// The one that publishes:
	pub := socket.NewPub()
	defer pub.Close()
	if _, err := pub.Bind(ctx, "tcp://*:0"); err != nil {
		fmt.Println(err)
	}
	server := discovery.NewNode(mdns.New(), discovery.WithGroup("shop"))
	defer server.Shutdown(ctx) // says goodbye
	if err := server.Announce(ctx, "orders", pub); err != nil {
		fmt.Println(err)
	}

	// The others:
	sub := socket.NewSub()
	defer sub.Close()
	client := discovery.NewNode(mdns.New(), discovery.WithGroup("shop"))
	defer client.Shutdown(ctx)
	if err := client.Connect("orders", sub); err != nil {
		fmt.Println(err)
	}
}

// A policy may ask for more than that an endpoint is near.
func ExamplePolicy() {
	trusted := map[string]bool{"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7": true}
	p := discovery.Policy{
		Group:    "shop",
		OffLink:  true, // other networks too,
		MaxPeers: 20,   // but not many
		Allow: func(endpoint string, r *discovery.Record) bool {
			return trusted[r.Key] // a hint: the handshake is to prove it
		},
		OnChange: func(c discovery.Change) { fmt.Println(c.Kind, c.Record.Name, c.Endpoint, c.Err) },
	}
	node := discovery.NewNode(mdns.New())
	defer node.Close()
	sub := socket.NewSub()
	defer sub.Close()
	if err := node.Connect("orders", sub, discovery.WithPolicy(p)); err != nil {
		fmt.Println(err)
	}
}
