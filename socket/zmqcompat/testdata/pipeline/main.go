// Pipeline: a ventilator pushes numbers to a worker, which pushes their squares to a sink.
package main

import (
	"context"
	"fmt"
	"log"
	"strconv"

	"github.com/go-zeromq/zmq4"
)

const tasks = 100

func main() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	ventilator := zmq4.NewPush(ctx)
	defer ventilator.Close()
	check(ventilator.Listen("tcp://127.0.0.1:0"))
	sink := zmq4.NewPull(ctx, zmq4.WithID(zmq4.SocketIdentity("sink")))
	defer sink.Close()
	check(sink.Listen("tcp://127.0.0.1:*"))

	done := make(chan struct{})
	go func() {
		defer close(done)
		work(ctx, "tcp://"+ventilator.Addr().String(), "tcp://"+sink.Addr().String())
	}()

	for i := range tasks {
		check(ventilator.SendMulti(zmq4.NewMsgFromString([]string{strconv.Itoa(i), "square"})))
	}
	sum := 0
	for range tasks {
		msg, err := sink.Recv()
		check(err)
		n, err := strconv.Atoi(msg.String()[len(`Msg{Frames:{"`) : len(msg.String())-len(`"}}`)])
		check(err)
		sum += n
	}
	fmt.Println("worker says it is done:", string(must(sink.Recv()).Bytes()))
	<-done
	fmt.Println("sum of squares:", sum, "at a", sink.Type())
}

// work does tasks and reports to the sink.
func work(ctx context.Context, from, to string) {
	in, out := zmq4.NewPull(ctx), zmq4.NewPush(ctx)
	defer in.Close()
	defer out.Close()
	check(out.Dial(to))
	check(in.Dial(from))
	for range tasks {
		msg := must(in.Recv())
		if len(msg.Frames) != 2 || string(msg.Frames[1]) != "square" {
			log.Fatalf("strange task %v", msg)
		}
		n, err := strconv.Atoi(string(msg.Frames[0]))
		check(err)
		check(out.Send(zmq4.NewMsgString(strconv.Itoa(n * n))))
	}
	check(out.Send(zmq4.NewMsg([]byte("yes"))))
}

func must(msg zmq4.Msg, err error) zmq4.Msg {
	check(err)
	return msg
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
