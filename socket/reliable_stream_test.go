package socket

import (
	"testing"

	"github.com/yodel-mq/yodel/socket/internal/reliable"
)

// A streamRig is a rig whose links bring messages of one stream.
type streamRig struct {
	*rig
	core *core
	open reliable.Open
}

func newStreamRig(t *testing.T) *streamRig {
	s := NewPull(WithReliable())
	t.Cleanup(func() { _ = s.Close() })
	return &streamRig{newRig(t, inboxConfig{}), s.core, reliable.Open{Stream: reliable.ID{1}, Epoch: 1, Nonce: 1, Low: 1}}
}

// opens makes a link over which the stream is opened anew; it has not joined.
func (r *streamRig) opens(next uint64) *link {
	l := &link{peer: &Peer{}, core: r.core, ep: &endpointState{}}
	l.carrier = &wire{l}
	l.in.resume = make(chan struct{}, 1)
	r.accounts = append(r.accounts, &l.in.counts)
	r.open.Link, r.open.Next = r.open.Link+1, next
	if o, err := r.openStream(l, r.open, nil); err != nil || o.Status != reliable.OK {
		r.t.Fatalf("OPENED says %+v", o)
	}
	return l
}

// TestVoidIsNotAcknowledged: a peer has opened its stream over another connection while the first still brings
// messages. These are void, and come again. They are not taken for messages that the application has received, for
// which as many others would be acknowledged that it has not. What is refused as this side ends the link is nothing
// that was received either.
func TestVoidIsNotAcknowledged(t *testing.T) {
	for _, c := range []struct {
		name string
		then func(r *streamRig, first *link)
	}{
		{"opened anew", func(r *streamRig, first *link) {
			second := r.opens(6)
			r.bring(first, series("void", 3)...)
			r.admit(second)
		}},
		{"opened anew, and the first has left", func(r *streamRig, first *link) {
			second := r.opens(6)
			r.bring(first, series("void", 3)...)
			r.leave(first)
			r.admit(second)
		}},
		{"this side leaves", func(r *streamRig, first *link) {
			first.in.stream.leaving = true
			r.bring(first, series("void", 3)...)
			r.leave(first)
			r.admit(r.opens(6))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newStreamRig(t)
			first := r.opens(1)
			r.admit(first)
			r.bring(first, series("m", 5)...)
			c.then(r, first)
			s, upto := first.in.stream, uint64(0)
			for n := range uint64(6) {
				s.settle(0)
				if a, due := s.receiver.Acknowledge(); due {
					upto = a.Upto
				}
				if upto > n {
					t.Errorf("with %d messages received %d are acknowledged", n, upto)
				}
				if n < 5 {
					if got, want := r.recvOne(), series("m", 5)[n]; got != want {
						t.Errorf("received %q, want %q", got, want)
					}
					r.giveAll()
				}
			}
			if upto != 5 {
				t.Errorf("with all received %d are acknowledged, want 5", upto)
			}
		})
	}
}

// giveAll enters what a receiver has taken out.
func (r *streamRig) giveAll() {
	r.recv.Lock()
	defer r.recv.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.giveBack()
}
