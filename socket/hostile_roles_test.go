package socket_test

import (
	"context"
	"slices"
	"testing"

	"github.com/yodel-mq/yodel/socket"
)

// role is one socket type as the tests in these files need it: how to make it, who talks to it, and how to see that it
// and a good peer still do.
type role struct {
	name, peer string
	open       func(o ...socket.Option) anyRole
	good       func(o ...socket.Option) anyRole // a peer for it
	talk       func(t testing.TB, s, good anyRole)
}

type anyRole interface {
	socket.Socket
	eventer
}

var roles = []role{
	{"PUSH", "PULL", newPush, newPull, func(t testing.TB, s, good anyRole) {
		talkPipeline(t, s.(*socket.Push), good.(*socket.Pull))
	}},
	{"PULL", "PUSH", newPull, newPush, func(t testing.TB, s, good anyRole) {
		talkPipeline(t, good.(*socket.Push), s.(*socket.Pull))
	}},
	{"PUB", "SUB", newPub, newSub, func(t testing.TB, s, good anyRole) {
		talkPublish(t, s.(*socket.Pub), good.(*socket.Sub))
	}},
	{"SUB", "PUB", newSub, newPub, func(t testing.TB, s, good anyRole) {
		talkPublish(t, good.(*socket.Pub), s.(*socket.Sub))
	}},
	{"REQ", "REP", newReq, newRep, func(t testing.TB, s, good anyRole) {
		talkRequest(t, s.(*socket.Req), good.(*socket.Rep))
	}},
	{"REP", "REQ", newRep, newReq, func(t testing.TB, s, good anyRole) {
		talkRequest(t, good.(*socket.Req), s.(*socket.Rep))
	}},
	{"DEALER", "ROUTER", newDealer, newRouter, func(t testing.TB, s, good anyRole) {
		talkRouted(t, s.(*socket.Dealer), good.(*socket.Router))
	}},
	{"ROUTER", "DEALER", newRouter, newDealer, func(t testing.TB, s, good anyRole) {
		talkRouted(t, good.(*socket.Dealer), s.(*socket.Router))
	}},
	{"PAIR", "PAIR", newPair, newPair, func(t testing.TB, s, good anyRole) {
		talkPair(t, s.(*socket.Pair), good.(*socket.Pair))
	}},
	{"XPUB", "XSUB", newXPub, newXSub, func(t testing.TB, s, good anyRole) {
		talkPublish(t, s.(*socket.XPub), good.(*socket.XSub))
	}},
	{"XSUB", "XPUB", newXSub, newXPub, func(t testing.TB, s, good anyRole) {
		talkPublish(t, good.(*socket.XPub), s.(*socket.XSub))
	}},
}

// roleNamed finds a role in the table.
func roleNamed(name string) role {
	return roles[slices.IndexFunc(roles, func(r role) bool { return r.name == name })]
}

// as turns options that fit several roles into those of one.
func as[T, O any](o []O) []T {
	out := make([]T, len(o))
	for i := range o {
		out[i] = any(o[i]).(T)
	}
	return out
}

func newPush(o ...socket.Option) anyRole { return socket.NewPush(as[socket.PushOption](o)...) }
func newPull(o ...socket.Option) anyRole { return socket.NewPull(as[socket.PullOption](o)...) }
func newPub(o ...socket.Option) anyRole  { return socket.NewPub(as[socket.PubOption](o)...) }
func newSub(o ...socket.Option) anyRole {
	s := socket.NewSub(as[socket.SubOption](o)...)
	_ = s.Subscribe("talk") // cannot fail: the topic is short
	return s
}
func newReq(o ...socket.Option) anyRole    { return socket.NewReq(as[socket.ReqOption](o)...) }
func newRep(o ...socket.Option) anyRole    { return socket.NewRep(as[socket.RepOption](o)...) }
func newDealer(o ...socket.Option) anyRole { return socket.NewDealer(as[socket.DealerOption](o)...) }

func newRouter(o ...socket.Option) anyRole { return socket.NewRouter(as[socket.RouterOption](o)...) }
func newPair(o ...socket.Option) anyRole   { return socket.NewPair(as[socket.PairOption](o)...) }
func newXPub(o ...socket.Option) anyRole   { return socket.NewXPub(as[socket.XPubOption](o)...) }
func newXSub(o ...socket.Option) anyRole {
	s := socket.NewXSub(as[socket.XSubOption](o)...)
	_ = s.Subscribe("talk") // cannot fail: the topic is short
	return s
}

func talkPipeline(t testing.TB, push *socket.Push, pull *socket.Pull) {
	t.Helper()
	for _, word := range []string{"talk", "on"} {
		must(t, push.Send(within(t), socket.Text(word)))
		m, err := pull.Recv(within(t))
		must(t, err)
		if m.String() != socket.Text(word).String() {
			t.Fatalf("received %s, want %q", m, word)
		}
	}
}

type publisher interface {
	socket.Sender
	WaitSubscribers(ctx context.Context, topic string, n int) error
}

func talkPublish(t testing.TB, pub publisher, sub socket.Receiver) {
	t.Helper()
	must(t, pub.WaitSubscribers(within(t), "talk", 1))
	for _, word := range []string{"talk", "talk on"} {
		must(t, pub.Send(within(t), socket.Text(word)))
		m, err := sub.Recv(within(t))
		must(t, err)
		if m.String() != socket.Text(word).String() {
			t.Fatalf("received %s, want %q", m, word)
		}
	}
}

func talkRequest(t testing.TB, req *socket.Req, rep *socket.Rep) {
	t.Helper()
	for _, word := range []string{"talk", "on"} {
		must(t, req.Send(within(t), socket.Text(word, "", word)))
		m, err := rep.Recv(within(t))
		must(t, err)
		must(t, rep.Send(within(t), m))
		m, err = req.Recv(within(t))
		must(t, err)
		if m.String() != socket.Text(word, "", word).String() {
			t.Fatalf("reply %s, want %q twice", m, word)
		}
	}
}

func talkRouted(t testing.TB, dealer *socket.Dealer, router *socket.Router) {
	t.Helper()
	for _, word := range []string{"talk", "on"} {
		must(t, dealer.Send(within(t), socket.Text(word)))
		m, err := router.Recv(within(t))
		must(t, err)
		must(t, router.Send(within(t), m))
		m, err = dealer.Recv(within(t))
		must(t, err)
		if m.String() != socket.Text(word).String() {
			t.Fatalf("reply %s, want %q", m, word)
		}
	}
}

func talkPair(t testing.TB, a, b *socket.Pair) {
	t.Helper()
	for _, word := range []string{"talk", "on"} {
		must(t, a.Send(within(t), socket.Text(word)))
		m, err := b.Recv(within(t))
		must(t, err)
		must(t, b.Send(within(t), m))
		m, err = a.Recv(within(t))
		must(t, err)
		if m.String() != socket.Text(word).String() {
			t.Fatalf("came back as %s, want %q", m, word)
		}
	}
}
