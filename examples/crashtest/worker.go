package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/spool"
)

// worker is the main function of a worker process and returns its exit status.
func worker(text string) int {
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	end := make(chan struct{})
	go func() { // ends with the process
		_, _ = io.Copy(io.Discard, os.Stdin) // the controller closes it, or has ended
		close(end)
	}()
	run := receive
	switch {
	case j.Plan.Asks && j.Who == sender:
		run = ask
	case j.Plan.Asks:
		run = answer
	case j.Who == sender:
		run = send
	}
	if err := run(ctx, j, &speaker{out: os.Stdout}, end); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// A speaker tells the controller things, a line at a time.
type speaker struct {
	mu  sync.Mutex
	out io.Writer
}

// say tells one. When nobody reads any more the worker is about to be ended, too.
func (s *speaker) say(word, format string, a ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rest := strings.ReplaceAll(fmt.Sprintf(format, a...), "\n", "; ")
	if _, err := fmt.Fprintf(s.out, "%s %s\n", word, rest); err != nil {
		os.Exit(1)
	}
}

// attach binds or connects a socket, as the job says.
func attach(ctx context.Context, s socket.Socket, j job, sp *speaker) error {
	if j.Bind != "" {
		at, err := s.Bind(ctx, j.Bind)
		if err != nil {
			return err
		}
		sp.say(saysBound, "%s", at)
	}
	for _, e := range j.Connect {
		if err := s.Connect(e); err != nil {
			return err
		}
	}
	return nil
}

// watch holds the socket's ledger against itself until stop is closed.
func watch(s socket.Socket, sp *speaker, stop <-chan struct{}) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
			if err := s.Stats().Check(); err != nil {
				sp.say(saysFault, "%v", err)
				return
			}
		}
	}
}

// openSpool opens the job's spool, and tells what it finds damaged: nothing has damaged it.
func openSpool(j job, sp *speaker) (*spool.Spool, error) {
	o := spool.Options{
		MaxBytes: j.Capacity, MaxDeliveries: -1,
		Events: func(e spool.Event) {
			switch e.Kind {
			case spool.Damaged, spool.Dropped, spool.Expired, spool.Buried, spool.CursorExpired:
				sp.say(saysFault, "%v", e)
			case spool.Failing:
				if !j.Plan.Full {
					sp.say(saysFault, "%v", e)
				}
			default: // all in order
			}
		},
	}
	if j.Plan.Full && j.Who == sender && j.Plan.Seed%2 == 0 {
		o.Overflow = spool.Reject
	}
	return spool.Open(j.Spool, o)
}

// soon: a connection that is cut comes back soon.
func soon() socket.Option { return socket.WithReconnect(2*time.Millisecond, 50*time.Millisecond) }

// shutdown ends a socket and then its spool, if it has one, and looks at the ledger once more.
func shutdown(ctx context.Context, s socket.Socket, q *spool.Spool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := s.Shutdown(ctx)
	if e := s.Stats().Check(); err == nil {
		err = e
	}
	if q != nil {
		if e := q.Close(); err == nil {
			err = e
		}
	}
	return err
}
