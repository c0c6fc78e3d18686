package socket

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/yodel-mq/yodel/socket/internal/ranges"
	"github.com/yodel-mq/yodel/socket/internal/reliable"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// How a reliable link begins. Each side that sends reliably opens a stream with OPEN, right behind the handshake; the
// other says with OPENED what it has of it. Both know from READY which of the two will: who says that it acknowledges
// is sent OPEN by who says that it opens. The link becomes a member of its socket when that is over.

// opens reports whether the socket sends reliably.
func (c *core) opens() bool {
	if !c.cfg.reliable {
		return false
	}
	switch c.typ {
	case zmtp.Push, zmtp.Pub, zmtp.Req, zmtp.Rep, zmtp.Dealer, zmtp.Router:
		return true
	default:
		return false
	}
}

// foreign reports whether a reliable socket can only be with a peer as if it were not.
func (c *core) foreign(p *Peer) bool {
	switch {
	case c.cfg.subscriber != "" && !c.keptBy(p):
		return true
	case !c.cfg.reliable:
		return false
	case c.opens():
		return !p.features.Has(zmtp.FeatureReliable)
	default:
		return !p.features.Has(zmtp.FeatureOpens)
	}
}

// An opening is what both sides of a link say about their streams before it is a member.
type opening struct {
	link     *link
	unnamed  bool           // the peer has a durable subscription, and has not said which
	session  *session       // nil if this side opens no stream
	low      uint64         // as was said in OPEN
	opened   bool           // it is open, or there is none
	verdict  zmtp.Opened    // what the peer has said of it
	answer   []zmtp.Command // what there is still to say of the peer's stream
	answered bool           // all is said, or the peer opens none
}

// begin is the beginning of every socket.
func (c *core) begin(ctx context.Context, l *link) (zmtp.Exchange, zmtp.Command, error) {
	named, naming := c.keepsFor(l.peer), c.keptBy(l.peer)
	o := &opening{
		link:     l,
		opened:   (!c.opens() && !named) || !l.peer.features.Has(zmtp.FeatureReliable),
		answered: !c.in.receives || (!naming && !l.peer.features.Has(zmtp.FeatureOpens)),
		unnamed:  named,
	}
	switch {
	case o.opened && o.answered || l.peer.inproc:
		return nil, zmtp.Command{}, nil
	case naming:
		return o, c.subscription(), nil
	case o.opened, o.unnamed:
		return o, zmtp.Command{}, nil
	}
	first, err := o.open(ctx)
	return o, first, err
}

// open opens the stream: what is left of an earlier link to the same receiver ends first.
func (o *opening) open(ctx context.Context) (zmtp.Command, error) {
	l, box := o.link, &o.link.core.out
	if err := box.mayReceive(l, l.peer.end); err != nil { // it says the same in OPENED, if it is to be believed
		l.refuse(err)
		return zmtp.Command{}, err
	}
	box.mu.Lock()
	s := box.sessionFor(l)
	for {
		if err := s.claimedBy(l); err != nil {
			box.mu.Unlock()
			l.refuse(err)
			return zmtp.Command{}, err
		}
		if s.link == nil {
			break
		}
		earlier, had := s.link, s.had
		done := box.remove(earlier)
		box.mu.Unlock()
		earlier.fail(ErrSuperseded)
		select {
		case <-done:
		case <-l.core.done:
			return zmtp.Command{}, ErrClosed
		case <-ctx.Done():
			return zmtp.Command{}, context.Cause(ctx)
		}
		box.mu.Lock()
		s = box.sessionFor(l) // it may have ended with that link
		had.take(l.peer.rival(), earlier.peer.rival())
		s.had = had
	}
	defer box.mu.Unlock()
	box.lost.leave(s)
	s.sender.Lost(s.on, box.env.now()) // of a link that has not become a member
	on, open, err := s.openSender()
	if err != nil {
		return zmtp.Command{}, err
	}
	o.session, l.out.session = s, s
	s.owner.take(box.env.cfg, l.peer)
	s.on, s.opened, s.opening = on, l, true
	if s.expiry == nil {
		s.startExpiry()
	}
	said := zmtp.Open{
		Stream: open.Stream, Epoch: open.Epoch, Nonce: open.Nonce, Link: uint64(open.Link), Low: open.Low, Next: open.Next,
		WindowMessages: open.Window.Messages, WindowBytes: open.Window.Bytes,
		Durable: open.Durable, Shared: open.Shared,
	}
	o.low = open.Low
	return said.Command(), nil
}

// Step implements [zmtp.Exchange].
func (o *opening) Step(ctx context.Context, c zmtp.Command) (send zmtp.Command, done bool, err error) {
	switch {
	case c.Name == zmtp.CommandDurableSubscribe && o.unnamed:
		if err := o.named(ctx, c.Data); err != nil {
			return send, false, err
		}
		send, err = o.open(ctx)
		return send, false, err
	case c.Name == zmtp.CommandOpen && !o.answered:
		if o.answer, err = o.link.answerOpen(c.Data); err != nil {
			return send, false, err
		}
		return o.next()
	case c.Name == zmtp.CommandMore && len(o.answer) > 0:
		return o.next()
	case c.Name == zmtp.CommandOpened && !o.opened && !o.unnamed:
		more, err := o.verdict.Add(c.Data)
		if err != nil || more {
			return zmtp.Command{Name: zmtp.CommandMore}, false, err
		}
		o.opened = true
		if err = o.take(); errors.Is(err, ErrDenied) {
			o.link.refuse(err)
		}
		return send, o.answered, err
	}
	return send, false, fmt.Errorf("%w: %.64q where streams are opened", ErrProtocol, c.Name)
}

// next is the next part of the answer.
func (o *opening) next() (send zmtp.Command, done bool, err error) {
	send, o.answer = o.answer[0], o.answer[1:]
	o.answered = len(o.answer) == 0
	return send, o.answered && o.opened, nil
}

// answerOpen has the link own the stream that the peer opens, and returns what to say about it.
func (l *link) answerOpen(data []byte) ([]zmtp.Command, error) {
	open, err := zmtp.ParseOpen(data)
	if err != nil {
		return nil, err
	}
	memory, err := l.core.remembered(open.Stream)
	if err != nil {
		return nil, err
	}
	opened, err := l.core.in.openStream(l, reliable.Open{
		Stream: open.Stream, Epoch: open.Epoch, Nonce: open.Nonce, Link: reliable.Link(open.Link),
		Low: open.Low, Next: open.Next,
		Window:  reliable.Limit{Messages: open.WindowMessages, Bytes: open.WindowBytes},
		Durable: open.Durable, Shared: open.Shared, Name: open.Name,
	}, memory)
	if err != nil {
		l.refuse(err)
		return nil, err
	}
	l.tellRefused(opened.Status)
	answer := zmtp.Opened{
		Status: zmtp.OpenStatus(opened.Status), Known: byte(opened.Known), Receiver: opened.Receiver, Next: opened.Next,
		CreditMessages: opened.Credit.Messages, CreditBytes: opened.Credit.Bytes,
		Floor: opened.Done.Floor(), Done: toWire(opened.Done.Above()), Held: toWire(opened.Held),
	}
	return answer.Commands(), nil
}

// tellRefused tells of a sender that is a copy of another one, or an earlier life of it.
func (l *link) tellRefused(s reliable.Status) {
	var kind EventKind
	switch s {
	case reliable.Fenced:
		kind = Fenced
	case reliable.Forked:
		kind = Forked
	case reliable.OK, reliable.Refused:
		return
	}
	l.core.events.add(Event{Kind: kind, Endpoint: l.ep.name, Peer: l.peer})
}

func toWire(in []reliable.Range) (out []zmtp.Range) {
	for _, r := range in {
		out = append(out, zmtp.Range(r))
	}
	return out
}

func fromWire(in []zmtp.Range) (out []reliable.Range) {
	for _, r := range in {
		out = append(out, reliable.Range(r))
	}
	return out
}

// take goes on with the session as the receiver says.
func (o *opening) take() error {
	v := &o.verdict
	opened := reliable.Opened{
		Status: reliable.Status(v.Status), Receiver: v.Receiver, Known: reliable.Knowledge(v.Known), Next: v.Next,
		Credit: reliable.Limit{Messages: v.CreditMessages, Bytes: v.CreditBytes},
		Done:   ranges.From(v.Floor, fromWire(v.Done)...), Held: fromWire(v.Held),
	}
	s, box := o.session, &o.link.core.out
	if err := box.mayReceive(o.link, opened.Receiver); err != nil {
		return err
	}
	box.mu.Lock()
	defer box.mu.Unlock()
	if s.opened != o.link {
		return ErrSuperseded
	}
	if s.spooled != nil && opened.Status == reliable.OK {
		if err := o.takeStored(&opened); err != nil {
			return err
		}
	}
	r, err := s.sender.Opened(s.on, opened)
	if err != nil {
		o.nameRefusal(err)
		return fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	if s.feeder != nil {
		s.goesOn(r, opened, o.low)
	} else {
		s.resume(r)
	}
	s.window = windowOf(box.env.cfg.window, opened.Credit)
	return nil
}

// nameRefusal tells that the receiver knows another sender of the stream.
func (o *opening) nameRefusal(err error) {
	l := o.link
	e := Event{Endpoint: l.ep.name, Address: l.peer.Address, Peer: l.peer, Err: err}
	switch {
	case errors.Is(err, reliable.ErrFenced):
		e.Kind = Fenced
	case errors.Is(err, reliable.ErrForked):
		e.Kind = Forked
	default:
		return
	}
	l.core.events.add(e)
}

// windowOf is what the sender leaves unacknowledged, if the receiver has room for as much.
func windowOf(m mark, credit reliable.Limit) mark {
	if credit.Messages > 0 {
		m.messages = min(m.messages, credit.Messages)
	}
	if credit.Bytes > 0 {
		m.bytes = min(m.bytes, credit.Bytes)
	}
	return m
}

// acked takes an ACK.
func (l *link) acked(data []byte) error {
	upto, above, err := zmtp.ParseAck(data, nil)
	if err != nil {
		return err
	}
	box := l.out.box
	box.mu.Lock()
	defer box.mu.Unlock()
	if l.out.session == nil {
		l.reading.useless += useless(1, len(data))
		return nil
	}
	return l.out.session.ack(l, reliable.Ack{Upto: upto, Ranges: fromWire(above)})
}

// byeTimeout is how long a socket that closes waits until its last commands are written.
const byeTimeout = 100 * time.Millisecond

// sayBye tells the peers of reliable links, when the socket closes, what the application has received, and that it will
// receive and send nothing more: what is not acknowledged can go to others at once.
func (c *core) sayBye(links []*link) {
	ctx, cancel := context.WithTimeout(context.Background(), byeTimeout)
	defer cancel()
	var told []*link
	for _, l := range links {
		var bye zmtp.Bye
		if l.in.stream != nil {
			l.payAcks()
			bye |= zmtp.ByeReceiving
		}
		if l.out.session != nil && l.out.session.spooled == nil { // what comes from a store goes on in another life
			bye |= zmtp.ByeSending
		}
		if bye != 0 {
			l.sendCommand(func(b []byte) []byte { return zmtp.AppendBye(b, bye) })
			told = append(told, l)
		}
	}
	for _, l := range told {
		c.out.awaitWritten(ctx, l)
	}
}

// awaitWritten waits until nobody writes to a link, or ctx ends. It reports whether everything is written.
func (o *outbox) awaitWritten(ctx context.Context, l *link) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for l.out.writing && !l.out.silent() && ctx.Err() == nil {
		w := o.writeWaiters.Join()
		o.mu.Unlock()
		err := w.Wait(ctx)
		o.mu.Lock()
		o.writeWaiters.Leave(w, err)
	}
	return !l.out.writing && !l.out.silent()
}

// saidBye takes a BYE.
func (l *link) saidBye(data []byte) error {
	bye, err := zmtp.ParseBye(data)
	if err != nil {
		return err
	}
	l.reading.useless += useless(1, len(data))
	if bye&zmtp.ByeSending != 0 {
		l.core.in.forgetStream(l)
	}
	if bye&zmtp.ByeReceiving != 0 {
		l.out.box.endSession(l)
	}
	return nil
}
