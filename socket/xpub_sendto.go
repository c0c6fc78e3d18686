package socket

import "context"

// SendTo gives the message to the given peers, whatever they are subscribed to, as Send does to those that are: encoded
// once, under the same policies, in order with what Send sends them. The peers are found in the From of a subscription,
// by Subscribers, in an [Event] or in [Stats]; one that comes several times gets the message once, and one that is not
// connected, or not any more, does not get it. With none that is connected the message is dropped, and counted as
// [NoSubscriber].
//
// No topic is needed, and [WithLastValue] does not keep the message. A [Sub] discards what none of its subscriptions is
// a prefix of; an [XSub] does not. The list is the caller's again once SendTo returns.
func (s *XPub) SendTo(ctx context.Context, m Msg, peers []*Peer) error {
	return s.subs.publishTo(ctx, true, m, peers)
}

// TrySendTo is like SendTo and never waits: under [Block] it returns ErrWouldBlock instead.
func (s *XPub) TrySendTo(m Msg, peers []*Peer) error {
	return s.subs.publishTo(context.Background(), false, m, peers)
}

// publishTo sends a message to given peers.
func (s *subscribers) publishTo(ctx context.Context, wait bool, m Msg, peers []*Peer) error {
	if err := s.core.sendable(m); err != nil {
		return opError("send", err)
	}
	to := func() []*link {
		s.beginMatch()
		for _, p := range peers {
			s.visit(p)
		}
		return s.matched
	}
	return s.core.ended(ctx, "send", s.core.out.fanOut(ctx, wait, m, false, to, nil))
}
