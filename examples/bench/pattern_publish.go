package main

import (
	"context"
	"errors"
	"time"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/pubsub"
	"github.com/yodel-mq/yodel/socket"
)

const (
	eventSubject = "bench.event"
	eventPattern = "bench.*"
	burstSize    = 256 // below the high-water mark, so that nobody waits for room in a burst
	burstPause   = 5 * time.Millisecond
)

var errNoUse = errors.New("bench: events are published and taken, and nothing else")

// A pubSubConn is a typed publisher or subscriber, which wait for each other as those of sockets do here.
type pubSubConn struct {
	pub    *pubsub.Publisher[[]byte]
	sub    *pubsub.Subscriber[[]byte]
	at     string
	bodies [][]byte
}

func openPubSub(ctx context.Context, role string, j job) (c conn, err error) {
	p := &pubSubConn{}
	p.bodies, _, _ = j.bodies()
	if role == "pub" {
		p.pub = pubsub.NewPublisher[[]byte](pubsub.WithCodec(patterns.Bytes()),
			pubsub.WithXPub(socket.WithSendHWM(j.HWM), socket.WithOverflow(socket.Block)))
		p.at, err = p.pub.Bind(ctx, j.Endpoint)
		return p, err
	}
	p.sub = pubsub.NewSubscriber[[]byte](pubsub.WithCodec(patterns.Bytes()), pubsub.WithXSub(socket.WithRecvHWM(j.HWM)))
	return p, p.sub.Connect(j.Endpoint)
}

func (p *pubSubConn) Endpoint() string { return p.at }

// Subscribe subscribes by wildcard, whatever the topic.
func (p *pubSubConn) Subscribe(string) error { return p.sub.Subscribe(eventPattern) }

func (p *pubSubConn) Send(ctx context.Context, i int) error {
	return p.pub.Publish(ctx, eventSubject, p.bodies[i])
}

func (p *pubSubConn) Each(ctx context.Context, got func(size int) (more bool, err error)) error {
	for e, err := range p.sub.Events(ctx) {
		if err != nil {
			return err
		}
		if more, err := got(len(e.Value)); err != nil || !more {
			return err
		}
	}
	return socket.ErrClosed
}

func (p *pubSubConn) Recv(context.Context) (int, error) { return 0, errNoUse }

func (p *pubSubConn) Echo(context.Context) error { return errNoUse }

func (p *pubSubConn) Trip(context.Context) error { return errNoUse }

func (p *pubSubConn) Close(ctx context.Context) error { return p.pub.Shutdown(ctx) }

// burst publishes as pub does, but with a pause behind each burst, so that what is measured is how long it takes to
// hand over a message, and not how long subscribers take to receive it: the median over the bursts of their means.
func burst(ctx context.Context, c *console, open opener, j job) error {
	s, err := open(ctx, "pub", j)
	if err != nil {
		return err
	}
	if err := c.say("ready", s.Endpoint()); err != nil {
		return err
	}
	_, probe, end := j.bodies()
	if err := repeat(ctx, c, s, probe, 5*time.Millisecond); err != nil {
		return err
	}
	begin := spent()
	var each []float64
	for left := j.Warm + j.Count; left > 0; left -= burstSize {
		n := min(left, burstSize)
		at := time.Now()
		for range n {
			if err := s.Send(ctx, 0); err != nil {
				return err
			}
		}
		each = append(each, float64(time.Since(at))/float64(n))
		time.Sleep(burstPause)
	}
	r := begin.since(j.Warm + j.Count)
	r.Values = map[string]float64{callTime: median(each)}
	if err := c.result(r); err != nil {
		return err
	}
	return repeat(ctx, c, s, end, 10*time.Millisecond)
}
