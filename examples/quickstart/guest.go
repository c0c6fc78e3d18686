package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/yodel-mq/yodel/socket"
)

// guest is one of the processes that the host starts. Its arguments are its name, the group that the host is in and the
// topics to subscribe to.
func guest(ctx context.Context, args []string) error {
	if len(args) < 2 {
		return fmt.Errorf("a guest needs a name and a group: run quickstart without arguments")
	}
	name, group, topics := args[0], args[1], args[2:]

	// Connect returns at once, whether or not somebody offers that yet, and from then on the socket is connected to all
	// who do, as they come and go. The order in which processes start does not matter. Without discovery it would be
	// sub.Connect(endpoint).
	began := time.Now()
	node := join(group)
	defer leave(node)
	sub := socket.NewSub(socket.WithSubscription(append(topics, "end")...))
	defer sub.Close()
	if err := node.Connect("news", sub); err != nil {
		return err
	}
	req := socket.NewReq()
	defer req.Close()
	if err := node.Connect("answers", req); err != nil {
		return err
	}

	// Nothing has to wait for the other: a request would be sent as soon as there is somebody to answer it. This is to
	// tell how long it took, and to give up before long.
	if err := found(ctx, node, req, sub); err != nil {
		return err
	}
	took := time.Since(began)

	// Do is a request and its reply. Were the host to die, it would return an error that names it.
	replies := 0
	for n := range requestsPerGuest {
		question := fmt.Sprintf("question %d of %s", n, name)
		reply, err := req.Do(ctx, socket.Text(question))
		if err != nil {
			return err
		}
		if got, want := string(reply.Frames[0]), strings.ToUpper(question); got != want {
			return fmt.Errorf("guest %s: asked %q, got %q, want %q", name, question, got, want)
		}
		replies++
	}

	// Messages is Recv as a loop. From one publisher they come in order, so that after the last one there is no more.
	heard := make(map[string]int)
	for m, err := range sub.Messages(ctx) {
		if err != nil {
			return err
		}
		topic := string(m.Frames[0])
		if topic == "end" {
			break
		}
		heard[topic]++
	}

	// Shutdown waits until a socket has nothing queued any more. From then on its ledger does not change.
	if err := errors.Join(req.Shutdown(ctx), sub.Shutdown(ctx)); err != nil {
		return err
	}
	r := report{Name: name, PID: os.Getpid(), Found: took, Replies: replies, Heard: heard}
	r.Rows = []row{rowOf("questions", "answers", req), rowOf("", "news", sub)}
	return json.NewEncoder(os.Stdout).Encode(r)
}
