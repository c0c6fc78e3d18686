package sockettest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// A pairing is one behaviour under test.
type pairing struct {
	testing.TB
	f        *Factory
	patience time.Duration
}

// An end is a socket under test, with methods that end the test when they fail.
type end struct {
	Socket
	p      *pairing
	who    string
	steady bool // its side has one attempt
	closed bool
}

// local makes a socket of the side the behaviour is about.
func (p *pairing) local(role string, o ...Options) *end {
	p.Helper()
	return p.end(p.f.Local, "local", role, o)
}

// remote makes a counterpart.
func (p *pairing) remote(role string, o ...Options) *end {
	p.Helper()
	return p.end(p.f.Remote, "remote", role, o)
}

func (p *pairing) end(s Side, which, role string, o []Options) *end {
	p.Helper()
	var opts Options
	if len(o) > 0 {
		opts = o[0]
	}
	e := &end{p: p, who: fmt.Sprintf("%s %s (%s)", which, role, s.Name), steady: s.Attempts <= 1}
	e.Socket = s.New(p, role, opts)
	p.Cleanup(func() {
		if !e.closed {
			e.close()
		}
	})
	return e
}

// moment is how long something that should not happen is given to happen all the same. Where it does happen the test
// may miss it on a slow machine; it never fails without cause.
const moment = 40 * time.Millisecond

// soon is for what should happen.
func (p *pairing) soon() context.Context {
	ctx, cancel := context.WithTimeout(p.Context(), p.patience)
	p.Cleanup(cancel)
	return ctx
}

func (p *pairing) endpoint() string {
	p.Helper()
	return p.f.Endpoint(p)
}

// link binds one end, connects the other and waits until both have a peer.
func (p *pairing) link(binds, connects *end) string {
	p.Helper()
	at := binds.bind()
	connects.connect(at)
	binds.peers(1)
	connects.peers(1)
	return at
}

// eachBind runs a test with the local side bound and once more with it connecting.
func (p *pairing) eachBind(localRole, remoteRole string, test func(local, remote *end)) {
	p.Helper()
	for _, localBinds := range []bool{true, false} {
		local, remote := p.local(localRole), p.remote(remoteRole)
		if localBinds {
			p.link(local, remote)
		} else {
			p.link(remote, local)
		}
		test(local, remote)
		local.close()
		remote.close()
	}
}

// freed returns an endpoint that was bound a moment ago and is not any more, to connect to before it is bound.
func (p *pairing) freed(side Side, role string) string {
	p.Helper()
	e := p.end(side, "first", role, nil)
	at := e.bind()
	e.close()
	if p.f.Dial != nil { // some close behind the scenes
		p.until("nobody listens at "+at, func() bool {
			conn, err := p.f.Dial(p.soon(), at)
			if err == nil {
				conn.Close()
			}
			return err != nil
		})
	}
	return at
}

func (e *end) must(err error, doing string) {
	e.p.Helper()
	if err != nil {
		e.p.Fatalf("%s: %s: %v", e.who, doing, err)
	}
}

func (e *end) bind() string {
	e.p.Helper()
	return e.bindAt(e.p.endpoint())
}

func (e *end) bindAt(endpoint string) string {
	e.p.Helper()
	at, err := e.Bind(e.p.soon(), endpoint)
	e.must(err, "bind "+endpoint)
	return at
}

// rebind binds to an endpoint that another socket has just left; the last of its connections may still hold it.
func (e *end) rebind(endpoint string) {
	e.p.Helper()
	var err error
	e.p.until(e.who+" binds to "+endpoint+" again", func() bool {
		_, err = e.Bind(e.p.soon(), endpoint)
		return err == nil
	})
}

func (e *end) connect(endpoint string) {
	e.p.Helper()
	e.must(e.Connect(endpoint), "connect "+endpoint)
}

// peers waits until there are exactly n.
func (e *end) peers(n int) {
	e.p.Helper()
	e.must(e.WaitPeers(e.p.soon(), n), fmt.Sprintf("wait until there are %d peers", n))
}

// try sends a message if that goes within d.
func (e *end) try(d time.Duration, frames ...string) error {
	ctx, cancel := context.WithTimeout(e.p.Context(), d)
	defer cancel()
	return e.Send(ctx, asBytes(frames))
}

// take receives a message if one comes within d.
func (e *end) take(d time.Duration) ([]string, error) {
	ctx, cancel := context.WithTimeout(e.p.Context(), d)
	defer cancel()
	m, err := e.Recv(ctx)
	return asStrings(m), err
}

func (e *end) send(frames ...string) {
	e.p.Helper()
	if err := e.try(e.p.patience, frames...); err != nil {
		e.p.Fatalf("%s: send %s: %v", e.who, show(frames), err)
	}
}

func (e *end) recv() []string {
	e.p.Helper()
	m, err := e.take(e.p.patience)
	e.must(err, "receive")
	return m
}

// expect receives one message and compares it.
func (e *end) expect(frames ...string) {
	e.p.Helper()
	if got := e.recv(); !slices.Equal(got, frames) {
		e.p.Fatalf("%s: received %s, want %s", e.who, show(got), show(frames))
	}
}

// nothing checks that nothing is there to receive.
func (e *end) nothing() {
	e.p.Helper()
	if m, err := e.take(moment); err == nil {
		e.p.Fatalf("%s: received %s, want nothing", e.who, show(m))
	}
}

// takes reports whether Send takes a message within moments. One alone may pass on a busy machine before Send has
// looked.
func (e *end) takes(frames ...string) bool {
	for range 2 {
		if e.try(moment, frames...) == nil {
			return true
		}
	}
	return false
}

// full checks that Send does not take a message now.
func (e *end) full(frames ...string) {
	e.p.Helper()
	if err := e.try(moment, frames...); err == nil {
		e.p.Fatalf("%s: a message was taken, want Send to wait", e.who)
	}
}

func (e *end) subscribe(topics ...string) {
	e.p.Helper()
	for _, t := range topics {
		e.must(e.Subscribe(t), fmt.Sprintf("subscribe %.40q", t))
	}
}

func (e *end) unsubscribe(topics ...string) {
	e.p.Helper()
	for _, t := range topics {
		e.must(e.Unsubscribe(t), fmt.Sprintf("unsubscribe %.40q", t))
	}
}

// close closes the socket and looks at its ledger before and after.
func (e *end) close() {
	e.p.Helper()
	e.balanced()
	e.closed = true
	if err := e.Close(); err != nil {
		e.blame("%s: close: %v", e.who, err)
	}
	e.balanced()
}

// kill ends the process of a socket that was made [Options.Killable].
func (e *end) kill() {
	e.closed = true
	e.Socket.(Killer).Kill()
}

// blame reports what is wrong with this socket whatever the other side did. The unsteadiness of the other side is
// then no excuse, and neither is it part of a failure that is expected.
func (e *end) blame(format string, args ...any) {
	e.p.Helper()
	if a, ok := e.p.TB.(*trial); ok && e.steady {
		a.outright(format, args...)
		return
	}
	e.p.Errorf(format, args...)
}

// balanced checks the ledger, if there is one.
func (e *end) balanced() {
	e.p.Helper()
	if s, ok := e.Socket.(Ledgered); ok {
		if err := s.Stats().Check(); err != nil {
			e.blame("%s: %v", e.who, err)
		}
	}
}

// until looks again and again for something that there is nothing to wait on.
func (p *pairing) until(what string, holds func() bool) {
	p.Helper()
	ctx := p.soon()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			p.Fatalf("not within %v: %s", p.patience, what)
		}
	}
}

// abreast runs functions side by side and returns when all have.
func (p *pairing) abreast(fs ...func()) {
	done := make(chan struct{}, len(fs))
	for _, f := range fs {
		go func() {
			defer func() { done <- struct{}{} }() // also when f ends by FailNow
			f()
		}()
	}
	for range fs {
		<-done
	}
	if p.Failed() {
		p.FailNow()
	}
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

// show quotes frames, each cut after 40 bytes.
func show(frames []string) string {
	var b strings.Builder
	b.WriteByte('[')
	for i, f := range frames {
		if i > 0 {
			b.WriteByte(' ')
		}
		if len(f) > 40 {
			fmt.Fprintf(&b, "%.40q…(%d bytes)", f, len(f))
		} else {
			fmt.Fprintf(&b, "%q", f)
		}
	}
	b.WriteByte(']')
	return b.String()
}
