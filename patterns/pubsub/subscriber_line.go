package pubsub

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/yodel-mq/yodel/patterns"
	meet "github.com/yodel-mq/yodel/patterns/internal/line"
	"github.com/yodel-mq/yodel/patterns/internal/subject"
	"github.com/yodel-mq/yodel/socket"
)

// A line is the way to one endpoint, with a socket of its own, so that what goes upstream goes to one publisher. One
// goroutine reads it; what is not said to be for others is that goroutine's.
type line struct {
	of       *subscriber
	endpoint string
	sock     *socket.XSub
	reading  context.Context //nolint:containedctx // ends when there is nothing more to read
	stop     context.CancelFunc

	peer     *socket.Peer   // who is connected, as far as has been read
	refused  *socket.Peer   // who is no publisher, and was disconnected
	past     []*socket.Peer // who was connected before
	current  *conn          // the connection
	gaps     gaps           // of it
	position position       // over all connections
	untold   int            // missing events of durable subscriptions

	conn    atomic.Pointer[conn] // current, for others
	streams map[groupKey]*stream // durable subscriptions; guarded by subscriber.mu
}

// A parcel is an event on its way to the application, or an error.
type parcel struct {
	subject string
	frames  [][]byte // head and body, or a body alone
	from    *socket.Peer
	missed  int
	err     error

	giver  giver  // of an event of a group, or of a durable subscription
	number uint64 // that it has there; 0 for any other event
}

// batch is how many messages are handed over at a time, at most.
const batch = 64

func (s *subscriber) newLine(endpoint string) *line {
	l := &line{of: s, endpoint: endpoint}
	opts := append([]socket.XSubOption(nil), s.cfg.xsub...)
	l.sock = socket.NewXSub(append(opts, socket.WithMetadata(property, subscriberIs))...)
	l.reading, l.stop = context.WithCancel(context.Background())
	return l
}

// subscribe asks for something: what a foreign publisher understands, and what one of ours does. What is for a group
// is asked of ours alone, as foreign ones would give it to all.
func (l *line) subscribe(r *request) error {
	if r.plain() {
		if err := l.sock.Subscribe(subject.Prefix(r.pattern)); err != nil {
			return err
		}
	}
	return l.sock.Subscribe(r.topic())
}

// unsubscribe takes that back. That it was not subscribed cannot be.
func (l *line) unsubscribe(r *request) {
	_ = l.sock.Unsubscribe(r.topic())
	if r.plain() {
		_ = l.sock.Unsubscribe(subject.Prefix(r.pattern))
	}
}

// read hands over what comes, until the line is left or the subscriber closes.
func (l *line) read() {
	defer l.sock.Close()
	for {
		m, err := l.sock.Recv(l.reading)
		if err != nil {
			return
		}
		var parcels []parcel
		if l.peer != nil && m.From != l.peer && !l.isPast(m.From) {
			parcels = l.change(parcels, m)
		} else {
			parcels = l.take(parcels, m)
		}
		for len(parcels) < batch {
			if m, err = l.sock.TryRecv(); err != nil {
				break
			}
			if m.From != l.peer && !l.isPast(m.From) {
				parcels = l.change(parcels, m)
				break
			}
			parcels = l.take(parcels, m)
		}
		if len(parcels) == 0 {
			continue
		}
		select {
		case l.of.parcels <- parcels:
		case <-l.of.done:
			return
		}
	}
}

// change takes a message of a peer that was not there before. What the one before it had sent comes first, as far as it
// has been read; a socket with several peers receives from each in turn. The rest of that is left out from then on, for
// where it is asked for the new connection brings it, and where not, nobody knows what is missing.
func (l *line) change(parcels []parcel, first socket.Msg) []parcel {
	held := []socket.Msg{first}
	for others := 0; others < 2*batch; {
		m, err := l.sock.TryRecv()
		if err != nil {
			break
		}
		if others++; m.From != l.peer {
			held = append(held, m)
			continue
		}
		others = 0
		parcels = l.take(parcels, m)
	}
	for _, m := range held {
		parcels = l.take(parcels, m)
	}
	return parcels
}

// isPast tells whether a peer is one before the one that is connected.
func (l *line) isPast(peer *socket.Peer) bool { return slices.Contains(l.past, peer) }

// mostPast is how many of those are known.
const mostPast = 8

// leave ends the line once what the peer had sent is read. The socket disconnects already.
func (l *line) leave() {
	for _, p := range l.sock.Stats().Peers {
		select {
		case <-p.Peer.Done():
		case <-l.of.done:
		}
	}
	l.stop()
}

func (l *line) close() {
	_ = l.sock.Close()
	l.stop()
}

// take sorts out what came, and appends what is for the application.
func (l *line) take(parcels []parcel, m socket.Msg) []parcel {
	if m.From != l.peer {
		if l.isPast(m.From) {
			l.of.late.Add(1)
			return parcels
		}
		if m.From == l.refused {
			return parcels
		}
		if err := meet.Subscriber.Meet(m.From); err != nil {
			l.refused = m.From
			_ = l.sock.DisconnectPeer(m.From) // it may have gone
			return append(parcels, parcel{from: m.From, err: mismatch(m.From, err)})
		}
		l.connected(m.From)
	}
	topic := m.Frames[0]
	if len(topic) > 0 && topic[0] == private[0] {
		return l.private(parcels, m)
	}
	l.of.received.Add(1)
	if l.of.replays.Load() && len(m.Frames) > 1 {
		if h, err := patterns.ParseHead(m.Frames[1]); err == nil {
			l.position.came(h.Seq, false)
		}
	}
	return l.event(parcels, parcel{subject: string(topic), frames: m.Frames[1:], from: m.From})
}

// event appends an event if it is wanted.
func (l *line) event(parcels []parcel, p parcel) []parcel {
	if p.missed = l.gaps.event(); !l.of.wanted(p.subject) {
		l.of.filtered.Add(1)
		l.gaps.tellLater(p.missed)
		return parcels
	}
	return append(parcels, p)
}

// connected notes that somebody else is connected now.
func (l *line) connected(peer *socket.Peer) {
	if l.peer != nil {
		l.past = append(l.past[max(0, len(l.past)-mostPast+1):], l.peer)
	}
	l.peer = peer
	l.gaps = gaps{untold: l.gaps.untold, unknown: l.gaps.unknown}
	l.current = &conn{line: l}
	l.conn.Store(l.current)
}

// private takes what a publisher of ours tells us alone.
func (l *line) private(parcels []parcel, m socket.Msg) []parcel {
	var h patterns.Head
	err := patterns.ErrHead
	if len(m.Frames) > 1 {
		h, err = patterns.ParseHead(m.Frames[1])
	}
	if err != nil || h.Version > newestVersion || m.From.Metadata[property] != publisherIs {
		l.of.undecodable.Add(1)
		return parcels
	}
	durable := h.Flags&patterns.FlagDurable != 0
	switch h.Kind {
	case patterns.KindMessage:
		if durable {
			return l.lasting(parcels, &h, m)
		}
		return l.given(parcels, &h, m)
	case patterns.KindHello:
		if durable {
			l.greeted(&h)
			break
		}
		l.hello(&h)
	case patterns.KindResume:
		if l.position.complete(h.Method, h.Seq) {
			l.gaps.unknown = false
		}
	case patterns.KindBeat:
		if durable {
			l.probed(&h)
			break
		}
		l.of.missed.Add(l.gaps.beat(h.Window))
		l.current.missed(h.Delivery)
		l.position.beat(h.Seq)
	case patterns.KindReject:
		err := fmt.Errorf("%w: %q: %w", ErrRefused, h.Method, &patterns.Error{Code: h.Code, Text: h.Text})
		return append(parcels, parcel{from: m.From, err: failed("subscribe", err)})
	default:
		l.of.undecodable.Add(1)
	}
	return parcels
}

// given takes an event that is for us alone: of a group, or of the past.
func (l *line) given(parcels []parcel, h *patterns.Head, m socket.Msg) []parcel {
	l.of.received.Add(1)
	p := parcel{subject: h.Method, frames: m.Frames[1:], from: m.From}
	if h.Delivery == 0 {
		if !l.position.came(h.Seq, true) {
			l.of.duplicates.Add(1)
			l.gaps.tellLater(l.gaps.event())
			return parcels
		}
		return l.event(parcels, p)
	}
	l.of.reminding.Do(func() { l.of.running.Go(l.of.remind) })
	if !l.current.came(h) {
		l.of.duplicates.Add(1)
		return parcels
	}
	p.giver, p.number = l.current, h.Delivery
	return append(parcels, p)
}
