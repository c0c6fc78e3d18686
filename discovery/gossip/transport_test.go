package gossip

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"
)

func newTransport(t *testing.T) *transport {
	t.Helper()
	tr, err := listen("127.0.0.1:0", netip.AddrPort{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tr.Shutdown() })
	return tr
}

// zeros is a connection that never ends.
type zeros struct{ net.Conn }

func (zeros) Read(b []byte) (int, error) { return len(b), nil }
func (zeros) Close() error               { return nil }

func (zeros) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

func TestStreamsEnd(t *testing.T) {
	tr := newTransport(t)
	buf := make([]byte, 1<<20)
	for i := range maxStreaming / maxStream * 2 { // what is closed makes room for more
		s := tr.track(zeros{}, true)
		n, err := 0, error(nil)
		for err == nil {
			var m int
			m, err = s.Read(buf)
			n += m
		}
		if !errors.Is(err, io.ErrUnexpectedEOF) || n > maxStream {
			t.Fatalf("stream %d: %d bytes, then %v", i, n, err)
		}
		s.Close()
	}
	own := tr.track(zeros{}, false) // what we asked for is bounded by memberlist
	for range 2 * maxStream / len(buf) {
		if _, err := own.Read(buf); err != nil {
			t.Fatalf("own stream: %v", err)
		}
	}
	if tr.streaming != 0 {
		t.Errorf("%d bytes are counted when no stream is left", tr.streaming)
	}
}

// Nothing that comes from others is looked up as a name.
func TestOnlyNumbersAreDialled(t *testing.T) {
	tr := newTransport(t)
	for _, addr := range []string{"localhost:1", "?010203:7946", "", "127.0.0.1"} {
		if _, err := tr.WriteTo([]byte("x"), addr); err == nil {
			t.Errorf("WriteTo %q works", addr)
		}
		if c, err := tr.DialTimeout(addr, time.Second); err == nil {
			c.Close()
			t.Errorf("DialTimeout %q works", addr)
		}
	}
}

// What is under way ends with the transport.
func TestShutdownEndsAll(t *testing.T) {
	tr, other := newTransport(t), newTransport(t)
	c, err := tr.DialTimeout(other.bound.String(), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	in := <-other.StreamCh()
	done := make(chan error, 2)
	for _, s := range []net.Conn{c, in} {
		go func() {
			_, err := s.Read(make([]byte, 1))
			done <- err
		}()
	}
	_ = tr.Shutdown()
	_ = other.Shutdown()
	for range 2 {
		if err := <-done; err == nil {
			t.Error("Read returned something")
		}
	}
	if _, err := tr.DialTimeout(other.bound.String(), time.Second); err == nil {
		t.Error("dials after Shutdown")
	}
}

func TestPackets(t *testing.T) {
	a, b := newTransport(t), newTransport(t)
	if _, err := a.WriteToAddress([]byte("hello"), memberlist.Address{Addr: b.public.String()}); err != nil {
		t.Fatal(err)
	}
	p := <-b.PacketCh()
	if string(p.Buf) != "hello" || p.From.String() != a.bound.String() || p.Timestamp.IsZero() {
		t.Errorf("got %+v", p)
	}
}
