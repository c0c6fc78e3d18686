package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

func natsPeer() *peer {
	return &peer{
		name:    "nats",
		version: moduleVersion("github.com/nats-io/nats-server/v2"),
		open:    openNATS,
		server:  serveNATS,
		most: func(w *work, quick bool) int {
			switch {
			case w.Transport != "tcp" || w.Kind == idling || w.Kind == crowded || w.Kind == released:
				return 0
			case w.Kind == fanOut:
				return pick(quick, 40_000, 200_000)
			}
			return pick(quick, 200_000, 1_000_000)
		},
	}
}

// serveNATS is the process between the two sides. NATS has no backpressure: with its default limits the server would
// cut off a subscriber that is slower than its publisher for long enough, so they are raised out of the way.
func serveNATS(ctx context.Context, c *console, j job) error { return serveNATSWith(ctx, c, j, "") }

// serveNATSWith has JetStream too, in a directory if there is one.
func serveNATSWith(ctx context.Context, c *console, j job, store string) error {
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true,
		MaxPayload: 8 << 20, MaxPending: 8 << 30, WriteDeadline: time.Minute,
		JetStream: store != "", StoreDir: store,
	})
	if err != nil {
		return err
	}
	go s.Start()
	defer s.Shutdown()
	if !s.ReadyForConnections(10 * time.Second) {
		return errors.New("bench: the NATS server does not listen after 10 s")
	}
	begin := spent()
	if err := c.say("ready", s.ClientURL()); err != nil {
		return err
	}
	if err := c.wait(ctx); err != nil {
		return err
	}
	return c.result(begin.since(j.Warm + j.Count))
}

// A natsConn's subject is a message's topic without its dot, which alone means something to NATS.
type natsConn struct {
	nc       *nats.Conn
	url      string
	subjects []string
	bodies   [][]byte
	in       chan *nats.Msg
}

func openNATS(_ context.Context, role string, j job) (conn, error) {
	nc, err := nats.Connect(j.Endpoint, nats.Timeout(10*time.Second))
	if err != nil {
		return nil, err
	}
	c := &natsConn{nc: nc, url: j.Endpoint}
	c.bodies, _, _ = j.bodies()
	n, step := j.topics()
	for i := range c.bodies {
		at := i * step
		if i >= n {
			at = max(0, j.Subs-1)
		}
		c.subjects = append(c.subjects, strings.TrimSuffix(topic(at), "."))
	}
	switch role {
	case "push", "pub", "req":
	case "pull", "rep", "sub":
		c.in = make(chan *nats.Msg, j.Warm+j.Count+10_000) // a full one would lose messages
		if role != "sub" {
			err = c.Subscribe("")
		}
		if err == nil {
			err = nc.Flush()
		}
	default:
		err = fmt.Errorf("bench: nats has no role %q", role)
	}
	return c, err
}

func (c *natsConn) Endpoint() string { return c.url }

func (c *natsConn) Subscribe(topic string) error {
	subject := c.subjects[0] // not ">": that takes in the replies to others
	if topic != "" {
		subject = strings.TrimSuffix(topic, ".")
	}
	_, err := c.nc.ChanSubscribe(subject, c.in)
	return err
}

func (c *natsConn) Send(_ context.Context, i int) error {
	return c.nc.Publish(c.subjects[i], c.bodies[i])
}

func (c *natsConn) Recv(ctx context.Context) (int, error) {
	select {
	case m := <-c.in:
		return len(m.Data), nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func (c *natsConn) Echo(context.Context) error {
	m := <-c.in
	return m.Respond(m.Data)
}

func (c *natsConn) Trip(context.Context) error {
	_, err := c.nc.Request(c.subjects[0], c.bodies[0], 10*time.Second)
	return err
}

func (c *natsConn) Close(context.Context) error { return c.nc.FlushTimeout(time.Minute) }
