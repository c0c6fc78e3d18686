package curve

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// A relay is somebody in between who takes what one side says apart into frames, behind the greeting, and passes on
// others in place of one of them.
type relay struct {
	at    int                         // which frame, from 0
	alter func(frame []byte) [][]byte // nil to pass all on
	next  func(frame []byte) [][]byte // in place of the frame behind that; nil to pass it on

	mu   sync.Mutex
	said [][]byte // the frames that came
}

func (r *relay) carry(from, to net.Conn) {
	defer to.Close()
	defer from.Close()
	var greeting [zmtp.GreetingSize]byte
	left := len(greeting)
	var came []byte
	var buf [1024]byte
	for {
		n, err := from.Read(buf[:])
		b := buf[:n]
		if ahead := min(left, len(b)); ahead > 0 {
			if _, err := to.Write(b[:ahead]); err != nil {
				return
			}
			left, b = left-ahead, b[ahead:]
		}
		came = append(came, b...)
		for {
			h, head, bad := zmtp.ParseHeader(came)
			size := head + int(h.Size)
			if bad != nil || head == 0 || size > len(came) {
				break
			}
			for _, frame := range r.take(bytes.Clone(came[:size])) {
				if _, err := to.Write(frame); err != nil {
					return
				}
			}
			came = came[size:]
		}
		if err != nil {
			return
		}
	}
}

func (r *relay) take(frame []byte) [][]byte {
	r.mu.Lock()
	n := len(r.said)
	r.said = append(r.said, frame)
	r.mu.Unlock()
	switch {
	case n == r.at && r.alter != nil:
		return r.alter(frame)
	case n == r.at+1 && r.next != nil:
		return r.next(frame)
	}
	return [][]byte{frame}
}

// last is the frame that came last, nil if there is none.
func (r *relay) last() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.said) == 0 {
		return nil
	}
	return r.said[len(r.said)-1]
}

// cut is a frame of which only the first bytes of its body are left, as long as it says.
func cut(t *testing.T, frame []byte, size int) []byte {
	t.Helper()
	h, n, err := zmtp.ParseHeader(frame)
	if err != nil || n == 0 {
		t.Fatalf("no frame: % x", frame)
	}
	return append(zmtp.AppendHeader(nil, h.Flags&^zmtp.FlagLong, size), frame[n:n+size]...)
}

// TestSessionAltered: whichever command of a whole connection somebody in between sends twice, behind the next one or
// cut short, sends back to who has said the last one, or takes from another connection of the same two peers, one side
// or the other refuses it. Nothing arrives twice, changed or out of order, and a good connection to the same server,
// which was there before, goes on as if nothing had happened; so does the next one.
func TestSessionAltered(t *testing.T) {
	recorded := map[bool]*relay{false: new(relay), true: new(relay)} // by whether the server says it
	meet(t, clientEnd(), serverEnd(), recorded[false], recorded[true])
	const commands = 5 // two of the handshake and three messages, by either side
	for byServer, r := range recorded {
		if len(r.said) != commands {
			t.Fatalf("by the server %t: %d frames were recorded", byServer, len(r.said))
		}
	}
	goodClient, goodServer := connected(t)
	for _, tt := range []struct {
		name   string
		frames int // how many of the first frames of a side there is something to do with
		alter  func(r, other *relay, n int, byServer bool)
	}{
		{"duplicated", commands, func(r, _ *relay, _ int, _ bool) {
			r.alter = func(frame []byte) [][]byte { return [][]byte{frame, frame} }
		}},
		{"behind the next one", commands - 1, func(r, _ *relay, _ int, _ bool) {
			var held []byte
			r.alter = func(frame []byte) [][]byte { held = frame; return nil }
			r.next = func(frame []byte) [][]byte { return [][]byte{frame, held} }
		}},
		{"of no length", commands, func(r, _ *relay, _ int, _ bool) {
			r.alter = func(frame []byte) [][]byte { return [][]byte{cut(t, frame, 0)} }
		}},
		{"cut in the middle", commands, func(r, _ *relay, _ int, _ bool) {
			r.alter = func(frame []byte) [][]byte { return [][]byte{cut(t, frame, len(frame)/2)} }
		}},
		{"cut by a byte", commands, func(r, _ *relay, _ int, _ bool) {
			r.alter = func(frame []byte) [][]byte {
				_, n, _ := zmtp.ParseHeader(frame)
				return [][]byte{cut(t, frame, len(frame)-n-1)}
			}
		}},
		{"reflected", commands, func(r, other *relay, _ int, _ bool) {
			r.alter = func(frame []byte) [][]byte {
				if back := other.last(); back != nil {
					return [][]byte{back}
				}
				return [][]byte{frame, frame} // the first command of all: nothing can be sent back yet
			}
		}},
		{"of another connection", commands, func(r, _ *relay, n int, byServer bool) {
			r.alter = func([]byte) [][]byte { return [][]byte{recorded[byServer].said[n]} }
		}},
		{"of another connection from there on", commands, func(r, _ *relay, n int, byServer bool) {
			r.alter = func([]byte) [][]byte { return recorded[byServer].said[n:] }
		}},
	} {
		for _, byServer := range []bool{false, true} {
			for n := range tt.frames {
				what := fmt.Sprintf("%s: command %d, by the server %t", tt.name, n, byServer)
				client, server := clientEnd(), serverEnd()
				from, to := client, server
				toServer, toClient := new(relay), new(relay)
				r, other := toServer, toClient
				if byServer {
					from, to = server, client
					r, other = toClient, toServer
				}
				r.at = n
				tt.alter(r, other, n, byServer)
				meet(t, client, server, toServer, toClient)

				if !inOrder(to.got, from.send) || !inOrder(from.got, to.send) {
					t.Errorf("%s: received %q and %q", what, to.got, from.got)
				}
				if to.err == nil && from.err == nil && !errors.Is(to.read, zmtp.ErrMalformed) {
					t.Errorf("%s: nobody refuses it; reading ends with %v", what, to.read)
				}
				for _, way := range [][2]*traffic{{goodClient, goodServer}, {goodServer, goodClient}} {
					_, body, err := way[1].Open(0, inside(t, way[0].Seal(nil, 0, []byte("good"))))
					if err != nil || string(body) != "good" {
						t.Fatalf("%s: the good peer has received %q, %v", what, body, err)
					}
				}
				connected(t)
			}
		}
	}
}

// inOrder reports whether got are some of what was sent, each once, in its order.
func inOrder(got, sent [][]byte) bool {
	for _, m := range got {
		i := slices.IndexFunc(sent, func(s []byte) bool { return bytes.Equal(s, m) })
		if i < 0 {
			return false
		}
		sent = sent[i+1:]
	}
	return true
}
