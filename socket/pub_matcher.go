package socket

// A Matcher decides which peers of a [Pub] or an [XPub] get a message, in place of ZMTP's own rule, that a subscription
// is a prefix of the topic; see [WithMatcher]. Wildcards are made with it, and groups of peers of which one gets each
// message.
//
// The socket calls one method at a time, with a lock held for which every Send waits: a Matcher must be quick, and call
// no method of the socket. It need not be safe for other goroutines.
type Matcher interface {
	// Add notes that a peer has subscribed to topic, to which it was not.
	Add(topic string, p *Peer)
	// Remove notes that a subscription that was added is over, cancelled or with the connection to its peer. The end
	// of the whole socket is not told.
	Remove(topic string, p *Peer)
	// Match calls visit with the peers that a message under topic, its first frame, is for. One that comes several
	// times gets the message once. topic is valid during the call only. Match is also asked for [Pub.WaitSubscribers]
	// and [Pub.Subscribers], so that a choice that goes round a group may skip a turn.
	Match(topic []byte, visit func(p *Peer))
}

// WithMatcher makes the socket ask m which peers get a message. One Matcher is for one socket. The default, and nil, is
// the rule of ZMTP.
//
// Nothing else changes. Subscriptions travel and are counted as ever, and what Topics lists and an [XPub] hands over
// are the subscriptions as peers made them. [WithLastValue] sends a new subscriber the last messages of which it has
// subscribed to a prefix. A [Sub], here and in libzmq, discards what none of its subscriptions is a prefix of, whatever
// the publisher sends it; an [XSub] does not.
func WithMatcher(m Matcher) PublishOption {
	return optionForPublishers{setting: func(c *config) { c.matcher = m }}
}

// match returns the links that a message is for, each once. The list is valid until the next call. core.out.mu is held.
func (s *subscribers) match(topic []byte) []*link {
	o := &s.core.out
	s.beginMatch()
	if m := s.core.cfg.matcher; m != nil {
		m.Match(topic, s.visitor)
		return s.matched
	}
	s.tree.Match(topic, func(links []*link) bool {
		for _, l := range links {
			if l.out.lastFanOut != o.fanOuts && !l.out.dead {
				l.out.lastFanOut = o.fanOuts
				s.matched = append(s.matched, l)
			}
		}
		return true
	})
	return s.matched
}

// beginMatch empties the list of those that a message is for.
func (s *subscribers) beginMatch() {
	s.core.out.fanOuts++
	clear(s.matched)
	s.matched = s.matched[:0]
}

// visit adds a peer that a Matcher has found, or that was given.
func (s *subscribers) visit(p *Peer) {
	o := &s.core.out
	if l := s.core.linkTo(p); l != nil && l.out.lastFanOut != o.fanOuts && !l.out.dead {
		l.out.lastFanOut = o.fanOuts
		s.matched = append(s.matched, l)
	}
}
