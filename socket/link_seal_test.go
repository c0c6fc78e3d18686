package socket

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/yodel-mq/yodel/transport/zmtp"
	"github.com/yodel-mq/yodel/transport/zmtp/curve"
)

// A numberedSealer marks frames with their number instead of encrypting them.
type numberedSealer struct{ n byte }

func (s *numberedSealer) Overhead() int { return 3 }

func (s *numberedSealer) Seal(b []byte, flags byte, body []byte) []byte {
	s.n++
	b = zmtp.AppendHeader(b, 0, len(body)+3)
	return append(append(b, 'S', s.n, flags), body...)
}

// unsealed returns the frames that a numberedSealer has marked, encoded as they were.
func unsealed(t *testing.T, wire []byte) (plain []byte, n byte) {
	t.Helper()
	for len(wire) > 0 {
		h, head, err := zmtp.ParseHeader(wire)
		if err != nil || head == 0 || int(h.Size) > len(wire)-head {
			return plain, n // a frame in part
		}
		body := wire[head : head+int(h.Size)]
		wire = wire[head+int(h.Size):]
		if n++; body[0] != 'S' || body[1] != n {
			t.Fatalf("frame %d is % x", n, body[:3])
		}
		plain = append(zmtp.AppendHeader(plain, body[2], len(body)-3), body[3:]...)
	}
	return plain, n
}

// TestSealedFlight: a flight that is encrypted writes each of its frames once and in order, however little goes at a
// time; what was in it stays as it was.
func TestSealedFlight(t *testing.T) {
	r := numbers(1)
	ping := zmtp.AppendPing(nil, 100, nil)
	ms := []Msg{
		fresh(r, 10), fresh(r, 0), fresh(r, 3, referTo, 1), fresh(r, 255, 256), fresh(r, 200_000), fresh(r, 0, 0, 0),
		fresh(r, referTo), fresh(r, 8000), fresh(r, 8000), fresh(r, 8000, 100_000, 70_000, 0),
	}
	var want []byte
	for _, run := range batchOf(ms...).vectors([][]byte{ping}) {
		want = append(want, run...)
	}
	for _, most := range []int{1, 7, 4096, 1 << 30} {
		f, _, _ := loaded(ping, ms...)
		f.seal = &seal{sealer: &numberedSealer{}}
		c := &stingyConn{most: most}
		for writes := 0; ; writes++ {
			n, err := f.tryWrite(c)
			if err != nil || n == 0 {
				t.Fatalf("wrote %d, %v", n, err)
			}
			if f.advance(n) {
				break
			}
		}
		if got, _ := unsealed(t, c.taken.Bytes()); !bytes.Equal(got, want) {
			t.Errorf("%d at a time: %d bytes; want %d", most, len(got), len(want))
		}
		if b := f.land(); f.seal.buf != nil || b.count.Messages != uint64(len(ms)) {
			t.Errorf("a buffer is left: %t; %d messages", f.seal.buf != nil, b.count.Messages)
		}
	}
}

// TestSealedFlightUndo: of a flight that was cut anywhere, the messages count as delivered that are whole on the wire,
// and the others come back as they were.
func TestSealedFlightUndo(t *testing.T) {
	ping := zmtp.AppendPing(nil, 100, nil)
	ms := []Msg{fresh(numbers(2), 10), fresh(numbers(3), 3, 0, 20), fresh(numbers(4), referTo)}
	whole := &stingyConn{most: 1 << 30}
	f, _, _ := loaded(ping, ms...)
	f.seal = &seal{sealer: &numberedSealer{}}
	if n, err := f.tryWrite(whole); err != nil || !f.advance(n) {
		t.Fatalf("%d, %v", n, err)
	}
	wire := whole.taken.Bytes()
	frames := []byte{1, 2, 5, 6} // up to which number the command and each message go
	for cut := range len(wire) + 1 {
		if cut > 100 && cut < len(wire)-5 {
			continue
		}
		f, _, _ := loaded(ping, ms...)
		f.seal = &seal{sealer: &numberedSealer{}}
		f.seal.next(f.vec)
		f.advance(cut)
		delivered, unsent, begun := f.undo(nil)
		_, n := unsealed(t, wire[:cut])
		want := 0
		for _, last := range frames[1:] {
			if n >= last {
				want++
			}
		}
		if int(delivered.Messages) != want || len(unsent) != len(ms)-want {
			t.Fatalf("cut at %d, frame %d: %d delivered, %d unsent; want %d", cut, n, delivered.Messages, len(unsent), want)
		}
		for i, m := range unsent {
			if !slices.EqualFunc(m.Frames, ms[want+i].Frames, bytes.Equal) {
				t.Fatalf("cut at %d: message %d has come back as another", cut, want+i)
			}
		}
		plain, _ := unsealed(t, wire[:cut])
		rest := cut - sealedSize(wire, n)
		if wantBegun := want < len(ms) && n > 0 && (n > frames[want] || rest > 0); begun != wantBegun {
			t.Fatalf("cut at %d, %d whole: begun is %t, %d plain bytes", cut, n, begun, len(plain))
		}
		if f.seal == nil || f.seal.buf != nil {
			t.Fatal("the flight would go on without encryption, or keeps a buffer")
		}
	}
}

// sealedSize is where the nth frame ends.
func sealedSize(wire []byte, n byte) (end int) {
	for range n {
		h, head, _ := zmtp.ParseHeader(wire[end:])
		end += head + int(h.Size)
	}
	return end
}

// TestCurve: sockets with keys exchange messages over every transport, and encrypted wherever there are bytes; those
// with other keys, or with none, exchange nothing.
func TestCurve(t *testing.T) {
	server, ann, eve := curve.GenerateKey(), curve.GenerateKey(), curve.GenerateKey()
	in := curve.Server(server, curve.Allow(ann.Public()))
	for _, tt := range []struct {
		name   string
		client zmtp.Mechanism
		err    error
	}{
		{"allowed", curve.Client(ann, server.Public()), nil},
		{"not allowed", curve.Client(eve, server.Public()), curve.ErrNotAllowed},
		{"another server", curve.Client(ann, eve.Public()), ErrProtocol},
		{"NULL", nil, zmtp.ErrMechanism},
		{"PLAIN", zmtp.PlainClient("ann", "sesame"), zmtp.ErrMechanism},
	} {
		for name, endpoint := range endpoints(t) {
			t.Run(tt.name+", "+name, func(t *testing.T) {
				pull := NewPull(WithSecurity(in))
				push := NewPush(WithSecurity(curve.Client(eve, eve.Public()))) // the endpoint has its own
				if tt.client == nil {
					push = NewPush()
				}
				defer pull.Close()
				defer push.Close()
				at, err := pull.Bind(t.Context(), endpoint)
				must(t, err)
				must(t, push.ConnectWith(at, SecuredBy(tt.client)))
				if err := failure(t, pull.core); tt.err == nil && err != nil || tt.err != nil && err == nil {
					t.Fatalf("%v; want %v", err, tt.err)
				}
				if tt.err != nil {
					return
				}
				r := numbers(5)
				for i, sizes := range [][]int{{5}, {0}, {0, 3, 0}, {100_000}, {8192, 8191}, {1 << 20}} {
					m := fresh(r, sizes...)
					must(t, push.Send(soon(t), m.Clone()))
					got, err := pull.Recv(soon(t))
					must(t, err)
					if !slices.EqualFunc(got.Frames, m.Frames, bytes.Equal) {
						t.Fatalf("message %d came otherwise", i)
					}
				}
				for i := range 1000 {
					must(t, push.Send(soon(t), Text(fmt.Sprint(i))))
				}
				for i := range 1000 {
					got, err := pull.Recv(soon(t))
					must(t, err)
					if got.String() != fmt.Sprintf("[%q]", fmt.Sprint(i)) {
						t.Fatalf("%v came as number %d", got, i)
					}
				}
			})
		}
	}
}
