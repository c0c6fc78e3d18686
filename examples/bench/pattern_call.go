package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"
)

// answering runs a service until the other side has its result, and returns what it took for n calls.
func (l *library) answering(ctx context.Context, c *console, j job, m methods, n int) (report, error) {
	s, err := l.serve(ctx, j, m)
	if err != nil {
		return report{}, err
	}
	begin := spent()
	if err := c.say("ready", s.Endpoint()); err != nil {
		return report{}, err
	}
	if err := c.wait(ctx); err != nil {
		return report{}, err
	}
	r := begin.since(n)
	return r, s.Close()
}

type handlers = map[string]func(ctx context.Context, body []byte) ([]byte, error)

func echoes() handlers {
	return handlers{"echo": func(_ context.Context, body []byte) ([]byte, error) { return body, nil }}
}

func (l *library) serveEcho(ctx context.Context, c *console, j job) error {
	r, err := l.answering(ctx, c, j, methods{calls: echoes()}, j.Warm+j.Count)
	if err != nil {
		return err
	}
	return c.result(r)
}

// callEcho has as many callers as the job has sockets, each of which calls again when it has its reply.
func (l *library) callEcho(ctx context.Context, c *console, j job) error {
	cl, err := l.dial(ctx, j)
	if err != nil {
		return err
	}
	body := make([]byte, j.Size)
	round := func(n int) ([]time.Duration, error) {
		took := make([][]time.Duration, j.Sockets)
		err := parallel(j.Sockets, func(i int) error {
			took[i] = make([]time.Duration, n/j.Sockets)
			for k := range took[i] {
				begin := time.Now()
				limited, cancel := context.WithTimeout(ctx, deadline)
				reply, err := cl.Call(limited, "echo", body)
				cancel()
				if err == nil && len(reply) != len(body) {
					err = fmt.Errorf("bench: a reply of %d bytes, not %d", len(reply), len(body))
				}
				if err != nil {
					return err
				}
				took[i][k] = time.Since(begin)
			}
			return nil
		})
		return slices.Concat(took...), err
	}
	if _, err := round(j.Warm); err != nil {
		return err
	}
	before, begin := spent(), time.Now()
	took, err := round(j.Count)
	if err != nil {
		return err
	}
	end := time.Since(begin)
	r := before.since(j.Count)
	r.End, r.Received = end.Nanoseconds(), int64(j.Count)
	r.Mean, r.P50, r.P99, r.P999 = summarise(took)
	if err := c.result(r); err != nil {
		return err
	}
	return cl.Close()
}

// callNobody calls where nothing listens: without a server between, at a port that was open for a moment.
func (l *library) callNobody(ctx context.Context, c *console, j job) error {
	if !l.brokered {
		nc, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		j.Endpoint = "tcp://" + nc.Addr().String()
		nc.Close()
	}
	cl, err := l.dial(ctx, j)
	if err != nil {
		return err
	}
	took := make([]time.Duration, j.Warm+j.Count)
	for i := range took {
		begin := time.Now()
		limited, cancel := context.WithTimeout(ctx, deadline)
		_, err := cl.Call(limited, "echo", make([]byte, j.Size))
		cancel()
		if !errors.Is(err, errNobody) {
			return fmt.Errorf("bench: call of nobody: %w", cmp.Or(err, errAnswered))
		}
		took[i] = time.Since(begin) // of the first, until the first attempt to connect has failed
	}
	var r report
	r.Mean, r.P50, r.P99, r.P999 = summarise(took[j.Warm:])
	if err := c.result(r); err != nil {
		return err
	}
	return cl.Close()
}
