package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/yodel-mq/yodel/socket"
)

const (
	jobs    = 300
	workers = 3
)

// pipeline spreads jobs over workers and collects their results: PUSH gives each job to one of its peers, in turn, and
// PULL takes from all of its peers. Over inproc the messages are handed over as they are, without a copy; change the
// endpoints to tcp and the workers can be anywhere.
func pipeline(ctx context.Context) (rows []row, err error) {
	source, sink := socket.NewPush(), socket.NewPull()
	defer source.Close()
	defer sink.Close()

	// The workers connect before anybody listens, for the sake of it.
	var working sync.WaitGroup
	defer working.Wait()
	type worker struct {
		in  *socket.Pull
		out *socket.Push
	}
	var team []worker
	for range workers {
		w := worker{socket.NewPull(), socket.NewPush()}
		defer w.in.Close() // ends the loop below
		defer w.out.Close()
		team = append(team, w)
		if err := w.in.Connect("inproc://jobs"); err != nil {
			return nil, err
		}
		if err := w.out.Connect("inproc://results"); err != nil {
			return nil, err
		}
		working.Go(func() {
			for m, err := range w.in.Messages(ctx) {
				if err != nil {
					return
				}
				n := binary.BigEndian.Uint64(m.Frames[0])
				if w.out.Send(ctx, number(n*n)) != nil {
					return
				}
			}
		})
	}
	if _, err := source.Bind(ctx, "inproc://jobs"); err != nil {
		return nil, err
	}
	if _, err := sink.Bind(ctx, "inproc://results"); err != nil {
		return nil, err
	}

	// With all workers there, each gets as many jobs as the next one.
	if err := source.WaitPeers(ctx, workers); err != nil {
		return nil, err
	}
	var sum, want uint64
	for n := uint64(1); n <= jobs; n++ {
		want += n * n
		if err := source.Send(ctx, number(n)); err != nil {
			return nil, err
		}
	}
	for range jobs {
		m, err := sink.Recv(ctx)
		if err != nil {
			return nil, err
		}
		sum += binary.BigEndian.Uint64(m.Frames[0])
	}
	if sum != want {
		return nil, fmt.Errorf("pipeline: the squares of 1 to %d add up to %d, want %d", jobs, sum, want)
	}

	rows = []row{rowOf("jobs", "", source), rowOf("", "results", sink)}
	for _, w := range team {
		rows = append(rows, rowOf("", "jobs", w.in), rowOf("results", "", w.out))
	}
	return rows, nil
}

func number(n uint64) socket.Msg { return socket.NewMsg(binary.BigEndian.AppendUint64(nil, n)) }
