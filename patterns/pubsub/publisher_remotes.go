package pubsub

import (
	"context"
	"time"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/internal/subject"
	"github.com/yodel-mq/yodel/socket"
)

// A remote is a peer that has subscribed to something. What is in it is guarded by publisher.mu.
type remote struct {
	peer     *socket.Peer
	ours     bool                // it is a Subscriber, so that it understands what is private, and patterns
	greeted  bool                // it knows who we are
	bindings map[string]*binding // by topic; of a foreign one with a nil for each prefix
	found    uint64              // the round in which an event was found to be for it

	// Of the events that were for this connection:
	meant uint64        // so many
	told  uint64        // it was told of so many
	pause time.Duration // between the last beat and the next, which says the same
	due   time.Time     // when that is
}

// A binding is one subscription of a remote.
type binding struct {
	request
	from *remote
}

// most is how many subscriptions of ours one peer may have, beside the prefixes that go with them.
const most = 10_000

// receive takes what subscribers ask for and send, until the socket closes.
func (p *publisher) receive() {
	for m, err := range p.sock.Messages(context.Background()) {
		if err != nil {
			return
		}
		if sub, ok := socket.ParseSubscription(m); ok {
			p.change(sub)
			continue
		}
		p.upstream(m)
	}
}

// upstream takes a message of a subscriber.
func (p *publisher) upstream(socket.Msg) {}

// change makes a subscription of a peer, or ends it.
func (p *publisher) change(sub socket.Subscription) {
	if sub.Peer == nil || p.take(context.Background()) != nil {
		return
	}
	defer p.give()
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.remotes[sub.Peer]
	if r == nil {
		if !sub.Add {
			return
		}
		r = &remote{peer: sub.Peer, ours: sub.Peer.Metadata[property] == subscriberIs, bindings: make(map[string]*binding)}
		p.remotes[sub.Peer] = r
	}
	ours := len(sub.Topic) > 0 && sub.Topic[:1] == private
	switch {
	case ours != r.ours: // the prefix that goes with a pattern, or a pattern behind a proxy, with which a prefix goes
	case ours && sub.Add:
		p.bind(r, sub.Topic)
	case ours:
		p.unbind(r, sub.Topic)
	case sub.Add:
		r.bindings[sub.Topic] = nil
		p.foreign.add(sub.Topic, r)
	default:
		delete(r.bindings, sub.Topic)
		p.foreign.remove(sub.Topic, r)
	}
	p.forget(r)
	close(p.changed)
	p.changed = make(chan struct{})
}

// forget forgets a remote that has gone. One that is there stays, without subscriptions too: what it was sent goes on
// being counted.
func (p *publisher) forget(r *remote) bool {
	if len(r.bindings) > 0 {
		return false
	}
	select {
	case <-r.peer.Done():
		delete(p.remotes, r.peer)
		return true
	default:
		return false
	}
}

// bind grants what one of ours asks for, or says why not.
func (p *publisher) bind(r *remote, topic string) {
	if r.bindings[topic] != nil {
		return
	}
	b := &binding{from: r}
	var err error
	if b.request, err = parseRequest(topic); err != nil {
		p.refuse(r, topic, patterns.CodeInvalidArgument, err.Error())
		return
	}
	if len(r.bindings) >= most {
		p.refuse(r, b.pattern, patterns.CodeResourceExhausted, "too many subscriptions")
		return
	}
	if _, err := p.tree.Add(b.pattern, r); err != nil {
		p.refuse(r, b.pattern, patterns.CodeResourceExhausted, err.Error())
		return
	}
	r.bindings[topic] = b
	if !r.greeted {
		r.greeted = true
		p.tell(r, &patterns.Head{Kind: patterns.KindHello, Origin: p.id, Seq: p.count}, nil)
	}
}

// unbind ends a subscription of one of ours.
func (p *publisher) unbind(r *remote, topic string) {
	b := r.bindings[topic]
	if b == nil {
		return
	}
	delete(r.bindings, topic)
	for _, other := range r.bindings {
		if other.plain() && other.pattern == b.pattern {
			return
		}
	}
	p.tree.Remove(b.pattern, r)
}

// refuse tells a subscriber what it does not get.
func (p *publisher) refuse(r *remote, pattern string, code patterns.Code, why string) {
	p.tell(r, &patterns.Head{Kind: patterns.KindReject, Method: shorten(pattern), Code: code, Text: shorten(why)}, nil)
}

func shorten(s string) string {
	if len(s) > subject.MaxBytes {
		return s[:subject.MaxBytes]
	}
	return s
}
