package main

import (
	"fmt"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport"
)

// The roles, by the names of the command-line tool.
const (
	rolePush   = "push"
	rolePull   = "pull"
	rolePub    = "pub"
	roleSub    = "sub"
	roleReq    = "req"
	roleRep    = "rep"
	roleDealer = "dealer"
	roleRouter = "router"
	rolePair   = "pair"
	roleXPub   = "xpub"
	roleXSub   = "xsub"
)

// metaKey is the property by which sockets of this program tell each other who they are.
const metaKey = "X-Soak"

// overflows are the policies of a full queue that a plan may choose.
var overflows = map[string]socket.Overflow{
	"block": socket.Block, "reject": socket.Reject, "newest": socket.DropNewest, "oldest": socket.DropOldest,
	"disconnect": socket.Disconnect,
}

// options are those that every role has.
func (m *member) options(k key) []socket.Option {
	o := []socket.Option{
		socket.WithMetadata(metaKey, k.String()),
		socket.WithReconnect(20*time.Millisecond, 200*time.Millisecond),
	}
	s := m.Options
	if s.HWM > 0 {
		o = append(o, socket.WithSendHWM(s.HWM), socket.WithRecvHWM(s.HWM))
	}
	if s.Heartbeat > 0 {
		o = append(o, socket.WithHeartbeat(s.Heartbeat, 3*s.Heartbeat, 3*s.Heartbeat))
	}
	if s.Buffers > 0 {
		o = append(o, socket.WithTransport(&transport.TCP{SendBuffer: s.Buffers, RecvBuffer: s.Buffers}),
			socket.WithTransport(&transport.IPC{SendBuffer: s.Buffers}))
	}
	return o
}

// as converts options for every role to those of one.
func as[T any](in []socket.Option, convert func(socket.Option) T) (out []T) {
	for _, o := range in {
		out = append(out, convert(o))
	}
	return out
}

// newSocket makes a member's socket.
func (m *member) newSocket(k key) (socket.Socket, error) {
	o := m.options(k)
	var overflow socket.SendOption // nil is none
	if policy, ok := overflows[m.Options.Overflow]; ok {
		overflow = socket.WithOverflow(policy)
	}
	switch m.Role {
	case rolePush:
		opts := append(as(o, func(o socket.Option) socket.PushOption { return o }), overflow)
		if m.Options.Least {
			opts = append(opts, socket.WithLeastOutstanding())
		}
		return socket.NewPush(opts...), nil
	case rolePull:
		return socket.NewPull(as(o, func(o socket.Option) socket.PullOption { return o })...), nil
	case rolePub:
		return socket.NewPub(append(as(o, func(o socket.Option) socket.PubOption { return o }), overflow)...), nil
	case roleSub:
		return socket.NewSub(append(as(o, func(o socket.Option) socket.SubOption { return o }),
			socket.WithSubscription(m.Topics...))...), nil
	case roleReq:
		return socket.NewReq(append(as(o, func(o socket.Option) socket.ReqOption { return o }),
			socket.WithRetry(m.Options.Retry))...), nil
	case roleRep:
		return socket.NewRep(as(o, func(o socket.Option) socket.RepOption { return o })...), nil
	case roleDealer:
		opts := append(as(o, func(o socket.Option) socket.DealerOption { return o }), overflow,
			socket.WithIdentity(identity(m.ID)))
		if m.Options.Least {
			opts = append(opts, socket.WithLeastOutstanding())
		}
		return socket.NewDealer(opts...), nil
	case roleRouter:
		return socket.NewRouter(append(as(o, func(o socket.Option) socket.RouterOption { return o }), overflow)...), nil
	case rolePair:
		return socket.NewPair(append(as(o, func(o socket.Option) socket.PairOption { return o }), overflow)...), nil
	case roleXPub:
		return socket.NewXPub(append(as(o, func(o socket.Option) socket.XPubOption { return o }), overflow)...), nil
	case roleXSub:
		s := socket.NewXSub(as(o, func(o socket.Option) socket.XSubOption { return o })...)
		for _, t := range m.Topics {
			if err := s.Subscribe(t); err != nil {
				return nil, err
			}
		}
		return s, nil
	}
	return nil, fmt.Errorf("soak: no role %q", m.Role)
}

// identity is what a member calls itself towards a ROUTER.
func identity(id int) string { return fmt.Sprintf("m%d", id) }
