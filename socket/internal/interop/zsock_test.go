//go:build unix

package interop

import (
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket/internal/pyzmq"
)

// A zsock is a libzmq socket in a peer process. Its commands run in the order they are given.
type zsock struct {
	t  *testing.T
	p  *peer
	id int
}

// opts are libzmq options by name without ZMQ_, with values int, string or []byte.
type opts map[string]any

// socket makes a socket of a libzmq type, closed at the end of the test.
func (p *peer) socket(t *testing.T, typ string, o opts) *zsock {
	t.Helper()
	s := &zsock{t, p, pyzmq.NextSocket()}
	s.do("socket", map[string]any{"type": typ, "options": o.encode()})
	t.Cleanup(func() { _, _ = s.start("close", nil).result() }) // fails if it was closed, or the process killed, before
	return s
}

func (o opts) encode() map[string]any {
	m := map[string]any{}
	for k, v := range o {
		if b, ok := v.([]byte); ok {
			v = map[string]any{"b64": b}
		}
		m[k] = v
	}
	return m
}

func (s *zsock) start(op string, args map[string]any) pending {
	return pending{s.p.Send(op, s.id, args)}
}

func (s *zsock) do(op string, args map[string]any) reply {
	s.t.Helper()
	return s.start(op, args).wait(s.t)
}

// bind returns the endpoint with its wildcards filled in.
func (s *zsock) bind(endpoint string) string {
	s.t.Helper()
	return s.do("bind", map[string]any{"endpoint": endpoint}).Endpoint
}

func (s *zsock) connect(endpoint string) {
	s.t.Helper()
	s.do("connect", map[string]any{"endpoint": endpoint})
}

func (s *zsock) set(o opts) {
	s.t.Helper()
	s.do("set", map[string]any{"options": o.encode()})
}

func (s *zsock) subscribe(topics ...string) {
	s.t.Helper()
	s.do("subscribe", map[string]any{"topics": asBytes(topics)})
}

func (s *zsock) unsubscribe(topics ...string) {
	s.t.Helper()
	s.do("unsubscribe", map[string]any{"topics": asBytes(topics)})
}

func (s *zsock) send(frames ...string) {
	s.t.Helper()
	s.do("send", map[string]any{"frames": asBytes(frames)})
}

func (s *zsock) recv() []string {
	s.t.Helper()
	return asStrings(s.do("recv", nil).Frames)
}

// readable reports whether there is something to receive within d.
func (s *zsock) readable(d time.Duration) bool {
	s.t.Helper()
	return s.do("poll", map[string]any{"flag": "POLLIN", "timeout": d.Milliseconds()}).Count > 0
}

// monitor begins to record the socket's events.
func (s *zsock) monitor() {
	s.t.Helper()
	s.do("monitor", nil)
}

// events are the names of what the monitor has seen so far.
func (s *zsock) events() []string {
	s.t.Helper()
	return s.do("events", nil).Events
}

// waitEvent waits until the monitor has seen an event count times.
func (s *zsock) waitEvent(name string, count int) {
	s.t.Helper()
	s.do("waitevent", map[string]any{"name": name, "count": count})
}

// The commands below move many messages and are waited for by the caller.

func (s *zsock) sendMany(sizes sizes, count int) pending {
	return s.start("sendmany", map[string]any{"sizes": sizes, "count": count})
}

func (s *zsock) recvMany(count int) pending {
	return s.start("recvmany", map[string]any{"count": count})
}

func (s *zsock) askMany(sizes sizes, count int) pending {
	return s.start("askmany", map[string]any{"sizes": sizes, "count": count})
}

func (s *zsock) echo(count int) pending {
	return s.start("echo", map[string]any{"count": count})
}

func (s *zsock) echoBody(count int) pending {
	return s.start("echo", map[string]any{"count": count, "mode": "body"})
}

// flood sends messages of one size for d, then "end".
func (s *zsock) flood(d time.Duration, size int) pending {
	return s.start("flood", map[string]any{"ms": d.Milliseconds(), "size": size})
}

func (s *zsock) recvUntil(end string) pending {
	return s.start("recvuntil", map[string]any{"end": []byte(end)})
}

// numbers receives numbered messages up to last; see numbered.
func (s *zsock) numbers(last int) pending {
	return s.start("numbers", map[string]any{"last": last})
}

// slowNumbers is numbers with a millisecond for each of the first messages.
func (s *zsock) slowNumbers(last, slow int) pending {
	return s.start("numbers", map[string]any{"last": last, "slow": slow})
}

func (s *zsock) subscriptions(count int) pending {
	return s.start("subscriptions", map[string]any{"count": count})
}

func asBytes(ss []string) [][]byte {
	bb := make([][]byte, len(ss))
	for i, s := range ss {
		bb[i] = []byte(s)
	}
	return bb
}

func asStrings(bb [][]byte) []string {
	ss := make([]string, len(bb))
	for i, b := range bb {
		ss[i] = string(b)
	}
	return ss
}
