package socket_test

import (
	"context"
	"fmt"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/zmtp/curve"
)

// Who has the server's public key can talk to it, and nobody in between can read or change what is said. This server
// lets in whom it knows.
func ExampleWithSecurity() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	server, mine := curve.GenerateKey(), curve.GenerateKey()

	pull := socket.NewPull(socket.WithSecurity(curve.Server(server, curve.Allow(mine.Public()))))
	defer pull.Close()
	endpoint, err := pull.Bind(ctx, "tcp://127.0.0.1:*")
	if err != nil {
		fmt.Println(err)
		return
	}

	push := socket.NewPush(socket.WithSecurity(curve.Client(mine, server.Public())))
	defer push.Close()
	push.Connect(endpoint)
	push.Send(ctx, socket.Text("a secret"))
	fmt.Println(pull.Recv(ctx))
	// Output: ["a secret"] <nil>
}

// A client of several servers has a key of each.
func ExampleSecuredBy() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	mine := curve.GenerateKey()
	push := socket.NewPush()
	defer push.Close()
	for range 2 {
		server := curve.GenerateKey()
		pull := socket.NewPull(socket.WithSecurity(curve.Server(server, curve.Anyone)))
		defer pull.Close()
		endpoint, err := pull.Bind(ctx, "tcp://127.0.0.1:*")
		if err != nil {
			fmt.Println(err)
			return
		}
		push.ConnectWith(endpoint, socket.SecuredBy(curve.Client(mine, server.Public())))
	}
	fmt.Println(push.WaitPeers(ctx, 2))
	// Output: <nil>
}
