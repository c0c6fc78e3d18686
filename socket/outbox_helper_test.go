package socket

import (
	"bytes"
	"context"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// newOutbox returns a way out without a socket. At the end of the test it is closed and must balance.
func newOutbox(t *testing.T, b outBehaviour, opts ...func(*config)) *outbox {
	cfg := defaults()
	for _, o := range opts {
		o(&cfg)
	}
	o := &outbox{outBehaviour: b, env: outEnv{
		cfg:      &cfg,
		events:   new(eventLog),
		writers:  new(sync.WaitGroup),
		born:     time.Now(),
		admit:    func(*link) {},
		schedule: func(*link, time.Duration) {},
	}}
	t.Cleanup(func() {
		links := slices.Clone(o.links)
		o.close()
		for _, l := range links {
			_ = l.conn.Close()
			l.endOut(ErrClosed)
		}
		o.env.writers.Wait()
		o.check(t, "at the end")
		if o.counts.queued != (Count{}) {
			t.Errorf("%v is queued at the end", o.counts.queued)
		}
	})
	return o
}

// check looks whether the ledger balances.
func (o *outbox) check(t *testing.T, when string) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	queued := o.unassigned.queued
	for _, c := range []*outCounts{&o.counts, &o.unassigned} {
		if !c.accepted.isSum(c.dropped, c.delivered, c.queued, c.unacked, c.requeued) {
			t.Errorf("%s: %+v does not balance", when, *c)
		}
	}
	for _, l := range o.links {
		queued = queued.plus(l.out.counts.queued)
	}
	if queued != o.counts.queued {
		t.Errorf("%s: %v is queued, and %v with its links", when, o.counts.queued, queued)
	}
}

// A valve is a connection whose writes wait until it is opened.
type valve struct {
	net.Conn
	let  chan struct{} // lets one write through for each value, all once it is closed
	once sync.Once
	wire bytes.Buffer
	take int   // how much of a write goes through before
	fail error // this error, if there is one
}

func (v *valve) Write(b []byte) (int, error) {
	<-v.let
	if v.fail == nil {
		return v.wire.Write(b)
	}
	n, _ := v.wire.Write(b[:min(v.take, len(b))])
	return n, v.fail
}

func (v *valve) open()                            { v.once.Do(func() { close(v.let) }) }
func (v *valve) Close() error                     { v.open(); return nil }
func (v *valve) SetWriteDeadline(time.Time) error { return nil }
func (v *valve) SetReadDeadline(time.Time) error  { return nil }

// bodies are the messages, each of one frame, that were written whole.
func (v *valve) bodies() (bodies []string) {
	b := v.wire.Bytes()
	for len(b) > 0 {
		h, n, err := zmtp.ParseHeader(b)
		if err != nil || uint64(len(b)-n) < h.Size {
			break
		}
		bodies = append(bodies, string(b[n:n+int(h.Size)]))
		b = b[n+int(h.Size):]
	}
	return bodies
}

// join adds a link whose peer takes nothing until its valve is opened.
func (o *outbox) join() (*link, *valve) {
	v := &valve{let: make(chan struct{})}
	l := &link{ep: &endpointState{name: "test"}, peer: &Peer{}, conn: v, gone: make(chan struct{})}
	l.carrier = &wire{l}
	l.initOut(o)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.add(l)
	return l, v
}

// try sends a message of one frame by each way, without waiting.
func (o *outbox) try(w way, l *link, body string) error {
	ctx, m := context.Background(), Text(body)
	switch w {
	case balanced:
		return o.balance(ctx, false, m)
	case published:
		return o.fanOut(ctx, false, m, false, func() []*link { return o.links }, nil)
	case routed:
		return o.route(ctx, false, func() *link { return l }, m, Block)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.give(l, m)
	return nil
}

func mark10(c *config) { c.sendMark = mark{messages: 10} }

func (p Overflow) option() func(*config) { return func(c *config) { c.overflow = p } }
