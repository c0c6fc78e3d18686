package dispatch

import (
	"errors"
	"maps"
	"slices"
	"time"
)

var names = []string{"", "a", "b"}

// step has one thing happen, of those that can.
func (w *world) step() {
	switch w.choose(12) {
	case 0, 1, 2:
		w.push()
	case 3:
		w.arriveAny()
	case 4, 5, 6:
		w.work()
	case 7:
		w.leave()
	case 8:
		w.stray()
	case 9:
		w.comeBack()
	case 10:
		w.pass(time.Duration(w.choose(900)) * time.Millisecond)
	case 11:
		w.pass(time.Duration(w.choose(20)) * time.Second)
	}
	w.idle()
}

func (w *world) push() {
	if len(w.jobs) == w.total {
		return
	}
	j := &Job[int]{Seq: uint64(len(w.jobs) + 1), Size: w.choose(100)}
	if w.some(2) {
		j.Key = string(rune('k' + w.choose(3)))
	}
	if w.some(5) {
		j.To = names[w.choose(len(names))]
	}
	if w.some(5) {
		j.Unique = string(rune('u' + w.choose(3)))
	}
	if w.some(5) {
		j.NotBefore = w.now.Add(time.Duration(w.choose(60)) * time.Second)
	}
	if w.some(6) {
		j.Expires = w.now.Add(time.Duration(w.choose(100)) * time.Second)
	}
	twin := false
	for _, s := range w.jobs {
		twin = twin || j.Unique != "" && s.unique == j.Unique && s.settled == 0
	}
	s := &shadow{key: j.Key, to: j.To, unique: j.Unique, notBefore: j.NotBefore, expires: j.Expires}
	w.jobs = append(w.jobs, s)
	actions, err := w.m.Push(w.now, j)
	if err != nil {
		w.jobs = w.jobs[:len(w.jobs)-1]
	}
	if twin != errors.Is(err, ErrDuplicate) || !twin && err != nil {
		w.fault("unique", "job %d with %q: %v; one is pending: %v", j.Seq, j.Unique, err, twin)
	}
	w.apply(actions)
}

func (w *world) arriveAny() {
	h := w.arrive(names[w.choose(len(names))])
	w.credit(h, w.choose(6))
}

func (w *world) arrive(name string) *hand {
	h := &hand{id: Worker(len(w.workers) + 1), name: name, up: true, open: map[uint64]bool{}, lapsed: map[uint64]bool{}}
	w.workers = append(w.workers, h)
	w.m.Up(h.id, name)
	return h
}

func (w *world) credit(h *hand, n int) {
	grant := w.m.Credit
	if w.some(2) {
		grant = w.m.Window
		h.window, h.draining = 0, false
	}
	h.window += n
	h.stuck = false
	actions, err := grant(w.now, h.id, uint64(n), 0)
	if err != nil {
		w.fault("credit", "%v", err)
	}
	w.apply(actions)
}

// someHand is one of the workers for which is holds, nil if there is none.
func (w *world) someHand(is func(*hand) bool) *hand {
	var all []*hand
	for _, h := range w.workers {
		if is(h) {
			all = append(all, h)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return all[w.choose(len(all))]
}

func isUp(h *hand) bool { return h.up }

// work has a worker say something of a job that it has, or had until its lease ran out.
func (w *world) work() {
	h := w.someHand(func(h *hand) bool { return h.up && len(h.open)+len(h.lapsed) > 0 })
	if h == nil {
		return
	}
	seqs := slices.Sorted(maps.Keys(h.open))
	if len(seqs) == 0 || len(h.lapsed) > 0 && w.some(3) {
		seqs = slices.Sorted(maps.Keys(h.lapsed))
	}
	seq := seqs[w.choose(len(seqs))]
	switch w.choose(10) {
	case 0:
		w.nack(h, seq, true)
	case 1:
		w.nack(h, seq, false)
	case 2:
		w.end(h, seq, true)
	case 3, 4:
		w.renew(h, seq)
	case 5:
		w.credit(h, w.choose(3))
	case 6:
		w.ack(h, seq)
		w.ack(h, seq)
	default:
		w.ack(h, seq)
	}
}

func (w *world) ack(h *hand, seq uint64) { w.end(h, seq, false) }

func (w *world) end(h *hand, seq uint64, reject bool) {
	mine := w.answered(h, seq)
	verb, do := "Ack", w.m.Ack
	if reject {
		verb, do = "Reject", w.m.Reject
	}
	actions, err := do(w.now, h.id, seq)
	w.judge(verb, h, seq, mine, err)
	w.jobs[seq-1].held = w.jobs[seq-1].held && !mine
	w.apply(actions)
}

func (w *world) nack(h *hand, seq uint64, begun bool) {
	s := w.jobs[seq-1]
	mine := w.answered(h, seq)
	delay := time.Duration(w.choose(20)) * time.Second
	actions, err := w.m.Nack(w.now, h.id, seq, delay, begun)
	w.judge("Nack", h, seq, mine, err)
	if mine {
		if begun && s.held {
			s.attempts++
		} else if s.held && s.attempts == 0 {
			s.maybeBegun = false
		}
		s.held, s.worker, s.notBefore = false, nil, w.now.Add(delay)
	}
	w.apply(actions)
}

func (w *world) renew(h *hand, seq uint64) {
	mine := w.answered(h, seq)
	actions, err := w.m.Renew(w.now, h.id, seq)
	w.judge("Renew", h, seq, mine, err)
	if mine {
		w.gets(h, seq)
	} else if len(h.lapsed) < h.window {
		h.lapsed[seq] = true
	}
	w.apply(actions)
}

// leave has a worker drain, die, or die so that it may come back; its messages before that have been handed over.
func (w *world) leave() {
	h := w.someHand(isUp)
	if h == nil {
		return
	}
	switch w.choose(4) {
	case 0:
		w.drain(h)
	case 1:
		w.down(h, 0)
	default:
		w.down(h, grace)
	}
}

func (w *world) drain(h *hand) {
	h.draining = true
	w.m.Drain(h.id)
}

func (w *world) down(h *hand, grace time.Duration) {
	if !h.up {
		return
	}
	h.up, h.downAt, h.mayCome = false, w.now, grace > 0 && len(h.open) > 0
	if !h.mayCome {
		w.lose(h)
	}
	w.apply(w.m.Down(w.now, h.id, grace))
}

// comeBack has a worker that was lost come back by another connection, with some or all of what it had.
func (w *world) comeBack() {
	old := w.someHand(func(h *hand) bool { return !h.up && !h.resumed })
	if old == nil {
		return
	}
	h := w.arrive(old.name)
	has := slices.Sorted(maps.Keys(old.open))
	for len(has) > 0 && w.some(3) {
		has = slices.Delete(has, 0, 1)
	}
	lost := make(map[uint64]bool)
	for _, seq := range has {
		s := w.jobs[seq-1]
		if s.settled > 0 || s.worker != old {
			lost[seq] = true
			continue
		}
		w.gets(h, seq)
	}
	if old.mayCome {
		w.lose(old)
	}
	old.mayCome, old.resumed = false, true
	actions, notMine := w.m.Resume(w.now, h.id, old.id, has)
	if len(notMine) != len(lost) {
		w.fault("taken away", "of %v worker %d is not to keep %v; %v is over or another's", has, h.id, notMine, lost)
	}
	w.apply(actions)
	w.credit(h, w.choose(6))
}

// stray has somebody say something of a job that is not theirs, or cancel one.
func (w *world) stray() {
	if len(w.jobs) == 0 {
		return
	}
	seq := uint64(w.choose(len(w.jobs)) + 1)
	if h := w.someHand(isUp); h != nil && w.some(2) {
		if w.jobs[seq-1].worker != h {
			w.ack(h, seq)
		}
		return
	}
	s := w.jobs[seq-1]
	actions, err := w.m.Cancel(w.now, seq)
	switch {
	case s.settled > 0 && !errors.Is(err, ErrSettled), s.settled == 0 && s.held && !errors.Is(err, ErrTaken),
		s.settled == 0 && !s.held && err != nil:
		w.fault("taken", "Cancel of job %d: %v; held %v, settled %d", seq, err, s.held, s.settled)
	}
	w.apply(actions)
}
