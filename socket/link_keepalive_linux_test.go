package socket_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// A peer on this host that is not known to beat, and whose messages are not read, may have written all of them: it is
// sent nothing, for if it closes before it has read that, its kernel throws away what it has not sent yet.
func TestNothingIsWrittenToAPeerThatMayEnd(t *testing.T) {
	const count, size, room = 3000, 100, 10
	for name, c := range map[string]socket.PullOption{
		"short heartbeats": socket.WithHeartbeat(20*time.Millisecond, 60*time.Millisecond, time.Minute),
		"none":             socket.WithHeartbeat(0, 0, 0),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pull := closing(t, socket.NewPull(c, socket.WithRecvHWM(room)))
			r := rawDial(t, bind(t, pull, "tcp://127.0.0.1:*"))
			sent := [][]byte{greeting(3, 1), readyOf("PUSH")}
			for n := range count {
				sent = append(sent, frameOf(0, string(numbered(n, size).Frames[0])))
			}
			r.send(sent...) // at once, so that there is no pause in which a PING would be due
			r.take(zmtp.GreetingSize)
			r.frame()
			must(t, pull.WaitPeers(within(t), 1))
			must(t, r.SetReadDeadline(time.Now().Add(500*time.Millisecond)))
			if f, err := r.readFrame(); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("the peer was sent %x %q, %v; want nothing", f.flags, f.body, err)
			}
			must(t, r.Close())
			for n := range count {
				if m := recv(t, pull); string(m.Bytes()) != string(numbered(n, size).Bytes()) {
					t.Fatalf("message %d is %q", n, m)
				}
			}
		})
	}
}

// One that has more to write than there is room for is not about to close, and gets a sign of life in case it beats. It
// asks for none in return: the peer may have written everything soon.
func TestPeerThatIsHeldUpGetsSignsOfLife(t *testing.T) {
	pull := closing(t, socket.NewPull(socket.WithRecvHWM(10)))
	r := rawDial(t, bind(t, pull, "tcp://127.0.0.1:*"))
	r.shake("PUSH")
	go func() {
		m := bytes.Repeat(frameOf(0, string(make([]byte, 100))), 500)
		for err := error(nil); err == nil; { // until the connection is closed
			_, err = r.Write(m)
		}
	}()
	must(t, r.SetReadDeadline(time.Now().Add(30*time.Second)))
	for range 3 {
		f, err := r.readFrame()
		must(t, err)
		if f.command() != zmtp.CommandPing {
			t.Fatalf("the peer was sent %x %q, want a PING", f.flags, f.body)
		}
		if ttl, _, err := zmtp.ParsePing(f.body[5:]); err != nil || ttl != 0 {
			t.Errorf("a PING with TTL %v, %v; want none", ttl, err)
		}
	}
}

// A PING that comes from a peer on this host before the last of its messages is answered in the end, and nothing is
// lost if the peer has closed by then.
func TestPongToAPeerThatMayEnd(t *testing.T) {
	const count, size, room = 3000, 100, 10
	for _, closes := range []bool{false, true} {
		t.Run(fmt.Sprintf("closes=%v", closes), func(t *testing.T) {
			pull := closing(t, socket.NewPull(socket.WithHeartbeat(0, 0, 0), socket.WithRecvHWM(room)))
			r := rawDial(t, bind(t, pull, "tcp://127.0.0.1:*"))
			r.shake("PUSH")
			var sent [][]byte
			for n := range count {
				if n == count*2/3 {
					sent = append(sent, zmtp.AppendPing(nil, 0, []byte("context")))
				}
				sent = append(sent, frameOf(0, string(numbered(n, size).Frames[0])))
			}
			r.send(sent...)
			pong := make(chan error, 1)
			if closes {
				must(t, r.Close())
			} else {
				go func() {
					f, err := r.readFrame()
					if err == nil && f.command() != zmtp.CommandPong {
						err = fmt.Errorf("the peer was sent %x %q; want a PONG", f.flags, f.body)
					}
					pong <- err
				}()
			}
			for n := range count {
				if m := recv(t, pull); string(m.Bytes()) != string(numbered(n, size).Bytes()) {
					t.Fatalf("message %d is %q", n, m)
				}
			}
			if !closes {
				must(t, <-pong)
			}
		})
	}
}
