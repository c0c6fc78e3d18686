package socket

import (
	"context"
	"iter"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// A Dealer sends each message to one of its peers and receives from all of them, with no turns to keep (RFC 28). Its
// peers are REP, DEALER and ROUTER. To a REP, a request is an empty frame followed by the request's frames.
//
//   - Out: round robin over the peers with room, or by [WithLeastOutstanding]. Without a peer yet, messages wait in the
//     socket, as with a [Push]; what was queued for a peer that is lost goes to another.
//   - In: fairly among peers, in the order of each connection, as with a [Pull].
//   - Mute: with every queue full, or bound with no peer, Send waits (see [WithOverflow]).
//
// All methods may be called by any number of goroutines.
type Dealer struct{ *core }

// NewDealer returns a Dealer that is neither bound nor connected. It does no I/O.
func NewDealer(opts ...DealerOption) *Dealer {
	return &Dealer{newCore(configure(defaults(), opts), behaviour{
		typ: zmtp.Dealer,
		out: outBehaviour{keeps: true},
		in:  inBehaviour{receives: true},
	})}
}

// Send hands the message over to the socket, waiting for room until ctx ends. The frames must not be changed
// afterwards. A nil error means that the message is accepted and in the ledger; with any other it is not.
func (s *Dealer) Send(ctx context.Context, m Msg) error { return s.sendBalanced(ctx, true, m) }

// SendReceipt is Send that also tells, by the Receipt, when the message has been received, or that it will not be. It
// needs a spool ([WithSpool]); without one the error matches [errors.ErrUnsupported].
func (s *Dealer) SendReceipt(ctx context.Context, m Msg) (*Receipt, error) {
	return s.sendReceipt(ctx, m)
}

// TrySend is like Send but returns ErrWouldBlock, or ErrNoPeers, where Send would wait.
func (s *Dealer) TrySend(m Msg) error { return s.sendBalanced(context.Background(), false, m) }

// SendTo is Send to one peer of the caller's choice, found in an [Event], in [Stats] or in the From of a message. The
// error matches ErrPeerLost if that peer is not connected, or not any more while SendTo waits. What is queued for it
// when it is lost does not go to another peer but is dropped, and counted as [PeerGone]. Unlike Send, it looks at the
// queue of this peer only, and disconnects a peer that is full under the policy [Disconnect].
func (s *Dealer) SendTo(ctx context.Context, p *Peer, m Msg) error { return s.sendTo(ctx, true, p, m) }

// TrySendTo is like SendTo but returns ErrWouldBlock where SendTo would wait.
func (s *Dealer) TrySendTo(p *Peer, m Msg) error { return s.sendTo(context.Background(), false, p, m) }

// Recv returns the next message, waiting for one until ctx ends or the socket closes; with a context that has ended it
// returns what is there already. The message is the caller's for good.
func (s *Dealer) Recv(ctx context.Context) (Msg, error) { return s.recv(ctx) }

// TryRecv is like Recv but returns an error that matches ErrWouldBlock where Recv would wait. It sees what has come in,
// not what the kernel still holds.
func (s *Dealer) TryRecv() (Msg, error) { return s.tryRecv() }

// Messages yields messages as Recv returns them. When ctx ends it yields that as an error and stops; when the socket
// closes it just stops.
func (s *Dealer) Messages(ctx context.Context) iter.Seq2[Msg, error] { return s.each(ctx, s.recv) }

// Next is Recv that returns a [Delivery]; see [Pull.Next].
func (s *Dealer) Next(ctx context.Context) (*Delivery, error) { return s.next(ctx) }

// Deliveries yields messages as Next returns them; see Messages.
func (s *Dealer) Deliveries(ctx context.Context) iter.Seq2[*Delivery, error] {
	return each(ctx, s.Next)
}
