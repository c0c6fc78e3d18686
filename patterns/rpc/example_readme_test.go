package rpc_test

import (
	"context"
	"fmt"

	"github.com/yodel-mq/yodel/patterns/rpc"
)

type Pair struct{ A, B int }

type Sum struct{ Sum int }

// What README.md shows first.
func Example_readme() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	svc := rpc.NewService()
	rpc.Handle(svc, "add", func(ctx context.Context, in Pair) (Sum, error) { return Sum{in.A + in.B}, nil })
	endpoint, err := svc.Bind(ctx, "tcp://127.0.0.1:*")
	if err != nil {
		fmt.Println(err)
	}
	defer svc.Close()
	go svc.Serve(ctx) // until ctx ends; calls that run end first

	client := rpc.NewClient()
	client.Connect(endpoint) // any number of replicas
	defer client.Close()
	sum, err := rpc.Call[Sum](ctx, client, "add", Pair{1, 2})
	fmt.Println(sum.Sum, err) // 3 <nil>
	// Output: 3 <nil>
}
