package socket

import (
	"context"
	"errors"
	"time"

	"github.com/yodel-mq/yodel/socket/internal/ranges"
)

// A feeder takes messages from one cursor of a store to links: to any of several, a run for each in turn, or to the one
// receiver that it is for. It has a goroutine, which holds one run at most that is on no link yet.
type feeder struct {
	assignment // its receiver is the name of the one it is for; "" for any
	of         *spooled
	cur        cursor
	wake       chan struct{} // there may be room
	lazy       bool          // reads nothing while there is no link

	// Guarded by outbox.mu.
	links    []*link
	turn     int    // the link whose turn it is
	returned uint64 // how often messages were given back that have to go ahead of those in hand
	burying  []burial

	notes     receiverNotes
	claimed   ranges.Set // numbers that its receiver says are settled, of which some may be others'
	stateLost bool       // that the receiver has lost its state was told, and it has acknowledged nothing since
}

// How much a feeder takes at a time: with several receivers so little that all get some, for each run costs a NEXT.
const (
	sharedRun      = 64
	sharedRunBytes = 64 << 10
	soleRun        = 512
	soleRunBytes   = 512 << 10
)

// run feeds until the socket closes.
func (f *feeder) run() {
	for {
		if f.lazy && !f.awaitLink() {
			return
		}
		messages, bytes, at := f.prepare()
		ms, err := f.cur.next(f.of.feeding, messages, bytes)
		if err != nil {
			if !f.await(err) {
				return
			}
			continue
		}
		f.hand(ms, at)
	}
}

// awaitLink waits until there is a link, and reports whether the socket is open still.
func (f *feeder) awaitLink() bool {
	for {
		f.of.box.mu.Lock()
		ready, over := len(f.links) > 0, f.of.stopped
		f.of.box.mu.Unlock()
		if ready || over {
			return !over
		}
		select {
		case <-f.wake:
		case <-f.of.feeding.Done():
			return false
		}
	}
}

// prepare says how much to take, and where messages given back from then on begin to count.
func (f *feeder) prepare() (messages int, bytes int64, at uint64) {
	o := f.of.box
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(f.links) > 1 {
		return sharedRun, sharedRunBytes, f.returned
	}
	return soleRun, soleRunBytes, f.returned
}

// await waits after an error for the next attempt, and reports whether there is to be one.
func (f *feeder) await(err error) bool {
	if f.of.feeding.Err() != nil {
		return false
	}
	if errors.Is(err, errNoCursor) && f.of.onGone != nil {
		f.of.onGone()
		return false
	}
	f.of.box.env.events.add(Event{Kind: SpoolFailing, Err: err})
	t := time.NewTimer(retryEvery)
	defer t.Stop()
	select {
	case <-t.C:
		return !errors.Is(err, errStoreClosed)
	case <-f.of.feeding.Done():
		return false
	}
}

// hand gives a run to links as they have room. What has been given back meanwhile goes ahead of it.
func (f *feeder) hand(ms []stored, at uint64) {
	o := f.of.box
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(ms) > 0 {
		if f.of.stopped || f.returned != at {
			for _, m := range ms {
				f.cur.release(only(m.number))
			}
			return
		}
		l := f.pick()
		if l == nil {
			o.mu.Unlock()
			select {
			case <-f.wake:
			case <-f.of.feeding.Done():
			}
			o.mu.Lock()
			continue
		}
		taken, byCaller := f.feed(l, ms)
		ms = ms[taken:]
		if byCaller {
			o.mu.Unlock()
			l.writeNow()
			o.mu.Lock()
		}
	}
}

func only(number uint64) numberRange { return numberRange{From: number, To: number + 1} }

// pick is the next link in turn that has room; nil if none has.
func (f *feeder) pick() *link {
	for range f.links {
		if f.turn >= len(f.links) {
			f.turn = 0
		}
		l := f.links[f.turn]
		f.turn++
		if l.carrier.open() {
			return l
		}
	}
	return nil
}

// room tells the feeder that a link may have room.
func (f *feeder) room() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// feed puts messages on a link, as many as there is room for. If byCaller is true the caller must unlock and call
// writeNow.
func (f *feeder) feed(l *link, ms []stored) (taken int, byCaller bool) {
	put := 0
	for i := range ms {
		if !l.carrier.open() {
			break
		}
		taken++
		if m := &ms[i]; f.mayPut(m) {
			f.put(l, m)
			put++
		}
	}
	return taken, put > 0 && l.start(true)
}

// mayPut reports whether a message that was read is still to be sent.
func (f *feeder) mayPut(m *stored) bool {
	switch {
	case f.of.out.Contains(m.number): // a receiver was found to have it
		return false
	case f.of.done.Contains(m.number), f.cur.settled(m.number):
		return false
	case f.claimed.Contains(m.number):
		f.settleUnsent(only(m.number))
		return false
	case f.adoptedBy(m.number):
		return false
	case !m.expires.IsZero() && !m.expires.After(time.Now()):
		f.cur.release(only(m.number)) // the store will find that out, and say so
		return false
	}
	return true
}

// put puts a message on a link that has room.
func (f *feeder) put(l *link, m *stored) {
	o, n := f.of.box, Count{1, uint64(m.size)}
	f.of.enter(m.number, n)
	f.of.unspool(n)
	f.of.out.Add(m.number)
	direct := l.out.session == nil && l.peer.inproc
	if s := l.out.session; s != nil {
		s.has.Add(m.number)
		if next, needed := s.announceStored(l, m); needed {
			l.out.stored.announced(l.out.open.announce(next), m)
		}
	}
	l.out.stored.push(m.number, m.size)
	if o.assigned != nil {
		o.assigned(l, Msg{Frames: m.frames})
	}
	l.carrier.offer(outgoing{frames: m.frames, size: m.size, backlogged: true, pinned: direct})
	if direct { // the peer's queue has it
		f.delivered(l, 1)
	}
}

// join adds a link to those that are fed.
func (f *feeder) join(l *link) {
	f.attach(l)
	f.serve(l)
}

// attach makes a link one of the feeder's.
func (f *feeder) attach(l *link) { l.out.stored = &storedQueue{of: f} }

// feeder is the feeder of a link; nil if it has none.
func (o *linkOut) feeder() *feeder {
	if o.stored == nil {
		return nil
	}
	return o.stored.of
}

// serve has a link fed.
func (f *feeder) serve(l *link) {
	f.links = append(f.links, l)
	f.room()
}

// part takes a link from those that are fed.
func (f *feeder) part(l *link) {
	for i, other := range f.links {
		if other == l {
			f.links = append(f.links[:i:i], f.links[i+1:]...)
			if f.turn > i {
				f.turn--
			}
			break
		}
	}
	if f.lazy && len(f.links) == 0 {
		f.returned++ // nothing stays in hand
	}
	f.room() // the run in hand may be for nobody now
}

// A burial is a message that its receiver has refused for good.
type burial struct {
	number uint64
	reason string
}

// bury makes a dead letter of a message, which takes a commit.
func (f *feeder) bury(number uint64, reason string) {
	f.burying = append(f.burying, burial{number, reason})
	if len(f.burying) == 1 {
		f.of.box.env.writers.Go(f.buryAll)
	}
}

func (f *feeder) buryAll() {
	o := f.of.box
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(f.burying) > 0 {
		b := f.burying[0]
		o.mu.Unlock()
		err := f.cur.bury(context.WithoutCancel(f.of.feeding), b.number, b.reason)
		o.mu.Lock()
		f.burying = f.burying[1:]
		if err != nil { // it comes again, and is refused again
			f.cur.giveBack(b.number, retryEvery, err)
		}
	}
}

// join has a link that has joined be fed. A receiver without a session is the feeder's of any.
func (sp *spooled) join(l *link) {
	switch s := l.out.session; {
	case s != nil && s.feeder != nil:
		s.feeder.join(l)
	case s == nil && len(sp.feeders) > 0 && sp.feeders[0].receiver == "":
		sp.feeders[0].join(l)
	}
}
