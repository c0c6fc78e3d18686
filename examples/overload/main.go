// Command overload is a flash sale: far more people want to buy than the shop can serve.
//
//	go run ./examples/overload shop
//	go run ./examples/overload crowd
//
// The shop serves four customers at a time, 5 ms each, so 800 a second. The crowd comes at a tenth of that, at eight
// tenths and at ten times as much, and prints what it came to: what was sold or answered by "sold out" in time, what
// the shop refused at once because of its load, so that the customer knows, and what came too late. However many come,
// the shop goes on to serve about as many as it can: what is more it refuses, which costs it little.
//
// What is sold has to be packed, which takes longer: 100 a second. That peak is shaved: orders wait in a pipeline, and
// nobody in the shop waits for them. The shop ends, by Ctrl-C, when all that was sold is packed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/yodel-mq/yodel/examples/internal/cli"
	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/pipeline"
	"github.com/yodel-mq/yodel/patterns/rpc"
)

type (
	order   struct{ Customer int }
	receipt struct{ Customer int }
)

const (
	buy      rpc.Method[order, receipt] = "buy"
	tills                               = 4
	service                             = 5 * time.Millisecond
	capacity                            = int(tills * time.Second / service) // customers a second
	packing                             = 10 * time.Millisecond
	patience                            = 20 * service // of a customer
)

var (
	at    = flag.String("at", "tcp://127.0.0.1:7005", "the endpoint of the shop")
	stock = flag.Int64("stock", 3000, "how many the shop has to sell")
	phase = flag.Duration("phase", 3*time.Second, "how long each of the three rushes takes")
)

func main() {
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: overload [flags] shop | crowd")
		flag.PrintDefaults()
	}
	flag.Parse()
	ctx, _ := cli.Context(context.Background()) // a second Ctrl-C ends the program at once
	err := errors.New("say shop or crowd")
	switch flag.Arg(0) {
	case "shop":
		err = shop(ctx)
	case "crowd":
		err = crowd(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "overload:", err)
		os.Exit(1)
	}
}

func shop(ctx context.Context) error {
	orders, packer := pipeline.NewPusher[order](), pipeline.NewWorker[order]()
	defer orders.Close()
	defer packer.Close()
	_, err := orders.Bind(ctx, "inproc://orders") // by tcp the packer could be anywhere
	if err = errors.Join(err, packer.Connect("inproc://orders")); err != nil {
		return err
	}
	var sold, packed atomic.Int64
	go packer.Run(context.WithoutCancel(ctx), 1, func(context.Context, *pipeline.Job[order]) error {
		time.Sleep(packing)
		packed.Add(1)
		return nil
	})

	svc := rpc.NewService(rpc.WithConcurrency(tills))
	buy.Handle(svc, func(ctx context.Context, o order) (receipt, error) {
		time.Sleep(service)
		if sold.Add(1) > *stock {
			sold.Add(-1)
			return receipt{}, patterns.Errorf(patterns.CodeFailedPrecondition, "sold out")
		}
		_, err := orders.Push(context.WithoutCancel(ctx), o)
		return receipt(o), err
	})
	actual, err := svc.Bind(ctx, *at)
	if err != nil {
		return err
	}
	fmt.Println("open at", actual)
	if err := svc.Serve(ctx); err != nil {
		return err
	}
	fmt.Printf("closed: %d sold, of which %d are packed\n", sold.Load(), packed.Load())
	err = orders.Shutdown(context.WithoutCancel(ctx)) // when all that was accepted is done
	fmt.Printf("%d sold, %d packed\n", sold.Load(), packed.Load())
	return err
}

func crowd(ctx context.Context) error {
	client := rpc.NewClient(rpc.WithRetryBudget(0)) // a refusal is to be seen
	defer client.Close()
	if err := errors.Join(client.Connect(*at), client.WaitReplicas(ctx, 1)); err != nil {
		return err
	}
	for _, load := range []float64{0.1, 0.8, 10} {
		var came, sold, out, refused, late atomic.Int64
		var customers sync.WaitGroup
		begin := time.Now()
		for time.Since(begin) < *phase && ctx.Err() == nil {
			// They come by the clock, whether those before them have been served or not.
			due := int64(load * float64(capacity) * time.Since(begin).Seconds())
			for came.Load() < due {
				n := came.Add(1)
				customers.Go(func() {
					ctx, cancel := context.WithTimeout(ctx, patience)
					defer cancel()
					_, err := buy.Call(ctx, client, order{int(n)}, rpc.Attempts(1))
					switch {
					case err == nil:
						sold.Add(1)
					case errors.Is(err, rpc.ErrOverloaded): // and it says when to come again
						refused.Add(1)
					case errors.Is(err, &patterns.Error{Code: patterns.CodeFailedPrecondition}):
						out.Add(1)
					default:
						late.Add(1)
					}
				})
			}
			time.Sleep(time.Millisecond)
		}
		customers.Wait()
		served := float64(sold.Load()+out.Load()) / time.Since(begin).Seconds()
		fmt.Printf("load %4.1f: %d came, %d bought, %d found it sold out, %d were refused, %d too late; served %.0f/s\n",
			load, came.Load(), sold.Load(), out.Load(), refused.Load(), late.Load(), served)
	}
	return nil
}
