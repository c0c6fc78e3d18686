package mtls

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/transport"
	"github.com/yodel-mq/yodel/transport/simnet"
)

// noise is n bytes that differ from each other.
func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

// TestSizes: what is written is read, whatever it is cut into, both ways at once.
func TestSizes(t *testing.T) {
	s, c := pair(t)
	const r = recordMost
	for _, size := range []int{0, 1, 100, r - 1, r, r + 1, 8*r + 1, 1 << 20, 16 << 20} {
		want := noise(size)
		runs := [][]byte{want[:size/3], nil, want[size/3 : size/3+size/7], want[size/3+size/7:]}
		done := make(chan error, 1)
		go func() {
			_, err := c.WriteBuffers(runs)
			if err == nil {
				_, err = c.Write(want)
			}
			done <- err
		}()
		got := make([]byte, size)
		for range 2 {
			if _, err := io.ReadFull(s, got); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%d bytes: %v", size, err)
			}
		}
		must(t, <-done)
	}
}

// counting counts the writes of a connection that can do nothing but what each net.Conn can.
type counting struct {
	net.Conn
	writes atomic.Int64
}

func (c *counting) Write(b []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(b)
}

// TestFewWrites: segments share records and records share writes.
func TestFewWrites(t *testing.T) {
	l := listen(t, binding(), "127.0.0.1:0")
	raw, err := transport.NewTCP().Dial(within(t), l.Address())
	must(t, err)
	under := &counting{Conn: raw}
	c := newConn(&connecting().settings, under, "tls://test")
	defer c.Close()
	s, err := l.Accept()
	must(t, err)
	defer s.Close()
	atServer, atClient := shake(t, s, c)
	must(t, atServer)
	must(t, atClient)
	go func() { _, _ = io.Copy(io.Discard, s) }()
	for _, tt := range []struct {
		name           string
		segments, size int
		writes         int64
	}{
		{"a thousand small ones", 1000, 10, 1},
		{"one of a record", 1, recordMost, 1},
		{"of a batch", 1, batchRecords * recordMost, 1},
		{"of many", 64, 32 << 10, 2 << 20 / (batchRecords * recordMost)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := make([][]byte, tt.segments)
			for i := range v {
				v[i] = noise(tt.size)
			}
			before := under.writes.Load()
			n, err := c.WriteBuffers(v)
			if got := under.writes.Load() - before; err != nil || n != int64(tt.segments*tt.size) || got != tt.writes {
				t.Errorf("%d bytes in %d writes, %v; want %d", n, got, err, tt.writes)
			}
		})
	}
}

// TestTryWrite: an attempt takes what there is room for; what it did not take is written by whoever goes on with it,
// and arrives once.
func TestTryWrite(t *testing.T) {
	s, c := pair(t)
	want := noise(32 << 20)
	rest := want
	for {
		n, err := c.TryWrite(rest[:min(len(rest), 100_000)])
		must(t, err)
		rest = rest[n:]
		if n < 100_000 {
			break
		}
	}
	if len(rest) == 0 {
		t.Fatal("it took everything")
	}
	go func() { _, _ = c.Write(rest) }()
	got := make([]byte, len(want))
	must(t, s.SetReadDeadline(time.Now().Add(patience)))
	if _, err := io.ReadFull(s, got); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("what arrived differs: %v", err)
	}
}

// TestWriteDeadline: a write that is ended by its deadline says exactly what reaches the peer if nothing follows, and
// what follows goes on where it ended.
func TestWriteDeadline(t *testing.T) {
	want := noise(32 << 20)
	begin := func(t *testing.T) (s, c *conn, n int) {
		s, c = pair(t)
		var err error
		for d := 50 * time.Millisecond; n == 0; d *= 2 { // a busy machine may not come to write within the first
			must(t, c.SetWriteDeadline(time.Now().Add(d)))
			n, err = c.Write(want)
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) || n == 0 || n == len(want) {
			t.Fatalf("wrote %d: %v", n, err)
		}
		return s, c, n
	}
	t.Run("nothing follows", func(t *testing.T) {
		s, c, n := begin(t)
		must(t, c.CloseWrite())
		got, err := io.ReadAll(s)
		if !errors.Is(err, ErrCut) || !bytes.Equal(got, want[:n]) {
			t.Errorf("read %d of %d: %v", len(got), n, err)
		}
	})
	t.Run("the rest follows", func(t *testing.T) {
		s, c, n := begin(t)
		must(t, c.SetWriteDeadline(time.Time{}))
		go func() {
			_, _ = c.Write(want[n:])
			_ = c.CloseWrite()
		}()
		got, err := io.ReadAll(s)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("read %d of %d: %v", len(got), len(want), err)
		}
	})
}

// TestCancelRead: a read is ended again and again while bytes arrive in pieces, and none is lost.
func TestCancelRead(t *testing.T) {
	s, c := pair(t)
	want := noise(4 << 20)
	go func() {
		for rest := want; len(rest) > 0; {
			n, _ := c.Write(rest[:min(len(rest), 40_000)])
			rest = rest[n:]
		}
		_ = c.CloseWrite()
	}()
	stop := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-stop:
				return
			default:
				_ = s.CancelRead()
			}
		}
	}()
	var got []byte
	b := make([]byte, 50_000)
	for {
		n, err := s.Read(b)
		got = append(got, b[:n]...)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			must(t, s.SetReadDeadline(time.Time{}))
			continue
		}
		if err != nil {
			if err != io.EOF {
				t.Error(err)
			}
			break
		}
	}
	close(stop)
	<-ended
	if !bytes.Equal(got, want) {
		t.Errorf("got %d bytes of %d", len(got), len(want))
	}
}

// TestEnds: the end of a stream is told from a cut.
func TestEnds(t *testing.T) {
	t.Run("half-closed", func(t *testing.T) {
		s, c := pair(t)
		_, err := c.Write([]byte("question"))
		must(t, err)
		must(t, c.CloseWrite())
		must(t, c.CloseWrite())
		if n, err := c.Write([]byte("more")); n != 0 || !errors.Is(err, net.ErrClosed) {
			t.Errorf("wrote %d, %v", n, err)
		}
		if b, err := io.ReadAll(s); err != nil || string(b) != "question" {
			t.Fatalf("got %q, %v", b, err)
		}
		_, err = s.Write([]byte("answer"))
		must(t, err)
		must(t, s.Close())
		if b, err := io.ReadAll(c); err != nil || string(b) != "answer" {
			t.Fatalf("got %q, %v", b, err)
		}
	})
	t.Run("closed", func(t *testing.T) {
		s, c := pair(t)
		must(t, c.Close())
		if b, err := io.ReadAll(s); err != nil || len(b) > 0 {
			t.Errorf("got %q, %v", b, err)
		}
	})
	t.Run("cut", func(t *testing.T) {
		s, c := pair(t)
		_, err := c.Write([]byte("whole"))
		must(t, err)
		must(t, c.raw.Close())
		if b, err := io.ReadAll(s); !errors.Is(err, ErrCut) || string(b) != "whole" {
			t.Errorf("got %q, %v", b, err)
		}
	})
	t.Run("cut in the middle of a record", func(t *testing.T) {
		s, c := pair(t)
		_, err := c.raw.Write([]byte{23, 3, 3, 1, 0, 7})
		must(t, err)
		must(t, c.raw.Close())
		if b, err := io.ReadAll(s); !errors.Is(err, ErrCut) || len(b) > 0 {
			t.Errorf("got %q, %v", b, err)
		}
	})
	t.Run("not what the peer has written", func(t *testing.T) {
		s, c := pair(t)
		_, err := c.raw.Write(append([]byte{23, 3, 3, 0, 40}, make([]byte, 40)...))
		must(t, err)
		if b, err := io.ReadAll(s); err == nil || len(b) > 0 {
			t.Errorf("got %q, %v", b, err)
		}
		must(t, c.SetReadDeadline(time.Now().Add(patience)))
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, ErrRefused) {
			t.Errorf("the peer is told %v", err)
		}
	})
}

// TestEndWithoutRoom: to end a stream waits for nobody, and where the network has no room for its end that comes as
// soon as it has.
func TestEndWithoutRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const window = 8 << 10
		id := newIdentity(t, "both") // valid in the bubble's time
		s, c := pairOver(t, "srv:0", WithUnderlying(simnet.New(simnet.Config{Window: window})), WithCertificate(id.cert),
			WithPins(id.key))
		want := noise(window - recordExtra - alertSize/2)
		_, err := s.Write(want)
		must(t, err)
		begin := time.Now()
		must(t, s.CloseWrite())
		if took := time.Since(begin); took > 0 {
			t.Errorf("it took %v", took)
		}
		time.Sleep(time.Second)
		if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, want) {
			t.Errorf("read %d of %d: %v", len(got), len(want), err)
		}
		s.Close()
		c.Close()
	})
}

// TestInspect: the end of the stream counts as one byte, as it does without TLS.
func TestInspect(t *testing.T) {
	s, c := pair(t)
	if _, known := c.Inspect(); !known {
		return // not on this system
	}
	_, err := s.Write([]byte{1}) // acknowledges the handshake
	must(t, err)
	_, err = c.Read(make([]byte, 1))
	must(t, err)
	must(t, c.CloseWrite())
	if state, _ := c.Inspect(); state.Unacknowledged > 1 {
		t.Errorf("%d bytes are not acknowledged", state.Unacknowledged)
	}
	if _, err := s.Read(make([]byte, 1)); err != io.EOF {
		t.Error(err)
	}
	if ended, reset := s.Ended(); !ended || reset {
		t.Errorf("ended %v, reset %v", ended, reset)
	}
	if open, known := s.FarOpen(); known && !open {
		t.Error("the far end is said to be gone")
	}
}

// TestUnasked: what crypto/tls writes by itself is bounded.
func TestUnasked(t *testing.T) {
	var b below
	b.hold()
	var err error
	for n := 0; err == nil && n <= maxUnasked; n += 27 {
		_, err = b.Write(make([]byte, 27))
	}
	if !errors.Is(err, errUnasked) {
		t.Errorf("got %v", err)
	}
	b.prepare()
	if _, err := b.Write(make([]byte, batchSize)); err != nil {
		t.Error(err)
	}
}
