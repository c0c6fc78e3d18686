package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"strings"

	"github.com/go-zeromq/zmq4"
)

func zmq4Peer() *peer {
	return &peer{
		name:    "go-zeromq",
		version: moduleVersion("github.com/go-zeromq/zmq4"),
		open:    openZMQ4,
		most: func(w *work, quick bool) int {
			switch {
			case w.Kind == crowded, w.Kind == released:
				return 0
			case w.Transport == "inproc" && w.Size > 255: // which it corrupts
				return 0
			case w.Subs > 10_000: // it compares every message with every subscription
				return 200
			case w.Kind == fanOut:
				return pick(quick, 2_000, 10_000)
			}
			return pick(quick, 15_000, 100_000)
		},
	}
}

type zmq4Conn struct {
	sock     zmq4.Socket
	endpoint string
	bodies   []zmq4.Msg
}

func openZMQ4(ctx context.Context, role string, j job) (conn, error) {
	c := &zmq4Conn{}
	raw, _, _ := j.bodies()
	for _, b := range raw {
		c.bodies = append(c.bodies, zmq4.NewMsg(b))
	}
	quiet := zmq4.WithLogger(log.New(io.Discard, "", 0))
	create, binds := zmq4.NewPull, true
	switch role {
	case "push":
		create, binds = zmq4.NewPush, false
	case "pull", "idle":
	case "req":
		create, binds = zmq4.NewReq, false
	case "rep":
		create = zmq4.NewRep
	case "pub":
		create = zmq4.NewPub
	case "sub":
		create, binds = zmq4.NewSub, false
	default:
		return nil, fmt.Errorf("bench: go-zeromq has no role %q", role)
	}
	c.sock = create(ctx, quiet)
	if !binds {
		return c, c.sock.Dial(j.Endpoint)
	}
	if err := c.sock.Listen(j.Endpoint); err != nil {
		return nil, err
	}
	c.endpoint = j.Endpoint
	if strings.HasPrefix(j.Endpoint, "tcp:") {
		c.endpoint = "tcp://" + c.sock.Addr().String()
	}
	return c, nil
}

func (c *zmq4Conn) Endpoint() string { return c.endpoint }

func (c *zmq4Conn) Subscribe(topic string) error {
	return c.sock.SetOption(zmq4.OptionSubscribe, topic)
}

func (c *zmq4Conn) Send(_ context.Context, i int) error { return c.sock.Send(c.bodies[i]) }

func (c *zmq4Conn) Recv(context.Context) (int, error) {
	m, err := c.sock.Recv()
	if err != nil {
		return 0, err
	}
	return len(m.Frames[0]), nil
}

func (c *zmq4Conn) Echo(context.Context) error {
	m, err := c.sock.Recv()
	if err != nil {
		return err
	}
	return c.sock.Send(m)
}

func (c *zmq4Conn) Trip(context.Context) error {
	if err := c.sock.Send(c.bodies[0]); err != nil {
		return err
	}
	_, err := c.sock.Recv()
	return err
}

// Close does nothing: go-zeromq cannot say when all has left, and its Close waits for nothing. See console.linger.
func (c *zmq4Conn) Close(context.Context) error { return nil }
