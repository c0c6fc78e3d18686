package spool_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/socket/spool"
)

// work is what a life does.
type work struct {
	*run
	s     *spool.Spool
	owed  []func() // what is settled once a commit has succeeded
	later []try    // with SyncEvery: appended and not synced
	first []uint64

	forgetting bool // of unknown outcome: nothing is taken until that is known
}

func (r *run) note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log = append(r.log, fmt.Sprintf(format, args...))
}

// settled notes that all that was settled before is on disk.
func (w *work) settled() {
	for _, f := range w.owed {
		f()
	}
	w.owed = nil
}

// end notes how a commit ended.
func (w *work) end(what string, t try, first uint64, err error) error {
	w.note("%s -> %d %v", what, first, err)
	if err != nil && (w.strict || !tolerable(err)) {
		return fmt.Errorf("%s: %w", what, err)
	}
	if err == nil {
		w.settled()
	}
	return w.model.done(t, first, err)
}

// tolerable reports whether a call may return an error on a medium that is hurt.
func tolerable(err error) bool {
	for _, may := range []error{spool.ErrUncertain, errStopped, errFault, spool.ErrFull, context.DeadlineExceeded} {
		if errors.Is(err, may) {
			return true
		}
	}
	return false
}

func (w *work) id() uint64 {
	w.model.nextID++
	return w.model.nextID
}

func (w *work) step(ctx context.Context) error {
	// Where the oldest messages make room but there are none, others wait.
	ctx, cancel := context.WithTimeout(ctx, stuckAfter)
	defer cancel()
	switch n := w.rng.IntN(23); {
	case n < 6:
		return w.append(ctx)
	case n < 9:
		return w.tx(ctx)
	case n < 13:
		return w.settle()
	case n < 14:
		return w.take(ctx)
	case n < 15:
		return w.bury(ctx)
	case n < 16:
		return w.revive(ctx)
	case n < 17:
		return w.sync(ctx)
	case n < 18:
		return w.cursor(ctx)
	case n < 19:
		// What was settled is committed by itself; and in the longer time messages expire.
		for range 1 + w.rng.IntN(2)*w.rng.IntN(20) {
			time.Sleep(150 * time.Millisecond)
		}
		w.note("sleep")
	case n < 20:
		return w.giveBack(ctx)
	case n < 21:
		return w.purge(ctx)
	case n < 22:
		return w.purgeDead(ctx)
	default:
		return w.forget(ctx)
	}
	return nil
}

// message makes the message of an id that is new: some expire.
func (w *work) message(id uint64) spool.Message {
	m := content(id)
	if w.rng.IntN(8) == 0 {
		m.Expires = now().Add(time.Duration(1+w.rng.IntN(5000)) * time.Millisecond)
		w.model.expires[id] = m.Expires
	}
	return m
}

func (w *work) append(ctx context.Context) error {
	if w.opts.SyncEvery > 0 {
		return w.appendLater(ctx)
	}
	id := w.id()
	seq, err := w.s.Append(ctx, w.message(id))
	return w.end(fmt.Sprintf("append %d", id), try{ids: []uint64{id}}, seq, err)
}

// appendLater appends some that share a commit.
func (w *work) appendLater(ctx context.Context) error {
	n := w.rng.IntN(12)
	for range n {
		id := w.id()
		seq, err := w.s.Append(ctx, w.message(id))
		w.note("append %d for later -> %d %v", id, seq, err)
		synctest.Wait() // what shares a commit is not to depend on who is faster
		if errors.Is(err, spool.ErrFull) || errors.Is(err, context.DeadlineExceeded) {
			w.model.never[id] = true
			continue
		}
		if err != nil {
			return err
		}
		w.later, w.first = append(w.later, try{ids: []uint64{id}}), append(w.first, seq)
	}
	return w.sync(ctx)
}

func (w *work) sync(ctx context.Context) error {
	err := w.s.Sync(ctx)
	later, first := w.later, w.first
	w.later, w.first = nil, nil
	if err != nil || len(later) == 0 {
		for i, t := range later {
			t.maybe, t.first = true, first[i]
			w.note("later %v -> %d %v", t.ids, first[i], err)
			w.model.highest = max(w.model.highest, first[i])
			if err := w.model.done(t, first[i], errStopped); err != nil {
				return err
			}
		}
		return w.end("sync", try{}, 0, err)
	}
	w.note("sync of %d", len(later))
	w.settled()
	w.model.settleTries()
	for i, t := range later {
		if err := w.model.happened(t, first[i]); err != nil {
			return err
		}
	}
	return nil
}

func (w *work) tx(ctx context.Context) error {
	t := try{atomic: true}
	x := w.s.Begin()
	for range w.rng.IntN(12) {
		id := w.id()
		t.ids = append(t.ids, id)
		if err := x.Append(w.message(id)); err != nil {
			return err
		}
	}
	if w.rng.IntN(2) == 0 {
		t.key, t.value = fmt.Sprint("key ", w.rng.IntN(3)), fmt.Sprint("value ", w.id())
		if err := x.Set(t.key, []byte(t.value)); err != nil {
			return err
		}
	}
	var settled []uint64
	if len(t.ids) > 0 && w.rng.IntN(2) == 0 {
		c, _ := w.s.Cursor("", spool.CursorOptions{})
		settled = w.some(3)
		for _, seq := range settled {
			x.Settle(c, spool.Range{From: seq, To: seq + 1})
			w.model.cursors[""].tried[seq] = true
		}
	}
	first, err := x.Commit(ctx)
	if len(t.ids) == 0 && t.key == "" { // there was nothing to commit
		return err
	}
	if err == nil {
		for _, seq := range settled {
			w.model.cursors[""].told[seq] = true
		}
	}
	return w.end(fmt.Sprintf("tx of %v, settles %v, sets %q", t.ids, settled, t.value), t, first, err)
}

// some returns seqs that "" has not settled, in no order.
func (w *work) some(n int) (seqs []uint64) {
	c := w.model.cursors[""]
	for _, seq := range slices.Sorted(maps.Keys(w.model.bySeq)) {
		if !c.tried[seq] {
			seqs = append(seqs, seq)
		}
	}
	if w.rng.IntN(3) > 0 { // the oldest
		return seqs[:min(len(seqs), n)]
	}
	w.rng.Shuffle(len(seqs), func(i, j int) { seqs[i], seqs[j] = seqs[j], seqs[i] })
	return seqs[:min(len(seqs), n)]
}

func (w *work) settle() error {
	names := slices.Sorted(maps.Keys(w.model.cursors))
	name := names[w.rng.IntN(len(names))]
	c, err := w.s.Cursor(name, spool.CursorOptions{})
	if err != nil {
		return w.end("cursor", try{}, 0, err)
	}
	m := w.model.cursors[name]
	seqs := w.some(1 + w.rng.IntN(30))
	w.note("settle %v of %q", seqs, name)
	for _, seq := range seqs {
		c.Settle(spool.Range{From: seq, To: seq + 1})
		m.tried[seq] = true
	}
	w.owed = append(w.owed, func() {
		for _, seq := range seqs {
			m.told[seq] = true
		}
	})
	return nil
}

func (w *work) take(ctx context.Context) error {
	if w.forgetting {
		return nil
	}
	stream := spool.ID{byte(1 + w.rng.IntN(2))}
	t := try{atomic: true, stream: stream}
	var ms []spool.Message
	next := uint64(1)
	for n := range w.model.taken[stream] {
		next = max(next, n+1)
	}
	for range 1 + w.rng.IntN(5) {
		if next += uint64(w.rng.IntN(2)); next >= 390 {
			return nil
		}
		m := content(w.id())
		m.Origin.Seq = next
		t.ids, t.taken = append(t.ids, w.model.nextID), append(t.taken, next)
		ms = append(ms, m)
		next++
	}
	before := w.s.Stats().Next
	err := w.s.Take(ctx, spool.Sender{Stream: stream, Epoch: 1, Nonce: 2}, 0, ms, true)
	if err == nil || errors.Is(err, spool.ErrUncertain) {
		return w.end(fmt.Sprintf("take %v of %v", t.taken, stream[0]), t, before, err)
	}
	return w.end("take", t, 0, err)
}

func (w *work) bury(ctx context.Context) error {
	// One that expires may be gone by now.
	seqs := slices.DeleteFunc(w.some(len(w.model.bySeq)), func(seq uint64) bool {
		return !w.model.expires[w.model.bySeq[seq]].IsZero()
	})
	if len(seqs) == 0 {
		return nil
	}
	c, err := w.s.Cursor("", spool.CursorOptions{})
	if err != nil {
		return w.end("cursor", try{}, 0, err)
	}
	w.model.cursors[""].tried[seqs[0]] = true
	err = c.Bury(ctx, seqs[0], "for a test")
	if err != nil && (w.strict || !errors.Is(err, spool.ErrUncertain)) && !errors.Is(err, errStopped) {
		delete(w.model.cursors[""].tried, seqs[0])
	}
	return w.end(fmt.Sprintf("bury %d", seqs[0]), try{bury: seqs[0]}, 0, err)
}

func (w *work) revive(ctx context.Context) error {
	dead := slices.Sorted(maps.Keys(w.model.dead))
	if len(dead) == 0 {
		return nil
	}
	seq := dead[w.rng.IntN(len(dead))]
	if w.rng.IntN(2) == 0 {
		return w.end(fmt.Sprintf("discard %d", seq), try{undead: seq}, 0, w.s.Discard(ctx, seq))
	}
	id := w.model.dead[seq]
	again, err := w.s.Requeue(ctx, seq)
	return w.end(fmt.Sprintf("requeue %d", seq), try{undead: seq, ids: []uint64{id}, atomic: true}, again, err)
}

// cursor makes a durable subscription, or ends one.
func (w *work) cursor(ctx context.Context) error {
	name := fmt.Sprint("durable ", w.rng.IntN(2))
	if w.model.cursors[name] == nil {
		_, err := w.s.Cursor(name, spool.CursorOptions{Start: spool.Start{At: spool.New}})
		return w.end("make "+name, try{make: name}, 0, err)
	}
	return w.end("drop "+name, try{drop: name}, 0, w.s.DropCursor(ctx, name))
}

// giveBack takes messages and returns them.
func (w *work) giveBack(ctx context.Context) error {
	c, err := w.s.Cursor("", spool.CursorOptions{})
	if err != nil {
		return w.end("cursor", try{}, 0, err)
	}
	ms, err := drain(ctx, c)
	if err != nil {
		return w.end("next", try{}, 0, err)
	}
	w.note("return %d", len(ms))
	for _, m := range ms {
		if w.rng.IntN(4) == 0 && m.Attempts < 10 {
			c.Return(m.Seq, 0, errors.New("for a test"))
		} else {
			c.Release(spool.Range{From: m.Seq, To: m.Seq + 1})
		}
	}
	return nil
}

// purge removes what is older than some message, or a part of all.
func (w *work) purge(ctx context.Context) error {
	which := spool.Filter{To: 1 + w.rng.Uint64N(w.model.highest+1)}
	if w.rng.IntN(2) == 0 {
		part := w.rng.Uint64N(3)
		which = spool.Filter{Match: func(m *spool.Message) bool { return m.Seq%3 == part }}
	}
	var seqs []uint64
	for seq := range w.model.seqs() {
		if which.To == 0 && which.Match(&spool.Message{Seq: seq}) || seq < which.To {
			w.model.mayGo(seq)
			if _, there := w.model.bySeq[seq]; there { // what waits for room comes behind the purge
				seqs = append(seqs, seq)
			}
		}
	}
	n, err := w.s.Purge(ctx, which)
	if err == nil {
		for _, c := range w.model.cursors {
			for _, seq := range seqs {
				c.told[seq] = true
			}
		}
	}
	return w.end(fmt.Sprintf("purge of %d, had %d", len(seqs), n.Messages), try{}, 0, err)
}

// purgeDead removes a dead letter.
func (w *work) purgeDead(ctx context.Context) error {
	dead := slices.Sorted(maps.Keys(w.model.dead))
	if len(dead) == 0 {
		return nil
	}
	seq := dead[w.rng.IntN(len(dead))]
	n, err := w.s.Purge(ctx, spool.Filter{Dead: true, Match: func(m *spool.Message) bool { return m.Seq == seq }})
	if err == nil && n.Messages != 1 {
		return fmt.Errorf("purge of the dead letter %d has removed %d", seq, n.Messages)
	}
	return w.end(fmt.Sprintf("purge dead %d", seq), try{undead: seq}, 0, err)
}

// forget drops all that was taken of other streams.
func (w *work) forget(ctx context.Context) error {
	t := try{forget: slices.SortedFunc(maps.Keys(w.model.taken), func(a, b spool.ID) int {
		return bytes.Compare(a[:], b[:])
	})}
	if len(t.forget) == 0 {
		return nil
	}
	n, err := w.s.Forget(ctx, -time.Hour)
	if err == nil && n < len(t.forget) {
		return fmt.Errorf("%d streams were forgotten, not %d", n, len(t.forget))
	}
	w.forgetting = err != nil
	return w.end(fmt.Sprintf("forget %d streams", n), t, 0, err)
}
