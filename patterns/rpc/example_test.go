package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/rpc"
)

type Words struct{ Text string }

type Count struct{ Words int }

func ExampleNewService() {
	ctx, stop := context.WithCancel(context.Background())
	svc := rpc.NewService(rpc.WithName("words", "1.0"))
	rpc.Handle(svc, "count", func(_ context.Context, w Words) (Count, error) {
		if w.Text == "" {
			return Count{}, patterns.Errorf(patterns.CodeInvalidArgument, "there is no text")
		}
		return Count{len(strings.Fields(w.Text))}, nil
	})
	if _, err := svc.Bind(ctx, "inproc://words"); err != nil {
		fmt.Println(err)
	}
	served := make(chan error)
	go func() { served <- svc.Serve(ctx) }()

	client := rpc.NewClient()
	defer client.Close()
	client.Connect("inproc://words")
	n, err := rpc.Call[Count](ctx, client, "count", Words{"as it is"})
	fmt.Println(n.Words, err)
	_, err = rpc.Call[Count](ctx, client, "count", Words{})
	fmt.Println(err)

	stop() // calls that run end first
	fmt.Println(<-served)
	// Output:
	// 3 <nil>
	// invalid_argument: there is no text
	// <nil>
}

// Both sides share a line that says what the method takes and gives.
func ExampleMethod() {
	const count rpc.Method[Words, Count] = "count"

	ctx := context.Background()
	svc := rpc.NewService()
	defer svc.Close()
	count.Handle(svc, func(_ context.Context, w Words) (Count, error) { return Count{len(strings.Fields(w.Text))}, nil })
	svc.Bind(ctx, "inproc://method")

	client := rpc.NewClient()
	defer client.Close()
	client.Connect("inproc://method")
	fmt.Println(count.Call(ctx, client, Words{"as it is"}))
	// Output: {3} <nil>
}

// A call with a key is done once, however often it is made.
func ExampleOnce() {
	ctx := context.Background()
	svc := rpc.NewService()
	defer svc.Close()
	orders := 0
	rpc.Handle(svc, "order", func(context.Context, Words) (int, error) { orders++; return orders, nil })
	svc.Bind(ctx, "inproc://orders")

	client := rpc.NewClient()
	defer client.Close()
	client.Connect("inproc://orders")
	for range 2 {
		number, err := rpc.Call[int](ctx, client, "order", Words{"a chair"}, rpc.Once("7f3a"))
		fmt.Println(number, err)
	}
	// Output:
	// 1 <nil>
	// 1 <nil>
}

// A call that takes longer than most goes to a second replica too, and the first reply counts.
func ExampleHedge() {
	ctx := context.Background()
	client := rpc.NewClient()
	defer client.Close()
	for i, takes := range []time.Duration{time.Minute, 0} {
		svc := rpc.NewService()
		defer svc.Close()
		rpc.Handle(svc, "count", func(ctx context.Context, w Words) (Count, error) {
			select {
			case <-time.After(takes):
				return Count{len(strings.Fields(w.Text))}, nil
			case <-ctx.Done():
				return Count{}, ctx.Err()
			}
		})
		at := fmt.Sprint("inproc://hedged-", i)
		svc.Bind(ctx, at)
		client.Connect(at)
	}
	client.WaitReplicas(ctx, 2)
	n, err := rpc.Call[Count](ctx, client, "count", Words{"as it is"}, rpc.Idempotent(), rpc.Hedge(time.Millisecond))
	fmt.Println(n.Words, err)
	// Output: 3 <nil>
}

func ExampleNewClient() {
	client := rpc.NewClient(rpc.WithPatience(0))
	defer client.Close()
	_, err := rpc.Call[Count](context.Background(), client, "count", Words{"as it is"})
	fmt.Println(errors.Is(err, rpc.ErrNoResponders), err)
	// Output: true rpc: call count: no responders
}
