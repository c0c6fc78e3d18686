package pipeline_test

import (
	"context"
	"fmt"

	"github.com/yodel-mq/yodel/patterns/pipeline"
)

type Page struct{ URL string }

// What README.md shows, in the order in which one program can do both sides.
func Example_readme() {
	ctx, cancel := context.WithCancel(context.Background())
	push := pipeline.NewPusher[Page]()
	defer push.Close()
	endpoint, err := push.Bind(ctx, "tcp://127.0.0.1:*")
	if err != nil {
		fmt.Println(err)
	}

	work := pipeline.NewWorker[Page]() // start as many as it takes
	defer work.Close()
	work.Connect(endpoint)
	done := make(chan bool)
	go func() {
		defer close(done)
		work.Run(ctx, 8, func(ctx context.Context, j *pipeline.Job[Page]) error {
			return j.Done(len(j.Value.URL)) // with an error it would come again
		})
	}()

	receipt, err := push.Push(ctx, Page{"https://example.com"})
	if err != nil {
		fmt.Println(err)
	}
	err = receipt.Wait(ctx) // until a worker has done it
	var length int
	fmt.Println(err, receipt.Result(&length), length)
	cancel()
	<-done
	// Output: <nil> <nil> 19
}
