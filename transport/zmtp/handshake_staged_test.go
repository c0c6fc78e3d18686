package zmtp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
)

// TestHandshakeInParts: each part of the greeting goes when the peer has shown as much of its own, and what is left of
// it together with READY.
func TestHandshakeInParts(t *testing.T) {
	m, _ := Config{SocketType: Router}.metadata()
	ready := AppendReady(nil, m)
	whole := AppendGreeting(nil, Greeting{})
	for _, tt := range []struct {
		name  string
		parts []int // how much of its greeting the peer has sent after each step
		ours  []int // and how much it has of ours then
	}{
		{"all at once", []int{64}, []int{64 + len(ready)}},
		{"as libzmq", []int{10, 11, 64}, []int{11, 64, 64 + len(ready)}},
		{"signature and version", []int{11, 64}, []int{64, 64 + len(ready)}},
		{"in the middle", []int{9, 10, 12, 63, 64}, []int{10, 11, 64, 64, 64 + len(ready)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ours, peer := net.Pipe()
				defer peer.Close()
				done := shake(ours, Config{SocketType: Router, Staged: true})
				var got []byte
				go func() {
					piece := make([]byte, 100)
					for {
						n, err := peer.Read(piece)
						if err != nil {
							return
						}
						got = append(got, piece[:n]...)
					}
				}()
				synctest.Wait()
				wantBytes(t, got, whole[:10])
				from := 0
				for i, to := range tt.parts {
					if _, err := peer.Write(greetingNull[from:to]); err != nil {
						t.Fatal(err)
					}
					from = to
					synctest.Wait()
					wantBytes(t, got, join(whole, ready)[:tt.ours[i]])
				}
				if _, err := peer.Write(readyDealer); err != nil {
					t.Fatal(err)
				}
				if r := <-done; r.err != nil || r.s.PeerType != Dealer {
					t.Errorf("got %+v, %v", r.s, r.err)
				}
			})
		})
	}
}

// TestHandshakeInPartsOnBothSides: neither waits for the other, whichever sends in parts.
func TestHandshakeInPartsOnBothSides(t *testing.T) {
	for _, staged := range [][2]bool{{true, true}, {true, false}, {false, true}} {
		t.Run(fmt.Sprint(staged), func(t *testing.T) {
			ra, rb := both(t, Config{SocketType: Push, Staged: staged[0]}, Config{SocketType: Pull, Staged: staged[1]})
			wantError(t, ra.err, nil)
			wantError(t, rb.err, nil)
			ra, rb = both(t, Config{SocketType: Push, Staged: staged[0]}, Config{SocketType: Pub, Staged: staged[1]})
			wantError(t, ra.err, ErrSocketType)
			wantError(t, rb.err, ErrSocketType)
		})
	}
}

// TestHandshakeInPartsTellsOurMechanism: a peer that wants another mechanism gets all of our greeting, and so learns
// why.
func TestHandshakeInPartsTellsOurMechanism(t *testing.T) {
	c := &script{in: pieces{bytes.NewReader(AppendGreeting(nil, Greeting{Mechanism: "CURVE"})), 64}}
	_, err := Handshake(t.Context(), c, Config{SocketType: Router, Staged: true})
	wantError(t, err, ErrMechanism, "CURVE")
	wantBytes(t, c.out, AppendGreeting(nil, Greeting{}))
}

// TestHandshakeWithAnOldPeer plays a peer of ZMTP 2.0, as libzmq 3 and JeroMQ 0.3 are: it sends its version when it has
// seen a signature, and hangs up on more than the twelve bytes that its own greeting has.
func TestHandshakeWithAnOldPeer(t *testing.T) {
	for _, tt := range []struct {
		name   string
		staged bool
		err    error
		words  []string
	}{
		{
			"at once", false, io.ErrUnexpectedEOF,
			[]string{"10 bytes", "ZMTP 2.0", "JeroMQ before 0.4.1", "another security mechanism"},
		},
		{"in parts", true, ErrVersion, []string{"the peer speaks ZMTP 2.0 (libzmq before 4.0, JeroMQ before 0.4.1)"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ours, peer := net.Pipe()
			defer peer.Close()
			done := shake(ours, Config{SocketType: Pull, Staged: tt.staged})
			go func() {
				defer peer.Close()
				got := make([]byte, 64)
				if n, err := io.ReadAtLeast(peer, got, 10); err != nil || n > 12 {
					_, _ = peer.Write(wire("FF 00 00 00 00 00 00 00 01 7F"))
					return
				}
				_, _ = peer.Write(wire("FF 00 00 00 00 00 00 00 01 7F 01 08"))
			}()
			r := <-done
			wantError(t, r.err, tt.err, tt.words...)
		})
	}
}

// deaf is a connection whose reads fail.
type deaf struct{ err error }

func (f deaf) Read([]byte) (int, error)    { return 0, f.err }
func (f deaf) Write(b []byte) (int, error) { return len(b), nil }

// TestHandshakeWithASilentPeer: the end of a connection on which nothing came is told from one in the middle of a
// greeting, and from our own Close.
func TestHandshakeWithASilentPeer(t *testing.T) {
	for _, tt := range []struct {
		name   string
		conn   io.ReadWriter
		silent bool
	}{
		{"end", deaf{io.EOF}, true},
		{"reset", deaf{&net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}}, true},
		{"one byte", &script{in: bytes.NewReader(greetingNull[:1])}, false},
		{"a greeting", &script{in: bytes.NewReader(greetingNull)}, false},
		{"closed by us", deaf{&net.OpError{Op: "read", Err: net.ErrClosed}}, false},
		{"pipe closed by us", deaf{io.ErrClosedPipe}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := Handshake(t.Context(), tt.conn, Config{SocketType: Pull}); err == nil ||
				errors.Is(err, ErrSilent) != tt.silent {
				t.Errorf("error %v; want one that is %v: %t", err, ErrSilent, tt.silent)
			}
		})
	}
}
