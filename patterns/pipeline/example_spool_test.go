package pipeline_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/yodel-mq/yodel/patterns/pipeline"
	"github.com/yodel-mq/yodel/socket/spool"
)

// A pusher that ends leaves what is not done to the next one on its spool.
func ExampleWithSpool() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "spool")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	q, err := spool.Open(dir, spool.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer q.Close()

	push := pipeline.NewPusher[string](pipeline.WithSpool(q))
	fmt.Println(push.Guarantee())
	if _, err := push.Push(ctx, "a"); err != nil { // nil: it is on disk
		log.Fatal(err)
	}
	push.Close()

	push = pipeline.NewPusher[string](pipeline.WithSpool(q))
	defer push.Close()
	endpoint, err := push.Bind(ctx, "tcp://127.0.0.1:*")
	if err != nil {
		log.Fatal(err)
	}
	work := pipeline.NewWorker[string]()
	defer work.Close()
	work.Connect(endpoint)
	for j, err := range work.Jobs(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(j.Value)
		j.Ack()
		break
	}
	// Output:
	// durable
	// a
}
