package sockettest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
)

// Yodel returns the side of this module's own sockets. The options go to every socket it makes; with
// [socket.WithTransport] the suite then runs over a transport of your own. Nil stands for no option.
func Yodel(opts ...socket.Option) Side { return YodelWith(nil, opts...) }

// YodelWith is [Yodel] with options for each endpoint that a socket connects to, such as [socket.SecuredBy].
func YodelWith(connect []socket.EndpointOption, opts ...socket.Option) Side {
	return Side{
		Name: "yodel",
		New: func(t testing.TB, role string, o Options) Socket {
			t.Helper()
			s := newYodel(role, o, opts)
			if s == nil {
				t.Fatalf("sockettest: no socket has the role %q", role)
			}
			return &yodel{Socket: s, connect: connect}
		},
		Lacks: map[Capability]string{Killing: "the sockets live in the process of the test"},
	}
}

// newYodel makes a socket with the options that its role has.
func newYodel(role string, o Options, extra []socket.Option) socket.Socket {
	common := append([]socket.Option{socket.WithReconnect(2*time.Millisecond, 50*time.Millisecond)}, o.common()...)
	common = append(common, extra...)
	send := when(o.Block, socket.WithOverflow(socket.Block))
	send = append(send, when(o.NoDrop, socket.WithOverflow(socket.Block))...)
	var none []socket.Option
	queue := when(o.Immediate, socket.WithImmediate())
	latest := when(o.Latest, socket.WithLatest())
	probe := when(o.Probe, socket.WithProbe())
	replay := when(o.Welcome != "", socket.WithWelcome(socket.NewMsg([]byte(o.Welcome))))
	replay = append(replay, when(o.LastValue > 0, socket.WithLastValue(o.LastValue))...)
	switch role {
	case "PUSH":
		return socket.NewPush(join[socket.PushOption](common, queue)...)
	case "PULL":
		return socket.NewPull(join[socket.PullOption](common, latest)...)
	case "PUB":
		return socket.NewPub(append(join[socket.PubOption](common, send), join[socket.PubOption](replay, none)...)...)
	case "SUB":
		return socket.NewSub(join[socket.SubOption](common, latest)...)
	case "REQ":
		req := append(when(o.Relaxed, socket.WithRelaxed()), socket.WithCorrelate(o.Correlate))
		return socket.NewReq(join[socket.ReqOption](common, req)...)
	case "REP":
		return socket.NewRep(join[socket.RepOption](common, none)...)
	case "DEALER":
		return socket.NewDealer(
			append(join[socket.DealerOption](common, queue), join[socket.DealerOption](latest, probe)...)...)
	case "ROUTER":
		router := when(!o.Mandatory, socket.WithDropUnroutable())
		router = append(router, when(o.Handover, socket.WithHandover())...)
		return socket.NewRouter(
			append(join[socket.RouterOption](common, send), join[socket.RouterOption](probe, router)...)...)
	case "PAIR":
		return socket.NewPair(join[socket.PairOption](common, queue)...)
	case "XPUB":
		xpub := when(o.Verbose, socket.WithVerbosity(socket.EverySubscription))
		xpub = append(xpub, when(o.Verboser, socket.WithVerbosity(socket.EveryChange))...)
		xpub = append(xpub, when(o.Manual, socket.WithManual())...)
		xpub = append(xpub, join[socket.XPubOption](send, replay)...)
		return socket.NewXPub(join[socket.XPubOption](common, xpub)...)
	case "XSUB":
		return socket.NewXSub(join[socket.XSubOption](common, none)...)
	}
	return nil
}

func (o Options) common() (opts []socket.Option) {
	opts = append(opts, when(o.Identity != "", socket.WithIdentity(o.Identity))...)
	opts = append(opts, when(o.SendHWM > 0, socket.WithSendHWM(o.SendHWM))...)
	opts = append(opts, when(o.RecvHWM > 0, socket.WithRecvHWM(o.RecvHWM))...)
	opts = append(opts, when(o.Heartbeat > 0, socket.WithHeartbeat(o.Heartbeat, o.Timeout, o.TTL))...)
	opts = append(opts, when(o.Handshake > 0, socket.WithHandshakeTimeout(o.Handshake))...)
	for name, value := range o.Metadata {
		opts = append(opts, socket.WithMetadata(name, value))
	}
	return append(opts, when(o.MaxMessage > 0, socket.WithLimits(socket.Limits{MaxMessage: o.MaxMessage}))...)
}

func when[T any](wanted bool, o T) []T {
	if wanted {
		return []T{o}
	}
	return nil
}

// join makes one list of options of a role out of two lists of options of that role and others. Nil stands for none.
func join[T, A, B any](a []A, b []B) (all []T) {
	for _, o := range a {
		if any(o) != nil {
			all = append(all, any(o).(T))
		}
	}
	for _, o := range b {
		if any(o) != nil {
			all = append(all, any(o).(T))
		}
	}
	return all
}

// yodel makes a Socket of one of ours.
type yodel struct {
	socket.Socket
	connect []socket.EndpointOption
	from    atomic.Pointer[socket.Peer] // of the message received last
}

func (y *yodel) Send(ctx context.Context, frames [][]byte) error {
	s, ok := y.Socket.(socket.Sender)
	if !ok {
		return fmt.Errorf("sockettest: a %s does not send", y.Type())
	}
	return s.Send(ctx, socket.NewMsg(frames...))
}

func (y *yodel) Recv(ctx context.Context) ([][]byte, error) {
	s, ok := y.Socket.(socket.Receiver)
	if !ok {
		return nil, fmt.Errorf("sockettest: a %s does not receive", y.Type())
	}
	m, err := s.Recv(ctx)
	if err == nil {
		y.from.Store(m.From)
	}
	return m.Frames, err
}

type subscriber interface {
	Subscribe(topic string) error
	Unsubscribe(topic string) error
}

func (y *yodel) Subscribe(topic string) error {
	switch s := y.Socket.(type) {
	case subscriber:
		return s.Subscribe(topic)
	case *socket.XPub:
		return s.Subscribe(y.from.Load(), topic)
	}
	return fmt.Errorf("sockettest: a %s does not subscribe", y.Type())
}

func (y *yodel) Unsubscribe(topic string) error {
	switch s := y.Socket.(type) {
	case subscriber:
		return s.Unsubscribe(topic)
	case *socket.XPub:
		return s.Unsubscribe(y.from.Load(), topic)
	}
	return fmt.Errorf("sockettest: a %s does not subscribe", y.Type())
}

type connecter interface {
	ConnectWith(endpoint string, opts ...socket.EndpointOption) error
}

func (y *yodel) Connect(endpoint string) error {
	return y.Socket.(connecter).ConnectWith(endpoint, y.connect...)
}

// ConnectAs makes it a [Namer].
func (y *yodel) ConnectAs(endpoint, name string) error {
	if s, ok := y.Socket.(*socket.Router); ok {
		return s.ConnectWith(endpoint, append(slices.Clone(y.connect), socket.As(name))...)
	}
	return fmt.Errorf("sockettest: a %s does not name its peers", y.Type())
}

// WaitPeers waits for n to come, and for those above n to go.
func (y *yodel) WaitPeers(ctx context.Context, n int) error {
	if err := y.Socket.WaitPeers(ctx, n); err != nil {
		return err
	}
	if len(y.Stats().Peers) <= n {
		return nil
	}
	for range y.Events(ctx) {
		if len(y.Stats().Peers) <= n {
			return nil
		}
	}
	if ctx.Err() == nil {
		return errors.New("sockettest: the socket was closed")
	}
	return fmt.Errorf("sockettest: there are %d peers, want %d: %w", len(y.Stats().Peers), n, ctx.Err())
}
