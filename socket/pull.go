package socket

import (
	"context"
	"iter"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// A Pull receives from all its PUSH peers, fairly (RFC 30, PIPELINE).
//
//   - Out: nothing.
//   - In: one message from each peer in turn, over those that have one; a peer that had none waiting goes first. While
//     as many as the high-water mark of one peer's wait, nothing more is read from it, which holds it back.
//   - Order: that of each connection. When a peer is lost and comes back, what is left of the old connection takes
//     turns with what the new one brings, as between any two peers.
//   - A peer that leaves is an event, never an error of Recv; what it had sent can still be received.
//
// All methods may be called by any number of goroutines.
type Pull struct{ *core }

// NewPull returns a Pull that is neither bound nor connected. It does no I/O.
func NewPull(opts ...PullOption) *Pull {
	return &Pull{newCore(configure(defaults(), opts), behaviour{
		typ: zmtp.Pull,
		in:  inBehaviour{receives: true},
	})}
}

// Recv returns the next message, waiting for one until ctx ends or the socket closes; with a context that has ended it
// returns what is there already. The message is the caller's for good.
func (s *Pull) Recv(ctx context.Context) (Msg, error) { return s.recv(ctx) }

// TryRecv is like Recv but returns an error that matches ErrWouldBlock where Recv would wait. It sees what has come in,
// not what the kernel still holds.
func (s *Pull) TryRecv() (Msg, error) { return s.tryRecv() }

// Messages yields messages as Recv returns them. When ctx ends it yields that as an error and stops; when the socket
// closes it just stops.
func (s *Pull) Messages(ctx context.Context) iter.Seq2[Msg, error] { return s.each(ctx, s.recv) }

// Next is Recv that tells more of the message, and leaves it to the application under [WithManualAck] when it is
// settled. While as many wait for that as [WithMaxUnsettled] allows, Next waits too.
func (s *Pull) Next(ctx context.Context) (*Delivery, error) { return s.next(ctx) }

// Deliveries yields messages as Next returns them. When ctx ends it yields that as an error and stops; when the socket
// closes it just stops.
func (s *Pull) Deliveries(ctx context.Context) iter.Seq2[*Delivery, error] { return each(ctx, s.Next) }
