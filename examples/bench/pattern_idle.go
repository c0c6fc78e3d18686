package main

import (
	"context"
	"runtime"
	"time"
)

// serveIdle tells how the memory of a service has grown by clients that have made one call and rest.
func (l *library) serveIdle(ctx context.Context, c *console, j job) error {
	s, err := l.serve(ctx, j, methods{calls: echoes()})
	if err != nil {
		return err
	}
	before, err := memory()
	if err != nil {
		return err
	}
	if err := c.say("ready", s.Endpoint()); err != nil {
		return err
	}
	if err := c.wait(ctx); err != nil { // until all have joined
		return err
	}
	time.Sleep(rest(j))
	after, err := memory()
	if err != nil {
		return err
	}
	r := report{Values: make(map[string]float64)}
	if !l.brokered {
		r.Values[serviceMem] = float64(after-before) / float64(j.Sockets)
	}
	if err := c.result(r); err != nil {
		return err
	}
	if err := c.wait(ctx); err != nil { // the clients measure, too
		return err
	}
	return s.Close()
}

// idleClients makes the job's number of clients, each with a connection of its own, has each call once, and tells what
// they take once they have rested.
func (l *library) idleClients(ctx context.Context, c *console, j job) error {
	before, err := memory()
	if err != nil {
		return err
	}
	running := runtime.NumGoroutine()
	clients := make([]client, j.Sockets)
	for i := range clients {
		cl, err := l.dial(ctx, j)
		if err != nil {
			return err
		}
		clients[i] = cl
		limited, cancel := context.WithTimeout(ctx, deadline)
		_, err = cl.Call(limited, "echo", make([]byte, j.Size))
		cancel()
		if err != nil {
			return err
		}
	}
	if err := c.say("joined"); err != nil {
		return err
	}
	time.Sleep(rest(j))
	after, err := memory()
	if err != nil {
		return err
	}
	n := float64(j.Sockets)
	r := report{Values: map[string]float64{
		clientMemory: float64(after-before) / n, goroutines: float64(runtime.NumGoroutine()-running) / n,
	}}
	runtime.KeepAlive(clients)
	return c.linger(ctx, r) // the service measures, too
}

// rest is the job's count in milliseconds.
func rest(j job) time.Duration { return time.Duration(j.Count) * time.Millisecond }
