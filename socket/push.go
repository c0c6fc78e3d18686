package socket

import (
	"context"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// A Push sends each message to one of its PULL peers, round robin over those with room (RFC 30, PIPELINE).
//
//   - Out: to the next peer whose queue is below the high-water mark. While a connecting Push has no peer yet,
//     messages wait in the socket for the first that appears, up to the high-water mark, in order. What was queued
//     for a peer that is lost goes to another, ahead of what waits in the socket. What the kernel had taken is
//     counted as delivered, and may be lost with the connection.
//   - In: nothing. What a peer sends is counted as discarded.
//   - Mute: with every queue full, or bound with no peer, Send waits (see [WithOverflow]).
//
// All methods may be called by any number of goroutines.
type Push struct{ *core }

// NewPush returns a Push that is neither bound nor connected. It does no I/O.
func NewPush(opts ...PushOption) *Push {
	return &Push{newCore(configure(defaults(), opts), behaviour{
		typ: zmtp.Push,
		out: outBehaviour{keeps: true, sharedRate: true},
	})}
}

// Send hands the message over to the socket, waiting for room until ctx ends. The frames must not be changed
// afterwards. A nil error means that the message is accepted and in the ledger; with any other it is not. ctx matters
// only while Send waits.
func (s *Push) Send(ctx context.Context, m Msg) error { return s.sendBalanced(ctx, true, m) }

// SendReceipt is Send that also tells, by the Receipt, when the message has been received, or that it will not be. It
// needs a spool ([WithSpool]); without one the error matches [errors.ErrUnsupported].
func (s *Push) SendReceipt(ctx context.Context, m Msg) (*Receipt, error) {
	return s.sendReceipt(ctx, m)
}

// TrySend is like Send but returns ErrWouldBlock, or ErrNoPeers, where Send would wait.
func (s *Push) TrySend(m Msg) error { return s.sendBalanced(context.Background(), false, m) }
