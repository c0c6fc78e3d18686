package pubsub

import (
	"context"
	"fmt"

	"github.com/yodel-mq/yodel/patterns"
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

	peer *socket.Peer // who is connected, as far as has been read
	gaps gaps         // of that connection
}

// A parcel is an event on its way to the application, or an error.
type parcel struct {
	subject string
	frames  [][]byte // head and body, or a body alone
	from    *socket.Peer
	missed  int
	err     error
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
		parcels := l.take(nil, m)
		for len(parcels) < batch {
			if m, err = l.sock.TryRecv(); err != nil {
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
		l.connected(m.From)
	}
	topic := m.Frames[0]
	if len(topic) > 0 && topic[0] == private[0] {
		return l.private(parcels, m)
	}
	l.of.received.Add(1)
	p := parcel{subject: string(topic), frames: m.Frames[1:], from: m.From, missed: l.gaps.event()}
	if !l.of.wanted(p.subject) {
		l.of.filtered.Add(1)
		l.gaps.tellLater(p.missed)
		return parcels
	}
	return append(parcels, p)
}

// connected notes that somebody else is connected now.
func (l *line) connected(peer *socket.Peer) {
	l.peer = peer
	l.gaps = gaps{}
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
	switch h.Kind {
	case patterns.KindHello:
	case patterns.KindBeat:
		l.of.missed.Add(l.gaps.beat(h.Window))
	case patterns.KindReject:
		err := fmt.Errorf("%w: %q: %w", ErrRefused, h.Method, &patterns.Error{Code: h.Code, Text: h.Text})
		return append(parcels, parcel{from: m.From, err: failed("subscribe", err)})
	default:
		l.of.undecodable.Add(1)
	}
	return parcels
}
