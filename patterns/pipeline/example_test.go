package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/yodel-mq/yodel/patterns/pipeline"
)

func ExampleNewPusher() {
	ctx := context.Background()
	push := pipeline.NewPusher[string]()
	defer push.Close()
	at, err := push.Bind(ctx, "tcp://127.0.0.1:*")
	if err != nil {
		fmt.Println(err)
		return
	}
	work := pipeline.NewWorker[string]()
	defer work.Close()
	if err := work.Connect(at); err != nil {
		fmt.Println(err)
		return
	}
	go work.Run(ctx, 4, func(_ context.Context, j *pipeline.Job[string]) error {
		return j.Done(strings.ToUpper(j.Value))
	})
	r, err := push.Push(ctx, "quiet", pipeline.Key("words"))
	if err != nil {
		fmt.Println(err)
		return
	}
	var loud string
	fmt.Println(r.Wait(ctx), r.Result(&loud), loud)
	// Output: <nil> <nil> QUIET
}

func ExampleNewWorker() {
	ctx := context.Background()
	work := pipeline.NewWorker[int](pipeline.WithName("halves"))
	defer work.Close()
	at, err := work.Bind(ctx, "inproc://halves")
	if err != nil {
		fmt.Println(err)
		return
	}
	push := pipeline.NewPusher[int]()
	defer push.Close()
	if err := push.Connect(at); err != nil {
		fmt.Println(err)
		return
	}
	odd, err := push.Push(ctx, 7, pipeline.To("halves"))
	if err != nil {
		fmt.Println(err)
		return
	}
	for j, err := range work.Jobs(ctx) {
		if err != nil {
			fmt.Println(err)
			return
		}
		if j.Value%2 == 1 {
			err = j.Reject("it is odd")
		} else {
			err = j.Done(j.Value / 2)
		}
		fmt.Println(j.Value, err)
		break
	}
	err = odd.Wait(ctx)
	var reason *pipeline.JobError
	fmt.Println(errors.Is(err, pipeline.ErrRejected), errors.As(err, &reason), reason.Reason)
	// Output:
	// 7 <nil>
	// true true it is odd
}
