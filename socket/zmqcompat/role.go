package zmqcompat

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/yodel-mq/yodel/socket"
)

// A role is how a socket type sends and receives. A nil out or in says that it does not.
type role struct {
	engine socket.Socket
	out    socket.Sender
	in     socket.Receiver
	subs   subscriber      // SUB, XSUB
	topics func() []string // PUB, XPUB, SUB
}

// subscriber is what SetOption subscribes with.
type subscriber interface {
	Subscribe(topic string) error
	Unsubscribe(topic string) error
}

// plainRole is that of the types that send and receive as the engine does.
func plainRole(s socket.Socket) *role {
	r := &role{engine: s}
	r.out, _ = s.(socket.Sender)
	r.in, _ = s.(socket.Receiver)
	r.subs, _ = s.(subscriber)
	return r
}

// replier sends replies. One to a client that is gone, or to nobody because the last request has been answered
// already, is dropped, as by the original: to the server loops written for that, an error of Send is the end.
type replier struct {
	*socket.Rep
	asked atomic.Bool // there was a request
}

func (r *replier) Recv(ctx context.Context) (socket.Msg, error) {
	m, err := r.Rep.Recv(ctx)
	if err == nil {
		r.asked.Store(true)
	}
	return m, err
}

func (r *replier) Send(ctx context.Context, m socket.Msg) error { return r.forgive(r.Rep.Send(ctx, m)) }

func (r *replier) TrySend(m socket.Msg) error { return r.forgive(r.Rep.TrySend(m)) }

func (r *replier) forgive(err error) error {
	if errors.Is(err, socket.ErrPeerLost) || errors.Is(err, socket.ErrState) && r.asked.Load() {
		return nil
	}
	return err
}

// subSender lets a SUB subscribe by sending, as an XSUB does and the original's SUB too. It sends nothing else.
type subSender struct{ *socket.Sub }

func (s subSender) Send(_ context.Context, m socket.Msg) error { return s.TrySend(m) }

func (s subSender) TrySend(m socket.Msg) error {
	sub, ok := socket.ParseSubscription(m)
	switch {
	case !ok:
		return errSubSends
	case sub.Add:
		return s.Subscribe(sub.Topic)
	}
	return unsubscribe(s, sub.Topic)
}

// unsubscribe takes a subscription back. What was not subscribed is ignored, as by the original and by libzmq.
func unsubscribe(s subscriber, topic string) error {
	if err := s.Unsubscribe(topic); !errors.Is(err, socket.ErrState) {
		return err
	}
	return nil
}

// list makes the engine's common options those of one type.
func list[O any](opts []socket.Option) []O {
	out := make([]O, len(opts))
	for i, o := range opts {
		out[i] = o.(O) // every socket.Option is an option of every type
	}
	return out
}
