package zmqcompat

import (
	"context"

	"github.com/yodel-mq/yodel/socket"
)

// NewPair returns a PAIR socket: it exchanges messages with exactly one other PAIR. While it has a peer further ones
// are refused.
func NewPair(ctx context.Context, opts ...Option) Socket {
	return newSock(ctx, Pair, opts, func(o []socket.Option) *role {
		return plainRole(socket.NewPair(list[socket.PairOption](o)...))
	})
}

// NewPub returns a PUB socket: it sends each message to all peers that are subscribed to a prefix of its first frame. A
// peer that is OptionHWM messages behind misses what comes next; nobody waits for it.
func NewPub(ctx context.Context, opts ...Option) Socket {
	return topicSock{newSock(ctx, Pub, opts, pubRole)}
}

// NewSub returns a SUB socket: it receives what it has subscribed to, by OptionSubscribe.
func NewSub(ctx context.Context, opts ...Option) Socket {
	return topicSock{newSock(ctx, Sub, opts, func(o []socket.Option) *role {
		s := socket.NewSub(list[socket.SubOption](o)...)
		return &role{engine: s, in: s, out: subSender{s}, subs: s, topics: s.Topics}
	})}
}

// NewReq returns a REQ socket: it sends a request to one of its peers and receives the reply, strictly in turn. If
// the peer is lost before it replied Recv returns an error and a new request can be sent.
func NewReq(ctx context.Context, opts ...Option) Socket {
	return newSock(ctx, Req, opts, func(o []socket.Option) *role {
		// Code written for the original, and for libzmq, expects the request right after one empty frame.
		return plainRole(socket.NewReq(append(list[socket.ReqOption](o), socket.WithCorrelate(false))...))
	})
}

// NewRep returns a REP socket: it receives a request and sends its reply. Recv waits for the next request also while
// one has no reply yet, and that next one takes its place: Send replies to the request that was received last. A reply
// to a peer that is gone, or a second one to the same request, is dropped.
func NewRep(ctx context.Context, opts ...Option) Socket {
	return newSock(ctx, Rep, opts, func(o []socket.Option) *role {
		s := &replier{Rep: socket.NewRep(append(list[socket.RepOption](o), socket.WithRelaxedReplies())...)}
		return &role{engine: s.Rep, in: s, out: s}
	})
}

// NewDealer returns a DEALER socket: it sends each message to one of its peers in turn and receives from all.
func NewDealer(ctx context.Context, opts ...Option) Socket {
	return newSock(ctx, Dealer, opts, func(o []socket.Option) *role {
		return plainRole(socket.NewDealer(list[socket.DealerOption](o)...))
	})
}

// NewRouter returns a ROUTER socket: the first frame of a message is the identity of the peer it comes from, or goes
// to. A message to an identity that nobody has is dropped, and counted in the engine's Stats. Of two peers with one
// identity the newer gets it and the other is disconnected.
func NewRouter(ctx context.Context, opts ...Option) Socket {
	return newSock(ctx, Router, opts, func(o []socket.Option) *role {
		own := append(list[socket.RouterOption](o), socket.WithDropUnroutable(), socket.WithHandover())
		return plainRole(socket.NewRouter(own...))
	})
}

// NewPull returns a PULL socket: it receives from all its peers, fairly.
func NewPull(ctx context.Context, opts ...Option) Socket {
	return newSock(ctx, Pull, opts, func(o []socket.Option) *role {
		return plainRole(socket.NewPull(list[socket.PullOption](o)...))
	})
}

// NewPush returns a PUSH socket: it sends each message to one of its peers in turn.
func NewPush(ctx context.Context, opts ...Option) Socket {
	return newSock(ctx, Push, opts, func(o []socket.Option) *role {
		return plainRole(socket.NewPush(list[socket.PushOption](o)...))
	})
}

// NewXPub returns an XPUB socket: a PUB that receives its peers' subscriptions, each a frame of the byte 1 (or 0,
// cancelled) and the topic, and what XSUB peers send.
func NewXPub(ctx context.Context, opts ...Option) Socket {
	return topicSock{newSock(ctx, XPub, opts, xpubRole)}
}

// NewXSub returns an XSUB socket: a SUB that subscribes by sending the byte 1 (or 0, to cancel) and a topic, or by
// OptionSubscribe, and that can send other messages to its peers.
func NewXSub(ctx context.Context, opts ...Option) Socket {
	return newSock(ctx, XSub, opts, func(o []socket.Option) *role {
		return plainRole(socket.NewXSub(list[socket.XSubOption](o)...))
	})
}
