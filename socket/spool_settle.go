package socket

import (
	"fmt"
	"slices"
	"time"

	"github.com/yodel-mq/yodel/socket/internal/reliable"
)

// What becomes of messages that a feeder has put on a link. All of it is guarded by outbox.mu.
//
//   - delivered, acknowledged: settled in the store.
//   - given back (restore): spooled again. Those that a receiver's application may have seen count an attempt.
//   - lost by the store meanwhile: dropped, once the link is done with them; if their receiver acknowledges them after
//     all, delivered.

// delivered settles messages at the front of a link's queue that need no acknowledgement.
func (f *feeder) delivered(l *link, messages uint64) {
	runs, _ := l.out.stored.pop(messages)
	for _, r := range runs {
		f.settle(r)
	}
}

// settle ends messages that were out: the ledger has them as delivered.
func (f *feeder) settle(r numberRange) {
	sp := f.of
	f.cur.settle(r)
	sp.out.RemoveRange(r.From, r.To)
	sp.confirmed.RemoveRange(r.From, r.To)
	sp.forgetLoss(r)
	sp.done.AddRange(r.From, r.To)
	sp.receipts.settle(r, nil)
	if sp.onSettled != nil {
		sp.onSettled(r)
	}
}

// acknowledged settles what a receiver has acknowledged, and returns how many of it the session had. What it says it
// has got from an earlier life of this sender may be in the store yet, or on the way to another receiver. Of an owner
// in a partition it counts for what turns out to be its own as it is read (mayPut): numbers are those of all owners,
// and what is another one's is not for it to settle.
func (f *feeder) acknowledged(s *session, all []numberRange) (messages uint64) {
	sp := f.of
	for _, r := range all {
		s.holds.RemoveRange(r.From, r.To)
		for _, k := range parts(&s.has, r) {
			if k.in {
				messages += k.Len()
				s.has.RemoveRange(k.From, k.To)
				f.settle(k.numberRange)
				continue
			}
			if f.receiver != "" {
				f.claimed.AddRange(k.From, k.To)
				continue
			}
			for _, o := range parts(&sp.out, k.numberRange) {
				if o.in { // with another receiver, which may acknowledge it too
					f.cur.settle(o.numberRange)
					sp.confirmed.AddRange(o.From, o.To)
					continue
				}
				for _, d := range parts(&sp.done, o.numberRange) {
					if !d.in {
						f.settleUnsent(d.numberRange)
					}
				}
			}
		}
	}
	return messages
}

// settleUnsent ends messages that are in the store, and that a receiver has. What the store has lost already is left
// for it to say so (lost), which then ends it.
func (f *feeder) settleUnsent(r numberRange) {
	from := r.From
	for number := r.From; number < r.To; number++ {
		if f.of.entered.Contains(number) && f.cur.settled(number) {
			f.settleStored(numberRange{From: from, To: number})
			from = number + 1
		}
	}
	f.settleStored(numberRange{From: from, To: r.To})
}

// settleStored is settleUnsent of what the store has not lost. What was settled in an earlier life is none of this
// one's business.
func (f *feeder) settleStored(r numberRange) {
	if r.Len() == 0 {
		return
	}
	o, sp := f.of.box, f.of
	var n uint64
	for number := r.From; number < r.To; number++ {
		if !f.cur.settled(number) {
			n++
			sp.enter(number, Count{Messages: 1})
		}
	}
	f.cur.settle(r)
	sp.done.AddRange(r.From, r.To)
	sp.receipts.settle(r, nil)
	part := sp.spooledPart(n)
	sp.unspool(part)
	o.ledger(nil).deliver(part)
}

// A giveBack says how messages go back to the store.
type giveBack struct {
	tried     bool // a receiver may have got them, so that it counts as an attempt
	delay     time.Duration
	cause     error
	last      bool // they need not go ahead of those in hand
	terminate bool // they go to the dead letters, for the cause
}

// restore gives messages back to the store that were out and that the ledger has as queued, without a link.
func (f *feeder) restore(r numberRange, bytes uint64, how giveBack) {
	sp, o := f.of, f.of.box
	sp.out.RemoveRange(r.From, r.To)
	sp.begun = max(sp.begun, r.To) // whoever was given up on may come back and have them
	left := Count{r.Len(), bytes}
	take := func(messages uint64) Count {
		n := Count{messages, left.Bytes}
		if messages < left.Messages {
			n.Bytes = left.Bytes / left.Messages * messages
		}
		left = left.minus(n)
		return n
	}
	for _, k := range parts(&sp.confirmed, r) {
		if k.in {
			sp.confirmed.RemoveRange(k.From, k.To)
			sp.done.AddRange(k.From, k.To)
			sp.receipts.settle(k.numberRange, nil)
			o.ledger(nil).deliver(take(k.Len()))
			continue
		}
		for _, l := range sp.lossesIn(k.numberRange) {
			sp.drop(l, take(l.Len()))
		}
		sp.forgetLoss(k.numberRange)
		for number := k.From; how.tried && number < k.To; number++ {
			if how.terminate {
				f.bury(number, how.cause.Error())
			} else {
				f.cur.giveBack(number, how.delay, how.cause)
			}
		}
		if !how.tried {
			f.cur.release(k.numberRange)
		}
	}
	sp.respool(left)
	if !how.last {
		f.returned++
	}
	f.room()
}

// takeBack gives back all that a link has not written. The ledger has it as the link's queue. begun says that the
// first was written in part when the peer ended the connection.
func (f *feeder) takeBack(l *link, begun bool) {
	runs, sizes := l.out.stored.pop(l.out.stored.len())
	how := giveBack{tried: begun && byPeer(l.out.cause), cause: l.out.cause}
	requeue(&l.out.counts, &f.of.box.unassigned, Count{uint64(len(sizes)), sizeOfAll(sizes)})
	for _, r := range runs {
		if s := l.out.session; s != nil {
			s.has.RemoveRange(r.From, r.To)
		}
		for r.Len() > 0 {
			k := r
			if how.tried {
				k.To = k.From + 1
			}
			n := k.Len()
			f.restore(k, sizeOfAll(sizes[:n]), how)
			sizes = sizes[n:]
			r.From, how = k.To, giveBack{}
		}
	}
}

// lost is called when the store has lost messages. core.out.mu is not held.
func (f *feeder) lost(r numberRange, why Reason) {
	sp, o := f.of, f.of.box
	o.mu.Lock()
	defer o.mu.Unlock()
	if sp.forgotten {
		return
	}
	var lost uint64
	for _, d := range parts(&sp.done, r) {
		if d.in {
			continue
		}
		for _, k := range parts(&sp.out, d.numberRange) {
			if k.in {
				sp.lostOut = append(sp.lostOut, loss{k.numberRange, why})
				continue
			}
			for number := k.From; number < k.To; number++ {
				sp.enter(number, Count{Messages: 1})
			}
			n := sp.spooledPart(k.Len())
			sp.unspool(n)
			sp.drop(loss{k.numberRange, why}, n)
			lost += n.Messages
		}
	}
	if lost > 0 {
		o.env.events.add(Event{Kind: lossEvent(why), Reason: why, Count: lost})
	}
	o.drained()
}

func lossEvent(why Reason) EventKind {
	if why == DeadLettered {
		return DeadLetter
	}
	return Dropped
}

// drop enters messages that are queued, without a link, as lost by the store.
func (sp *spooled) drop(l loss, n Count) {
	sp.done.AddRange(l.From, l.To)
	sp.lossy = l.why
	sp.box.ledger(nil).drop(l.why, n)
	if sp.onLoss != nil {
		sp.onLoss(l)
	}
	sp.receipts.settle(l.numberRange, fmt.Errorf("%w: %s", ErrLost, l.why))
}

// lossesIn are the parts of a range that the store has lost.
func (sp *spooled) lossesIn(r numberRange) (in []loss) {
	for _, l := range sp.lostOut {
		if both := (numberRange{From: max(l.From, r.From), To: min(l.To, r.To)}); both.Len() > 0 {
			in = append(in, loss{both, l.why})
		}
	}
	return in
}

// forgetLoss forgets that messages are lost.
func (sp *spooled) forgetLoss(r numberRange) {
	if len(sp.lostOut) == 0 {
		return
	}
	var left []loss
	for _, l := range sp.lostOut {
		for _, rest := range []numberRange{{From: l.From, To: min(l.To, r.From)}, {From: max(l.From, r.To), To: l.To}} {
			if rest.Len() > 0 {
				left = append(left, loss{rest, l.why})
			}
		}
	}
	sp.lostOut = left
}

// A part is a range that is in a set, or of which nothing is.
type part struct {
	numberRange
	in bool
}

// parts are those of a range, in order.
func parts(set interface{ Above() []reliable.Range }, r numberRange) (all []part) {
	add := func(from, to uint64, in bool) {
		if from < to {
			all = append(all, part{numberRange{From: from, To: to}, in})
		}
	}
	at := r.From
	if s, ok := set.(interface{ Floor() uint64 }); ok && s.Floor() > at {
		to := min(s.Floor(), r.To)
		add(at, to, true)
		at = to
	}
	above := set.Above()
	i, _ := slices.BinarySearchFunc(above, at, func(k reliable.Range, n uint64) int {
		if k.To <= n {
			return -1
		}
		return 1
	})
	for ; i < len(above) && above[i].From < r.To; i++ {
		k := above[i]
		add(at, k.From, false)
		at = max(at, k.From)
		add(at, min(k.To, r.To), true)
		at = max(at, min(k.To, r.To))
	}
	add(at, r.To, false)
	return all
}
