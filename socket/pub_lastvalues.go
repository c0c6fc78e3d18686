package socket

import (
	"cmp"
	"container/list"
	"runtime"
	"slices"
	"strings"
	"time"
)

// lastValues keeps the last message of each topic, guarded by core.out.mu.
type lastValues struct {
	byTopic map[string]*list.Element
	order   list.List // of *lastValue, the one published last at the back
	sorted  sortedValues
	number  uint64 // of the message published last
}

// A lastValue is the last message of one topic.
type lastValue struct {
	topic  string
	m      Msg
	number uint64 // in the order in which messages were published
}

func (v *lastValues) keep(m Msg, most int) {
	if v.byTopic == nil {
		v.byTopic = make(map[string]*list.Element)
	}
	m = Msg{Frames: m.Frames}.Clone() // a receiver in this process may change its own
	v.number++
	if e := v.byTopic[string(m.Frames[0])]; e != nil {
		last := e.Value.(*lastValue)
		last.m, last.number = m, v.number
		v.order.MoveToBack(e)
		return
	}
	if v.order.Len() >= most {
		oldest := v.order.Remove(v.order.Front()).(*lastValue)
		delete(v.byTopic, oldest.topic)
		v.sorted.remove(oldest.topic)
	}
	last := &lastValue{string(m.Frames[0]), m, v.number}
	v.byTopic[last.topic] = v.order.PushBack(last)
	v.sorted.insert(last)
}

// replayAtOnce is how many messages are replayed, and replayLook how many are looked for, while everybody else waits.
const (
	replayAtOnce = 64
	replayLook   = 1024
)

// A replay is what is kept for a new subscription, as it was when that was made.
type replay struct {
	s      *subscribers
	l      *link
	topic  string
	number uint64 // later messages the peer gets as they are published
	found  []replayed
}

type replayed struct {
	*lastValue
	number uint64
}

// replay sends what is kept and matches to a new subscriber, in the order it was published. If it is much it returns
// what is left to do, without core.out.mu, which it is called with.
func (s *subscribers) replay(l *link, topic string) *replay {
	if s.last.order.Len() == 0 {
		return nil
	}
	r := &replay{s: s, l: l, topic: topic, number: s.last.number}
	r.look(nil, replayAtOnce+1)
	if len(r.found) > replayAtOnce {
		return r
	}
	r.sort()
	r.send(len(r.found))
	return nil
}

// look finds up to so many more of what is kept, behind the one found last. It returns that, or nil if it was the last.
func (r *replay) look(after *lastValue, most int) (last *lastValue) {
	n := 0
	r.s.last.sorted.from(r.topic, after, func(v *lastValue) bool {
		if !strings.HasPrefix(v.topic, r.topic) {
			last = nil
			return false
		}
		if last = v; v.number <= r.number {
			r.found = append(r.found, replayed{v, v.number})
		}
		n++
		return n < most
	})
	if n < most {
		return nil
	}
	return last
}

func (r *replay) sort() {
	slices.SortFunc(r.found, func(a, b replayed) int { return cmp.Compare(a.number, b.number) })
}

// send replays the first n of those that have not been published again.
func (r *replay) send(n int) {
	for _, v := range r.found[:n] {
		if v.lastValue.number == v.number {
			r.s.core.out.give(r.l, v.m)
		}
	}
	r.l.chargeReplay(n, r.s.core.cfg.lastValues)
	r.found = r.found[n:]
}

// run does what is left of a replay, a little at a time. core.out.mu is not held.
func (r *replay) run() {
	o := &r.s.core.out
	r.found = nil
	for last, more := (*lastValue)(nil), true; more; more = last != nil {
		o.mu.Lock()
		last = r.look(last, replayLook)
		o.mu.Unlock()
		runtime.Gosched()
	}
	r.sort()
	for len(r.found) > 0 {
		o.mu.Lock()
		_, have := r.l.out.topics[r.topic]
		if r.l.out.dead || o.closed || !have {
			o.mu.Unlock()
			return
		}
		r.send(min(replayAtOnce, len(r.found)))
		if r.s.onTurn != nil {
			r.s.onTurn(replayAtOnce)
		}
		o.mu.Unlock()
		runtime.Gosched()
	}
}

// minReplays is how many messages in a second may be replayed to one peer at least, whatever is kept.
const minReplays = 1000

// chargeReplay notes that so many messages were replayed to a peer. It may have as many in a second as there can be
// topics, and as many again at once; then we read on from it later.
func (l *link) chargeReplay(n, topics int) {
	each := time.Second / time.Duration(max(topics, minReplays))
	l.out.replayedUntil = max(l.out.replayedUntil, l.core.now()) + time.Duration(n)*each
}

// replayDelay is how long to wait before the next subscription of a peer.
func (l *link) replayDelay() time.Duration {
	l.core.out.mu.Lock()
	defer l.core.out.mu.Unlock()
	return l.out.replayedUntil - l.core.now() - time.Second
}

// awaitReplayDelay waits, before more is read from a peer that has subscribed, until what was replayed to it may be
// followed by more.
func (l *link) awaitReplayDelay() {
	if l.core.cfg.lastValues == 0 {
		return
	}
	if d := l.replayDelay(); d > 0 {
		l.pauseFor(d)
	}
}

// pauseFor waits for so long, or until the link fails, and sends keepalives meanwhile, as pause does.
func (l *link) pauseFor(d time.Duration) {
	l.life.paused.Store(true)
	defer func() {
		l.life.read.Store(int64(l.core.now()))
		l.life.paused.Store(false)
	}()
	end := time.NewTimer(d)
	defer end.Stop()
	var tick <-chan time.Time
	if every := l.keepaliveInterval(); every > 0 {
		t := time.NewTicker(max(every/4, minKeepaliveInterval))
		defer t.Stop()
		tick = t.C
	}
	for {
		select {
		case <-end.C:
			return
		case <-l.gone:
			return
		case <-tick:
			l.keepAlive()
		}
	}
}
