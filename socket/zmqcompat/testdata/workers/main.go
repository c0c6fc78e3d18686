// Workers: DEALER workers ask a ROUTER for work until it sends them home, and a REQ customer is served by the same
// ROUTER.
package main

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"maps"
	"slices"
	"sync"

	"github.com/go-zeromq/zmq4"
)

const (
	workers = 5
	rounds  = 4
)

var (
	ready = zmq4.NewMsgFrom([]byte(""), []byte("ready"))
	enjoy = []byte("enjoy your evening")
)

func main() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	router := zmq4.NewRouter(ctx, zmq4.WithID(zmq4.SocketIdentity("boss")))
	defer router.Close()
	if err := router.Listen("tcp://127.0.0.1:0"); err != nil {
		log.Fatalf("could not listen: %v", err)
	}
	endpoint := "tcp://" + router.Addr().String()

	var team sync.WaitGroup
	for i := range workers {
		team.Add(1)
		go func() {
			defer team.Done()
			worker(ctx, endpoint, fmt.Sprintf("worker-%d", i))
		}()
	}
	team.Add(1)
	go func() {
		defer team.Done()
		customer(ctx, endpoint)
	}()

	asked := map[string]int{}
	for home, served := 0, false; home < workers || !served; {
		msg, err := router.Recv()
		if err != nil {
			log.Fatalf("could not receive: %v", err)
		}
		id, body := msg.Frames[0], msg.Frames[2]
		asked[string(id)]++
		answer := []byte("work harder")
		switch {
		case string(id) == "customer":
			answer, served = append([]byte("sold: "), body...), true
		case !bytes.Equal(body, []byte("ready")):
			log.Fatalf("strange message %v", msg)
		case asked[string(id)] > rounds:
			answer = enjoy
			home++
		}
		if err := router.Send(zmq4.NewMsgFrom(id, []byte(""), answer)); err != nil {
			log.Fatalf("could not send to %s: %v", id, err)
		}
	}
	team.Wait()
	for _, id := range slices.Sorted(maps.Keys(asked)) {
		fmt.Println(id, "asked", asked[id], "times")
	}
	if err := router.Send(zmq4.NewMsgFromString([]string{"stranger", "", "hello?"})); err != nil {
		log.Fatalf("sending to nobody: %v", err)
	}
	fmt.Println("nobody minds a stranger")
}

func worker(ctx context.Context, endpoint, name string) {
	dealer := zmq4.NewDealer(ctx, zmq4.WithID(zmq4.SocketIdentity(name)))
	defer dealer.Close()
	if err := dealer.Dial(endpoint); err != nil {
		log.Fatalf("%s could not dial: %v", name, err)
	}
	for {
		if err := dealer.Send(ready); err != nil {
			log.Fatalf("%s could not send: %v", name, err)
		}
		msg, err := dealer.Recv()
		if err != nil {
			log.Fatalf("%s could not receive: %v", name, err)
		}
		if bytes.Equal(msg.Frames[1], enjoy) {
			return
		}
	}
}

func customer(ctx context.Context, endpoint string) {
	req := zmq4.NewReq(ctx, zmq4.WithID(zmq4.SocketIdentity("customer")))
	defer req.Close()
	if err := req.Dial(endpoint); err != nil {
		log.Fatalf("the customer could not dial: %v", err)
	}
	if err := req.Send(zmq4.NewMsgString("bread")); err != nil {
		log.Fatalf("the customer could not order: %v", err)
	}
	msg, err := req.Recv()
	if err != nil {
		log.Fatalf("the customer got nothing: %v", err)
	}
	fmt.Printf("the customer reads %q\n", msg.Bytes())
}
