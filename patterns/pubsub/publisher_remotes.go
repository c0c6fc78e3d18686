package pubsub

import (
	"context"
	"time"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/internal/dispatch"
	meet "github.com/yodel-mq/yodel/patterns/internal/line"
	"github.com/yodel-mq/yodel/patterns/internal/subject"
	"github.com/yodel-mq/yodel/socket"
)

// A remote is a peer that has subscribed to something. What is in it is guarded by publisher.mu.
type remote struct {
	peer     *socket.Peer
	ours     bool                // it is a Subscriber, so that it understands what is private, and patterns
	greeted  bool                // it knows who we are
	bindings map[string]*binding // by topic; of a foreign one with a nil for each prefix
	number   uint64              // of the connection, by which it says which it means
	found    uint64              // the round in which an event was found to be for it

	// Of the events that were for this connection:
	meant uint64        // so many
	told  uint64        // it was told of so many
	pause time.Duration // between the last beat and the next, which says the same
	due   time.Time     // when that is

	// Of groups:
	deliveries uint64     // so many were given to it
	open       []delivery // of these, not settled, in order
}

// events is how much it was sent that it does not know the number of by itself.
func (r *remote) events() uint64 { return r.meant + r.deliveries }

// gone tells whether the connection is over.
func (r *remote) gone() bool {
	select {
	case <-r.peer.Done():
		return true
	default:
		return false
	}
}

// A binding is one subscription of a remote.
type binding struct {
	request
	from   *remote
	asked  string    // the topic
	isLive bool      // a plain one that gets what is published
	held   time.Time // until when it waits for the subscriber to say how far it got; zero if it does not wait
	past   uint64    // what was published behind this number it has got, as far as there was room

	of     *group // that it is a member of, and as whom
	worker dispatch.Worker

	lasting *durable // that it has
}

// most is how many subscriptions of ours one peer may have, beside the prefixes that go with them.
const most = 10_000

// receive takes what subscribers ask for and send, until the socket closes.
func (p *publisher) receive() {
	var refused *socket.Peer // the last
	for m, err := range p.sock.Messages(context.Background()) {
		if err != nil {
			return
		}
		sub, ok := socket.ParseSubscription(m)
		if m.From == nil {
			continue
		}
		if err := meet.Publisher.Meet(m.From); err != nil {
			if m.From != refused && ok && sub.Add { // which is what begins a connection
				refused = m.From
				p.turnAway(refused, err)
			}
			continue
		}
		if ok {
			p.change(sub)
			continue
		}
		p.upstream(m)
	}
}

// turnAway disconnects a peer that is no subscriber.
func (p *publisher) turnAway(peer *socket.Peer, err error) {
	_ = p.sock.DisconnectPeer(peer) // it may have gone
	if p.cfg.refused != nil {
		p.cfg.refused(mismatch(peer, err))
	}
}

// upstream takes a message of a subscriber: a head, and nothing else.
func (p *publisher) upstream(m socket.Msg) {
	h, err := patterns.ParseHead(m.Frames[0])
	if err != nil || h.Version > newestVersion || p.take(context.Background()) != nil {
		return
	}
	defer p.give()
	p.mu.Lock()
	defer p.mu.Unlock()
	if h.Flags&patterns.FlagDurable != 0 {
		p.word(m.From, &h)
		return
	}
	r := p.remotes[m.From]
	if r == nil || !r.ours {
		return
	}
	switch h.Kind {
	case patterns.KindAck, patterns.KindNack, patterns.KindReject, patterns.KindInProgress:
		p.verdict(r, &h)
	case patterns.KindResume:
		p.resume(r, &h)
	default: // has no place here
	}
}

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
		p.numbers++
		r = &remote{
			peer: sub.Peer, ours: sub.Peer.Metadata[property] == subscriberIs, number: p.numbers,
			bindings: make(map[string]*binding),
		}
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
	p.tellChange()
}

// tellChange wakes those who wait for a change of what is subscribed, or for room.
func (p *publisher) tellChange() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// forget forgets a remote that has gone. One that is there stays, without subscriptions too: what it was sent goes on
// being counted.
func (p *publisher) forget(r *remote) bool {
	if len(r.bindings) > 0 || !r.gone() {
		return false
	}
	delete(p.remotes, r.peer)
	return true
}

// bind grants what one of ours asks for, or says why not.
func (p *publisher) bind(r *remote, topic string) {
	if r.bindings[topic] != nil {
		return
	}
	b := &binding{from: r, asked: topic}
	var err error
	if b.request, err = parseRequest(topic); err != nil {
		p.refuse(r, topic, patterns.CodeInvalidArgument, err.Error())
		return
	}
	if len(r.bindings) >= most {
		p.refuse(r, b.pattern, patterns.CodeResourceExhausted, "too many subscriptions")
		return
	}
	if b.overflow > 0 && !p.allow(b) {
		return
	}
	r.bindings[topic] = b
	if !r.greeted || b.hold {
		hello := patterns.Head{Kind: patterns.KindHello, Origin: p.id, Seq: p.count, Window: r.number, Left: p.cfg.lease}
		if !r.greeted {
			r.greeted = true
			p.tell(r, &hello, nil)
		}
		if hello.Method = b.pattern; b.hold {
			p.tell(r, &hello, nil)
		}
	}
	switch {
	case b.durable != "" && p.cfg.spool != nil:
		p.bindDurable(b)
	case b.durable != "":
		p.refuse(r, b.pattern, patterns.CodeUnimplemented, "there are no durable subscriptions here")
	case b.group != "":
		if err := p.join(b); err != nil {
			delete(r.bindings, topic)
			p.refuse(r, b.pattern, patterns.CodeResourceExhausted, err.Error())
		}
	case b.hold:
		b.held = p.now().Add(p.cfg.lease)
		p.wakeBy(b.held)
	default:
		p.enter(b, 0)
	}
	if b.last && p.history.subjects == 0 {
		p.refuse(r, b.pattern, patterns.CodeUnimplemented, "no last values are kept here")
	}
	if b.replay > 0 && p.history.events == 0 {
		p.refuse(r, b.pattern, patterns.CodeUnimplemented, "no events are kept here to be replayed")
	}
}

// allow gives a peer the policy that it asks for, unless it would hold up others.
func (p *publisher) allow(b *binding) bool {
	switch policy := socket.Overflow(b.overflow - 1); policy {
	case socket.DropNewest, socket.DropOldest, socket.Conflate, socket.Disconnect:
		_ = p.sock.SetOverflow(b.from.peer, policy) // it may have gone
		return true
	default:
		p.refuse(b.from, b.pattern, patterns.CodePermissionDenied, "a policy that would hold up others")
		return false
	}
}

// unbind ends a subscription of one of ours.
func (p *publisher) unbind(r *remote, topic string) {
	b := r.bindings[topic]
	if b == nil {
		return
	}
	delete(r.bindings, topic)
	switch {
	case b.of != nil:
		p.part(b)
		return
	case b.lasting != nil:
		p.away(b)
		return
	case !b.isLive:
		return
	}
	for _, other := range r.bindings {
		if other.isLive && other.pattern == b.pattern {
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
