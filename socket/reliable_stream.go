package socket

import (
	"fmt"
	"time"

	"github.com/yodel-mq/yodel/socket/internal/ranges"
	"github.com/yodel-mq/yodel/socket/internal/reliable"
	"github.com/yodel-mq/yodel/socket/internal/waitlist"
	"github.com/yodel-mq/yodel/socket/spool"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// A stream is what a reliable peer sends this socket, over however many connections. One link at a time owns it, the
// last that has opened it: what an earlier one still brings comes again by that, and is dropped. What an earlier link
// has queued is put in front of the queue of the owner when that joins, so that the order stays.
//
// A message is acknowledged once the application has received it, which costs nothing for each: the ledger knows how
// many of a link's messages are still unread. Where the application settles them itself, one by one and in any order,
// the Receiver is told of each by its number. The acknowledgement leaves by whoever reads the link once much is owed,
// and otherwise ackDelay after the first message, by the heartbeat timer (link.check).
//
// All of it is guarded by inbox.mu.
type stream struct {
	in       *inbox
	receiver *reliable.Receiver
	id       reliable.ID
	labels   labels        // of the messages in the holder's queue
	shared   bool          // others get some of its messages too
	from     spool.Sender  // who has opened it last
	low      uint64        // numbers below will not come again
	peer     *Peer         // at the far end of the last link
	user     owner         // who has opened it first, of those who have proven who they are
	notes    []note        // of messages that are settled once these are on disk
	owner    *link         // whose messages count; nil while there is none
	on       reliable.Link // which of the receiver's links that is
	holder   *link         // whose queue has what is unread of it, or whose orphan does
	entered  Count         // of the holder's messages, those that the receiver knows to be received
	hurry    Count         // with so much owed it is acknowledged at once
	armed    bool          // the timer has been set
	hurried  bool          // and to now
	along    bool          // an acknowledgement has left along with messages since
	closed   bool          // what is received from now on is nobody's
	leaving  bool          // this side ends the link: nothing more is taken of what comes by it
	lost     int           // how often it stands in inbox.lostStreams
	over     bool          // the sender sends nothing more, for good
	next     *zmtp.Next    // was said of the next message, and is not entered yet
	expires  time.Time     // of the next message, as it was said; zero for never
	said     []byte        // commands about messages that go ahead of the next acknowledgement
	opening  waitlist.List // those who wait for a link
	missed   ranges.Set    // messages that GAP was said of
}

// maxLostStreams is how many streams without a link an inbox remembers: of one that is forgotten messages may come
// twice.
const maxLostStreams = 16 << 10

// openStream has a link own the stream that its peer opens, from now on. memory is what an earlier life of this
// receiver has taken of it, nil for nothing.
func (q *inbox) openStream(
	l *link, o reliable.Open, memory *reliable.Memory,
) (opened reliable.Opened, err error) {
	q.recv.Lock()
	defer q.recv.Unlock()
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.streams[o.Stream]
	if s == nil {
		s = &stream{in: q, id: o.Stream, receiver: reliable.NewReceiver(reliable.ReceiverConfig{
			ID:     l.core.endAt(l.ep),
			Named:  l.core.cfg.named(),
			Credit: l.core.credit(l.peer),
		}, memory)}
		s.labels.by = s
	}
	if err := s.user.refuses(&l.core.cfg, l.peer, fmt.Sprintf("the stream %v", spool.ID(s.id)), ""); err != nil {
		return reliable.Opened{}, err
	}
	q.giveBack()
	s.settle(q.env.now())
	on, opened := s.receiver.Open(o)
	if opened.Status != reliable.OK {
		return opened, nil
	}
	s.user.take(&l.core.cfg, l.peer)
	if q.streams == nil {
		q.streams = make(map[reliable.ID]*stream)
	}
	q.streams[o.Stream] = s
	s.owner, s.on, l.in.stream, l.in.labels = l, on, s, &s.labels
	s.shared, s.leaving, s.said = o.Shared, false, s.said[:0] // what was to be said, the answer says
	s.armed, s.hurried = false, false                         // nothing goes ahead of that
	for _, t := range s.receiver.Terms() {
		s.said = zmtp.AppendTerm(s.said, t.Pos, t.Reason)
	}
	s.next, s.expires = nil, time.Time{} // the message was lost with its link
	s.from = spool.Sender{Stream: spool.ID(o.Stream), Epoch: o.Epoch, Nonce: o.Nonce}
	s.low, s.peer = max(s.low, o.Low), l.peer
	l.in.limit = l.in.limit.beyond(opened.Credit)
	s.hurry = Count{
		quarterOf(o.Window.Messages, reliable.DefaultAckMessages),
		quarterOf(o.Window.Bytes, reliable.DefaultAckBytes),
	}
	return opened, nil
}

// credit is how much a reliable peer may leave unacknowledged, zero for as much as it likes. Where both sides send
// reliably this side has to read on however much that is, for the acknowledgements of what it sends come behind it: if
// both sides stopped, neither would go on.
func (c *core) credit(p *Peer) reliable.Limit {
	if !c.opens() || !p.features.Has(zmtp.FeatureReliable) {
		return reliable.Limit{}
	}
	return reliable.Limit{Messages: c.cfg.window.messages, Bytes: c.cfg.window.bytes}
}

// beyond is the mark at which reading stops for a peer that was given credit: so far beyond it that one write more
// finds room.
func (m mark) beyond(credit reliable.Limit) mark {
	if credit.Messages > 0 && m.messages > 0 {
		m.messages += credit.Messages + creditSlack
	}
	if credit.Bytes > 0 && m.bytes > 0 {
		m.bytes += credit.Bytes + credit.Messages*queuedFrame + defaultHWMBytes
	}
	return m
}

const creditSlack = 64 << 10

func quarterOf(window, most uint64) uint64 {
	if window == 0 {
		return most
	}
	return min(most, max(1, window/4))
}

// inherit puts what an earlier link of the stream has queued in front of what a link that joins will bring. recv and mu
// are held.
func (q *inbox) inherit(l *link) {
	s := l.in.stream
	if s.owner != l {
		return // another one has opened it meanwhile
	}
	q.giveBack()
	s.settle(q.env.now())
	old := s.holding()
	s.holder, s.entered = l, l.in.counts.received.minus(l.in.counts.unread)
	if old != nil && old.in.counts.unread.Messages > 0 {
		n, further := old.in.counts.unread, old.in.counts.further
		l.in.queue, old.in.queue = old.in.queue, queue{}
		transfer(&old.in.counts, &l.in.counts, n, further)
		if q.round.replace(old, l) {
			old.in.active, l.in.active = false, true
		}
		q.bequeath(old, l)
		q.queueShrank(old)
		q.limit(l)
	}
	s.arm()
	s.opening.WakeAll()
}

// holding is the link, or its orphan, in whose queue the unread messages are.
func (s *stream) holding() *link {
	if s.holder != nil && s.holder.in.orphan != nil {
		return s.holder.in.orphan
	}
	return s.holder
}

// knows reports whether this process has heard of a stream.
func (q *inbox) knows(id reliable.ID) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.streams[id] != nil
}

// loseStream notes that a link has ended.
func (q *inbox) loseStream(l *link) {
	s := l.in.stream
	if s.owner != l {
		return
	}
	s.owner, s.armed, s.hurried = nil, false, false
	s.receiver.Lost(s.on)
	if s.holder == l && l.in.counts.unread.Messages == 0 { // nothing keeps the link
		s.settle(q.env.now())
		s.holder, s.entered = nil, Count{}
	}
	if s.over {
		delete(q.streams, s.id)
		return
	}
	q.lostStreams = append(q.lostStreams, s)
	s.lost++
	for len(q.lostStreams) > maxLostStreams {
		oldest := q.lostStreams[0]
		q.lostStreams = q.lostStreams[1:]
		if oldest.lost--; oldest.lost == 0 && oldest.owner == nil { // it has not been lost again since
			delete(q.streams, oldest.id)
		}
	}
}

// loseUnjoined notes that a link has ended before it became a member: it may own a stream all the same.
func (q *inbox) loseUnjoined(l *link) {
	q.recv.Lock()
	defer q.recv.Unlock()
	q.mu.Lock()
	defer q.mu.Unlock()
	if l.in.stream != nil {
		q.loseStream(l)
	}
}

// putStream is put for a link whose peer sends reliably.
func (q *inbox) putStream(l *link, msgs [][][]byte) (n int) {
	s := l.in.stream
	taken, due := 0, false
	for n < len(msgs) {
		rest := msgs[n:]
		verdict, k := s.judge(l, len(rest))
		rest = rest[:k]
		if s.leaving && verdict == reliable.Take { // the peer has it still
			q.passOver(l, PeerGone, rest)
			n += len(rest)
			continue
		}
		if verdict == reliable.Take {
			k := q.pushSome(l, rest)
			s.took(k)
			n, taken = n+k, taken+k
			if k < len(rest) {
				break
			}
			continue
		}
		q.passOver(l, Duplicate, rest)
		n += len(rest)
		if verdict == reliable.Duplicate {
			s.expires = time.Time{}
			due = s.receiver.Dropped(q.env.now(), k, 0) || due
			continue
		}
		l.reading.superseded = true
	}
	q.announce(l, taken)
	if s.owner == l && (s.settle(q.env.now()) || due) {
		l.reading.ackDue = true
	}
	return n
}

// passOver rejects messages that a link has brought. The ledger then has them as received and not unread, as those that
// the application has got; but they are none that the receiver waits to be settled.
func (q *inbox) passOver(l *link, why Reason, msgs [][][]byte) {
	q.rejectAll(l, why, msgs)
	if s := l.in.stream; s.holding() == l {
		s.entered = s.entered.plus(countFrames(msgs))
	}
}

// took enters the next k messages, which were queued.
func (s *stream) took(k int) {
	if k == 0 {
		return // for want of room; what was said of the next one stands
	}
	n, said := s.receiver.NextNumber(), s.receiver.Flags()
	s.labels.add(label{
		key: n, id: MessageID{Stream: spool.ID(s.id), Seq: n},
		attempts: int(said.Attempts), redelivered: said.Redelivered, expires: s.expires,
	}, uint64(k), s.owner.in.counts.unread.Messages)
	s.expires = time.Time{}
	s.receiver.Took(uint64(k))
}

// judge says what becomes of the next messages of a link, and of how many of them.
func (s *stream) judge(l *link, n int) (reliable.Verdict, uint64) {
	if s.owner != l {
		return reliable.Void, uint64(n)
	}
	return s.receiver.Judge(s.on, uint64(n))
}

func countFrames(msgs [][][]byte) (n Count) {
	for _, frames := range msgs {
		n.add(Msg{Frames: frames}.Size())
	}
	return n
}

// joined reports whether the stream's link is a member, so that something can be said over it. What was settled before
// the answer to its OPEN has told.
func (s *stream) joined() bool { return s.owner != nil && s.holder == s.owner }

// closeStreams notes what has been received when the socket closes: what it discards is not. recv and mu are held.
func (q *inbox) closeStreams() {
	now := q.env.now()
	for _, s := range q.streams {
		s.settle(now)
		s.closed = true
	}
}

// forgetStream notes that nothing more follows on the stream of a link.
func (q *inbox) forgetStream(l *link) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if s := l.in.stream; s != nil && s.owner == l {
		s.over = true
	}
}

// said takes a NEXT or LOW of the link's peer. A NEXT is about the message behind it: it is entered once those ahead of
// it are queued, for which the reader pauses.
func (q *inbox) said(l *link, name string, data []byte) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := l.in.stream
	if s == nil || s.owner != l {
		return nil
	}
	if name == zmtp.CommandLow {
		low, settled, err := zmtp.ParseLow(data, nil)
		if err != nil {
			return err
		}
		s.low = max(s.low, low)
		return s.receiver.Low(s.on, low, fromWire(settled)...)
	}
	next, err := zmtp.ParseNext(data)
	if err != nil {
		return err
	}
	s.next, l.reading.nextSaid = &next, true
	return zmtp.ErrPause
}

// enterNext enters what NEXT has said of the message that comes next.
func (l *link) enterNext() error {
	l.reading.nextSaid = false
	q := &l.core.in
	q.mu.Lock()
	defer q.mu.Unlock()
	s := l.in.stream
	n := s.next
	if s.owner != l || n == nil {
		return nil
	}
	s.next = nil
	if s.expires = (time.Time{}); n.TTL > 0 {
		s.expires = time.Now().Add(n.TTL)
	}
	return s.receiver.Next(s.on, reliable.Next{Number: n.Number, Attempts: n.Attempts, Redelivered: n.Redelivered})
}
