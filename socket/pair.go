package socket

import (
	"context"
	"iter"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// A Pair exchanges messages with exactly one other PAIR (RFC 31). While it has a peer, further ones are refused, with a
// [HandshakeFailed] event of ErrBusy; when the peer is gone the next one is welcome.
//
//   - Out: to the peer. While a connecting Pair has none, messages wait in the socket, and what was queued for a peer
//     that is lost waits for the next.
//   - In: from the peer, in the order of the connection, as with a [Pull].
//   - Mute: with the queue full, or bound with no peer, Send waits (see [WithOverflow]).
//
// All methods may be called by any number of goroutines.
type Pair struct {
	*core

	peer *link // guarded by core.out.mu
}

// NewPair returns a Pair that is neither bound nor connected. It does no I/O.
func NewPair(opts ...PairOption) *Pair {
	s := new(Pair)
	s.core = newCore(configure(defaults(), opts), behaviour{
		typ:  zmtp.Pair,
		role: pairRole{pair: s},
		out:  outBehaviour{keeps: true, sharedRate: true},
		in:   inBehaviour{receives: true},
	})
	return s
}

// Send hands the message over to the socket, waiting for room until ctx ends. The frames must not be changed
// afterwards. A nil error means that the message is accepted and in the ledger; with any other it is not.
func (s *Pair) Send(ctx context.Context, m Msg) error { return s.sendBalanced(ctx, true, m) }

// TrySend is like Send but returns ErrWouldBlock, or ErrNoPeers, where Send would wait.
func (s *Pair) TrySend(m Msg) error { return s.sendBalanced(context.Background(), false, m) }

// Recv returns the next message, waiting for one until ctx ends or the socket closes; with a context that has ended it
// returns what is there already. The message is the caller's for good.
func (s *Pair) Recv(ctx context.Context) (Msg, error) { return s.recv(ctx) }

// TryRecv is like Recv but returns an error that matches ErrWouldBlock where Recv would wait. It sees what has come in,
// not what the kernel still holds.
func (s *Pair) TryRecv() (Msg, error) { return s.tryRecv() }

// Messages yields messages as Recv returns them. When ctx ends it yields that as an error and stops; when the socket
// closes it just stops.
func (s *Pair) Messages(ctx context.Context) iter.Seq2[Msg, error] { return s.each(ctx, s.recv) }

// pairRole has one peer at a time.
type pairRole struct {
	baseRole
	pair *Pair
}

func (r pairRole) admit(l *link) error {
	for predecessor := r.place(l); predecessor != nil; predecessor = r.place(l) {
		if !l.replaces(predecessor) {
			return ErrBusy
		}
	}
	return nil
}

// place gives the link the place of the peer, unless another one has it.
func (r pairRole) place(l *link) (other *link) {
	r.pair.out.mu.Lock()
	defer r.pair.out.mu.Unlock()
	if other = r.pair.peer; other != nil && !other.out.dead {
		return other
	}
	r.pair.peer = l
	return nil
}

func (r pairRole) left(l *link) {
	r.pair.out.mu.Lock()
	defer r.pair.out.mu.Unlock()
	if r.pair.peer == l {
		r.pair.peer = nil
	}
}
