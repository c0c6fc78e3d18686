package socket

import (
	"bytes"
	"net"
	"slices"
	"testing"
)

// A stingyConn takes at most some bytes in each write.
type stingyConn struct {
	net.Conn
	most  int
	taken bytes.Buffer
}

func (c *stingyConn) TryWrite(b []byte) (int, error) { return c.taken.Write(b[:min(len(b), c.most)]) }
func (c *stingyConn) Write(b []byte) (int, error)    { return c.taken.Write(b) }

// loaded returns a flight with commands and messages, and what is left where they waited.
func loaded(commands []byte, ms ...Msg) (f *flight, left []byte, open *batch) {
	f, left, open = new(flight), slices.Clone(commands), batchOf(ms...)
	f.load(&left, open)
	return f, left, open
}

func TestFlightLoad(t *testing.T) {
	r := numbers(1)
	small, large := fresh(r, 10), fresh(r, 3, referTo, 1)
	for _, c := range []struct {
		name     string
		commands string
		ms       []Msg
		single   bool
	}{
		{"nothing", "", nil, false},
		{"commands", "PING", nil, true},
		{"messages", "", []Msg{small, small}, true},
		{"both", "PING", []Msg{small}, true},
		{"both, and too much to copy", "PING", []Msg{NewMsg(make([]byte, joinMost))}, false},
		{"a body that is referred to", "", []Msg{large}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, left, open := loaded([]byte(c.commands), c.ms...)
			if len(left) > 0 || !open.empty() {
				t.Errorf("%q and %v messages were left behind", left, open.count)
			}
			if want := len(c.commands)+len(c.ms) == 0; f.empty() != want {
				t.Errorf("empty is %t, want %t", f.empty(), want)
			}
			if f.single() != c.single {
				t.Errorf("single is %t, want %t", f.single(), c.single)
			}
		})
	}
}

// TestFlightCommandsOnly: messages that are not to go yet stay where they wait.
func TestFlightCommandsOnly(t *testing.T) {
	commands, open := []byte("SUBSCRIBE"), batchOf(fresh(numbers(2), 5))
	f := new(flight)
	f.load(&commands, nil)
	conn := new(stingyConn)
	n, err := f.write(conn)
	if must(t, err); !f.advance(n) || conn.taken.String() != "SUBSCRIBE" || open.count.Messages != 1 {
		t.Errorf("%q was written and %v waits", conn.taken.String(), open.count)
	}
	if b := f.land(); !b.empty() {
		t.Errorf("%v landed", b.count)
	}
}

// TestFlightWrites: whatever a write takes, the wire has the commands and the messages behind them, and the flight is
// whole with the last byte and not before.
func TestFlightWrites(t *testing.T) {
	ms := mixed(3, 12)
	wire := append([]byte("PING"), encodedAll(ms)...)
	for _, most := range []int{1 << 20, 60_000, 5000, 77} {
		f, _, _ := loaded([]byte("PING"), ms...)
		conn := &stingyConn{most: most}
		for whole := false; !whole; {
			n, err := f.tryWrite(conn)
			must(t, err)
			whole = f.advance(n)
			if whole != f.empty() || whole != (conn.taken.Len() == len(wire)) {
				t.Fatalf("whole is %t after %d of %d bytes", whole, conn.taken.Len(), len(wire))
			}
		}
		if !bytes.Equal(conn.taken.Bytes(), wire) {
			t.Errorf("in pieces of %d bytes the wire has something else", most)
		}
		if b := f.land(); b.count != countAll(ms) {
			t.Errorf("%v landed, want %v", b.count, countAll(ms))
		}
	}
	f, _, _ := loaded([]byte("PING"), ms...)
	conn := &stingyConn{most: 6}
	n, err := f.tryWrite(conn) // what a caller could not write goes on in write
	must(t, err)
	f.advance(n)
	n, err = f.write(conn)
	if must(t, err); !f.advance(n) || !bytes.Equal(conn.taken.Bytes(), wire) {
		t.Errorf("the wire has something else after both ways of writing")
	}
}

// TestFlightUndo: after every number of bytes, what is whole on the wire is delivered and the rest unsent. Commands are
// no messages.
func TestFlightUndo(t *testing.T) {
	const commands = "a command"
	r := numbers(4)
	ms := []Msg{fresh(r, 3), fresh(r, 0), fresh(r, 2, referTo, 5), fresh(r, 1)}
	end := len(commands) + len(encodedAll(ms))
	for written := range end + 1 {
		f, _, _ := loaded([]byte(commands), ms...)
		if whole := f.advance(written); whole != (written == end) {
			t.Fatalf("after %d of %d bytes whole is %t", written, end, whole)
		}
		of := max(0, written-len(commands))
		n := wholeIn(ms, of)
		delivered, unsent, begun := f.undo(nil)
		if delivered != countAll(ms[:n]) || !sameMessages(unsent, ms[n:]) {
			t.Fatalf("after %d bytes %v are delivered and %d unsent, want %d and %d", written, delivered, len(unsent), n,
				len(ms)-n)
		}
		if want := n < len(ms) && of > len(encodedAll(ms[:n])); begun != want {
			t.Fatalf("after %d bytes the first one unsent is begun: %t, want %t", written, begun, want)
		}
		if !f.empty() {
			t.Fatal("something is left in the flight")
		}
	}
}

// TestFlightForgetsLargeCommands: a large run of commands keeps no memory behind, a small one spares an allocation.
func TestFlightForgetsLargeCommands(t *testing.T) {
	for _, c := range []struct {
		name string
		size int
		kept bool
	}{{"small", 100, true}, {"large", slabSize + 1, false}} {
		t.Run(c.name, func(t *testing.T) {
			f, _, _ := loaded(make([]byte, c.size))
			f.advance(c.size)
			f.land()
			var next []byte
			f.load(&next, nil)
			if kept := cap(next) > 0; kept != c.kept {
				t.Errorf("the memory of %d bytes of commands is kept: %t", c.size, kept)
			}
		})
	}
}
