// News: readers ask a desk by REQ what there is, subscribe to it at a publisher and follow it, by topic.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"github.com/go-zeromq/zmq4"
)

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	quiet := zmq4.WithLogger(log.New(os.Stderr, "news: ", 0))

	desk := zmq4.NewRep(ctx, quiet)
	defer desk.Close()
	if err := desk.Listen("tcp://127.0.0.1:0"); err != nil {
		return fmt.Errorf("could not open the desk: %w", err)
	}
	pub := zmq4.NewPub(ctx, quiet)
	defer pub.Close()
	if err := pub.Listen("tcp://127.0.0.1:0"); err != nil {
		return fmt.Errorf("could not listen: %w", err)
	}
	if err := pub.SetOption(zmq4.OptionSubscribe, "x"); !errors.Is(err, zmq4.ErrBadProperty) {
		return fmt.Errorf("a publisher subscribes: %w", err)
	}

	go func() {
		for {
			msg, err := desk.Recv()
			if err != nil {
				return // closed
			}
			topics := map[string]string{"who": "sport weather", "where": pub.Addr().String()}
			if err := desk.Send(zmq4.NewMsgString(topics[string(msg.Bytes())])); err != nil {
				log.Print(err)
				return
			}
		}
	}()

	topics, where, err := ask(ctx, "tcp://"+desk.Addr().String())
	if err != nil {
		return err
	}
	readers := map[string]zmq4.Socket{}
	for _, topic := range topics {
		sub := zmq4.NewSub(ctx, quiet)
		defer sub.Close()
		if err := sub.Dial("tcp://" + where); err != nil {
			return fmt.Errorf("could not dial: %w", err)
		}
		if err := sub.SetOption(zmq4.OptionSubscribe, topic); err != nil {
			return fmt.Errorf("could not subscribe: %w", err)
		}
		readers[topic] = sub
	}
	for tick := time.NewTicker(time.Millisecond); ; <-tick.C {
		if known := pub.(zmq4.Topics).Topics(); len(known) == len(topics) {
			fmt.Println("subscribed to:", strings.Join(known, ", "))
			break
		}
	}

	for i := range 3 {
		for _, topic := range []string{"weather", "finance", "sport"} {
			msg := zmq4.NewMsgFrom([]byte(topic), fmt.Appendf(nil, "issue %d", i), nil)
			if err := pub.Send(msg); err != nil {
				return fmt.Errorf("could not publish: %w", err)
			}
		}
	}
	for _, topic := range topics {
		for range 3 {
			msg, err := readers[topic].Recv()
			if err != nil {
				return fmt.Errorf("could not receive: %w", err)
			}
			fmt.Printf("%s reads %v\n", topic, msg)
		}
	}
	return nil
}

// ask asks the desk what there is to read, and where.
func ask(ctx context.Context, desk string) (topics []string, where string, err error) {
	req := zmq4.NewReq(ctx)
	defer req.Close()
	if err := req.Dial(desk); err != nil {
		return nil, "", fmt.Errorf("could not dial the desk: %w", err)
	}
	var answers []string
	for _, question := range []string{"who", "where"} {
		if err := req.Send(zmq4.NewMsgString(question)); err != nil {
			return nil, "", fmt.Errorf("could not ask: %w", err)
		}
		msg, err := req.Recv()
		if err != nil {
			return nil, "", fmt.Errorf("no answer: %w", err)
		}
		answers = append(answers, string(msg.Frames[0]))
	}
	return strings.Fields(answers[0]), answers[1], nil
}
