package pubsub

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/socket"
)

// A giver is where an event came from that is to be acknowledged: a connection, of one of a group, or a stream.
type giver interface {
	// settle notes that an event is done with, flush says so, unless it is said already.
	settle(number uint64)
	flush()
	// refuse gives an event back, to come again after a while, or never.
	refuse(number uint64, kind patterns.Kind, after time.Duration)
	// idle tells whether the application has nothing.
	idle() bool
}

// A stream is a durable subscription at one publisher, over all connections of a line. Events have the numbers of the
// publisher's spool. What it says is absolute: all up to last has come, and is done but for what is at hand or was
// given back.
type stream struct {
	line   *line
	key    groupKey
	origin [16]byte

	mu     sync.Mutex
	conn   *conn // by which it is served
	id     uint64
	last   uint64
	hand   map[uint64]uint64   // what the application has, with the attempts before
	back   map[uint64]handback // and what it has given back, and has not got again
	lost   uint64              // what the publisher's spool has lost, as far as was said
	asked  bool                // for what comes behind last
	unsaid int
}

type handback struct {
	attempts uint64
	after    time.Duration
}

// greeted takes a publisher's word on which durable subscription this line has, and says how far it got.
func (l *line) greeted(h *patterns.Head) {
	key := groupKey{h.Text, h.Method}
	l.of.mu.Lock()
	st := l.streams[key]
	if st == nil || st.origin != h.Origin {
		st = &stream{
			line: l, key: key, origin: h.Origin, hand: make(map[uint64]uint64), back: make(map[uint64]handback),
			lost: first(h.List),
		}
		if l.streams == nil {
			l.streams = make(map[groupKey]*stream)
		}
		l.streams[key] = st
	}
	l.of.mu.Unlock()
	st.mu.Lock()
	defer st.mu.Unlock()
	st.conn, st.id, st.asked, st.unsaid = l.current, h.Delivery, false, 0
	st.say(&patterns.Head{Kind: patterns.KindResume, Origin: st.origin, Seq: st.last, List: st.unfinished()})
	st.sayBack()
}

func first(list []uint64) uint64 {
	if len(list) == 0 {
		return 0
	}
	return list[0]
}

// stream returns the one that a publisher's word is on; nil if there is none.
func (l *line) stream(id uint64) *stream {
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	for _, st := range l.streams {
		if st.id == id && st.conn == l.current { // both are set by who calls this
			return st
		}
	}
	return nil
}

// lasting takes an event of a durable subscription.
func (l *line) lasting(parcels []parcel, h *patterns.Head, m socket.Msg) []parcel {
	l.of.received.Add(1)
	st := l.stream(h.Delivery)
	if st == nil {
		l.of.late.Add(1)
		return parcels
	}
	ok, dup := st.came(h)
	missed := st.missing(h)
	l.of.missed.Add(uint64(missed))
	if !ok {
		if dup {
			l.of.duplicates.Add(1)
		}
		l.untold += missed
		return parcels
	}
	p := parcel{subject: h.Method, frames: m.Frames[1:], from: m.From, missed: missed + l.untold, giver: st, number: h.Seq}
	l.untold = 0
	return append(parcels, p)
}

// missing is how many more events were lost than was known.
func (st *stream) missing(h *patterns.Head) (n int) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if lost := first(h.List); lost > st.lost {
		n = int(min(lost-st.lost, 1<<31-1))
		st.lost = lost
	}
	return n
}

// came notes an event. It returns false for one that has come before, and for one before which another was dropped on
// the way: that is asked for.
func (st *stream) came(h *patterns.Head) (ok, dup bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	_, here := st.hand[h.Seq]
	behind := h.Window == h.Seq // its place, because it was given back
	switch {
	case here, !behind && h.Seq <= st.last:
		return false, true
	case h.Window != st.last && (!behind || h.Seq > st.last):
		st.ask()
		return false, false
	}
	delete(st.back, h.Seq)
	st.last, st.asked = max(st.last, h.Seq), false
	st.hand[h.Seq] = h.Attempt
	return true, false
}

// ask asks, once, for what comes behind last. mu is held.
func (st *stream) ask() {
	if !st.asked {
		st.asked = true
		st.say(&patterns.Head{Kind: patterns.KindNack, Seq: st.last, NotBegun: true})
	}
}

// probed answers a publisher that asks what is here of what it has sent, up to a number.
func (l *line) probed(h *patterns.Head) {
	st := l.stream(h.Delivery)
	if st == nil {
		return
	}
	missed := st.missing(h)
	l.of.missed.Add(uint64(missed))
	l.untold += missed
	st.mu.Lock()
	defer st.mu.Unlock()
	if h.Seq > st.last {
		st.asked = false
		st.ask()
	}
	st.tell()
	st.sayBack()
}

func (st *stream) settle(number uint64) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if _, here := st.hand[number]; !here {
		return
	}
	delete(st.hand, number)
	if st.unsaid++; st.unsaid >= enough {
		st.tell()
	}
}

func (st *stream) flush() {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.unsaid > 0 {
		st.tell()
	}
}

func (st *stream) idle() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	return len(st.hand) == 0
}

func (st *stream) refuse(number uint64, kind patterns.Kind, after time.Duration) {
	st.mu.Lock()
	defer st.mu.Unlock()
	attempts, here := st.hand[number]
	if !here {
		return
	}
	delete(st.hand, number)
	if kind != patterns.KindNack {
		st.say(&patterns.Head{Kind: kind, List: []uint64{number}, Attempt: attempts})
		return
	}
	st.back[number] = handback{attempts, after}
	st.sayBack()
}

// tell says all that is done. mu is held.
func (st *stream) tell() {
	st.say(&patterns.Head{Kind: patterns.KindAck, Seq: st.last, List: st.unfinished()})
	st.unsaid = 0
}

// sayBack says what was given back, as often as need be: the publisher knows which it has taken. mu is held.
func (st *stream) sayBack() {
	for number, b := range st.back {
		st.say(&patterns.Head{Kind: patterns.KindNack, List: []uint64{number}, Attempt: b.attempts, Left: b.after})
	}
}

// unfinished is what has come and is not done. mu is held.
func (st *stream) unfinished() []uint64 {
	return slices.AppendSeq(slices.AppendSeq([]uint64(nil), maps.Keys(st.hand)), maps.Keys(st.back))
}

// say sends something upstream, unless somebody else is connected now. What there is no room for is lost: the publisher
// asks. mu is held.
func (st *stream) say(h *patterns.Head) {
	c := st.conn
	if c == nil || c != st.line.conn.Load() {
		return
	}
	c.mu.Lock()
	h.Window = c.number
	c.mu.Unlock()
	h.Delivery, h.Flags = st.id, patterns.FlagDurable
	if h.Window > 0 {
		_ = st.line.sock.TrySend(socket.NewMsg(h.AppendTo(nil)))
	}
}
