package socket

import (
	"context"
	"net"
	"reflect"
	"sync/atomic"
	"testing"
)

// lateListener accepts connections of which each Read, or each Write, once that is late, returns only when released is
// closed, as if the machine were too busy to run the goroutine that waits for it. Close does not end them.
type lateListener struct {
	net.Listener
	reads, writes atomic.Bool
	fails         bool          // a late Write
	held          chan struct{} // gets a value when one is held
	released      chan struct{}
}

func (l *lateListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return lateConn{conn, l}, err
}

func (l *lateListener) hold() {
	select {
	case l.held <- struct{}{}:
	default:
	}
	<-l.released
}

type lateConn struct {
	net.Conn
	of *lateListener
}

func (c lateConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.of.reads.Load() {
		c.of.hold()
	}
	return n, err
}

func (c lateConn) Write(b []byte) (int, error) {
	if !c.of.writes.Load() {
		return c.Conn.Write(b)
	}
	c.of.hold()
	if c.of.fails {
		return 0, net.ErrClosed
	}
	return len(b), nil
}

// A lateEnd is what of a connection is late when its socket closes.
type lateEnd struct {
	reads, writes, fails bool
	dropped              uint64 // what then is
}

// TestLedgerIsFinalAfterClose: also that of connections whose goroutines do not end within the second that Close has.
// Their peers are gone, and told to be, what they had queued is dropped, and what happens to them later changes
// nothing.
func TestLedgerIsFinalAfterClose(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]lateEnd{
		"a read that brings a message":     {reads: true},
		"a write that fails in the end":    {writes: true, fails: true, dropped: 3},
		"a write that succeeds in the end": {writes: true, dropped: 3},
		"both":                             {reads: true, writes: true, dropped: 3},
	} {
		t.Run(name+"/Close", func(t *testing.T) {
			t.Parallel()
			c.test(t, func(d *Dealer) { _ = d.Close() })
		})
		t.Run(name+"/Shutdown", func(t *testing.T) {
			t.Parallel()
			c.test(t, func(d *Dealer) { _ = d.Shutdown(ended) })
		})
		t.Run(name+"/reliable", func(t *testing.T) {
			t.Parallel()
			c.test(t, func(d *Dealer) { _ = d.Close() }, WithReliable())
		})
	}
}

func (c lateEnd) test(t *testing.T, end func(d *Dealer), options ...DealerOption) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln := &lateListener{Listener: inner, fails: c.fails, held: make(chan struct{}, 10), released: make(chan struct{})}
	silent := WithHeartbeat(0, 0, 0)
	d, peer := NewDealer(append(options, silent)...), NewDealer(silent)
	defer peer.Close()
	at, err := d.BindListener(ln)
	if err != nil {
		t.Fatal(err)
	}
	if err := peer.Connect(at); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*Dealer{d, peer} {
		if err := s.WaitPeers(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
	}
	ln.reads.Store(c.reads)
	ln.writes.Store(c.writes)
	if c.reads {
		if err := peer.Send(t.Context(), Text("x")); err != nil {
			t.Fatal(err)
		}
		<-ln.held
	}
	for range c.dropped {
		if err := d.Send(t.Context(), Text("12345")); err != nil {
			t.Fatal(err)
		}
	}
	if c.writes {
		<-ln.held
	}
	end(d)

	final := d.Stats()
	want := Ledger{Dropped: map[Reason]Count{}, Discarded: map[Reason]Count{}}
	if c.dropped > 0 {
		n := Count{c.dropped, 5 * c.dropped}
		want.Accepted, want.Dropped[SocketClosed] = n, n
	}
	if got := final.String(); got != (Stats{Ledger: want}).String() || len(final.Peers) > 0 {
		t.Errorf("after the end: %s", got)
	}
	downs := 0
	for e := range d.Events(t.Context()) {
		if e.Kind == PeerDown && e.Peer != nil {
			downs++
		}
	}
	if downs != 1 {
		t.Errorf("%d events tell that the peer is gone", downs)
	}
	close(ln.released)
	d.wg.Wait()
	if later := d.Stats(); !reflect.DeepEqual(final, later) {
		t.Errorf("it was %s\nlater it is %s", final, later)
	}
}
