package spool

import (
	"fmt"
	"slices"

	"github.com/yodel-mq/yodel/socket/internal/ranges"
)

// open opens a spool: see Open.
func open(dir string, opts Options, e env) (*Spool, error) {
	opts = opts.withDefaults()
	s := &Spool{
		dir: dir, opts: opts, fs: opts.FS, env: e,
		handles: make(map[uint16]*Cursor),
		owed:    owed{settled: make(map[uint16][]ranges.Range), attempts: make(map[attemptKey]bool)},
		kick:    make(chan struct{}, 1), chore: make(chan struct{}, 1),
	}
	s.events.init(opts.Events)
	err := s.isSpool() // before the lock's file is made
	if err == nil {
		s.lock, err = s.fs.Lock()
	}
	if err != nil {
		return nil, s.wrap("open", err)
	}
	if err := s.recover(); err != nil {
		for _, seg := range s.segs {
			seg.shut()
		}
		s.events.close()
		_ = s.lock.Close()
		return nil, s.wrap("open", err)
	}
	s.work.Add(2)
	go s.run()
	go s.tidy()
	s.mu.Lock()
	s.wakeJanitor()
	s.mu.Unlock()
	return s, nil
}

// recover brings the spool to where the last process had it, by what the directory holds.
func (s *Spool) recover() error {
	im, err := load(s.fs, &s.env)
	if err != nil {
		return err
	}
	s.st, s.segs, s.begun, s.header = im.st, im.segs, max(im.begun, im.number), im.id
	if err := s.look(im); err != nil {
		return err
	}
	if len(im.segs) == 0 {
		err = s.create(im)
	} else {
		err = s.resume(im)
	}
	if err != nil {
		return err
	}
	return s.enter(im)
}

// isSpool refuses a directory that has other things in it, and no segments.
func (s *Spool) isSpool() error {
	names, err := s.fs.List()
	if err != nil {
		return err
	}
	other := ""
	for _, name := range names {
		_, _, segment := parseSegmentName(name)
		switch {
		case segment:
			return nil
		case name != spareName:
			other = name
		}
	}
	if other != "" {
		return fmt.Errorf("%w: there is %s in it", ErrNotSpool, other)
	}
	return nil
}

// look notes what takes room.
func (s *Spool) look(im *image) error {
	names, err := s.fs.List()
	if err != nil {
		return err
	}
	for _, name := range names {
		if name != spareName {
			continue
		}
		f, err := s.fs.Open(name)
		if err != nil {
			return err
		}
		size, err := f.Size()
		_ = f.Close()
		if err != nil {
			return err
		}
		if want := min(spareBytes, s.opts.SegmentBytes); size >= want { // or else it is made again
			s.spare = true
			s.used += want
		}
	}
	for _, seg := range im.segs {
		s.used += seg.size
	}
	return nil
}

// create makes the first segment.
func (s *Spool) create(im *image) error {
	s.st.id, s.header = s.env.id(), s.env.id()
	s.written = s.st.next
	if err := s.removeStrays(im); err != nil {
		return err
	}
	return s.rotate(0, forState)
}

func (s *Spool) removeStrays(im *image) error {
	for _, name := range im.strays {
		if err := s.fs.Remove(name); err != nil {
			return err
		}
	}
	return nil
}

// resume makes the newest segment fit to be written to.
//
// The last whole batch is written again, the same bytes in the same place, and zeros over whatever follows. It may be
// in the page cache and nowhere else, because a sync has failed before the last process ended, and no sync that
// succeeds now would tell. To write the same bytes again can harm nothing, however it ends.
func (s *Spool) resume(im *image) error {
	n := im.segs[len(im.segs)-1]
	n.number1, n.zeroed, n.backed = im.number, n.end, n.size
	s.newest = n
	s.written = max(im.written, n.first)
	if im.last.size > 0 && !s.env.is(lastBatchNotRewriten) {
		same := make([]byte, im.last.size)
		if k, err := n.file.ReadAt(same, im.last.off); k < len(same) {
			return err
		}
		if err := n.file.WriteVec([][]byte{same}, im.last.off); err != nil {
			return err
		}
	}
	if !s.env.is(tailNotZeroed) {
		for at := n.end; at < im.dirtyEnd; at += int64(len(zeros)) {
			if err := n.file.WriteVec([][]byte{zeros[:min(im.dirtyEnd-at, int64(len(zeros)))]}, at); err != nil {
				return err
			}
		}
	}
	if err := n.file.Sync(); err != nil {
		return err
	}
	if err := s.removeStrays(im); err != nil {
		return err
	}
	return s.fs.SyncDir()
}

// enter commits the new epoch, and with it what was found.
func (s *Spool) enter(im *image) error {
	st := s.st
	st.epoch += 1 + im.unread // a receiver that knows this epoch with another nonce takes the spool for a copy
	st.nonce = s.env.random()
	if s.opts.Fork {
		st.id = s.env.id()
	}
	g := &group{}
	for _, t := range im.torn {
		if t.kind == typeMessage && t.seq < s.written || t.kind == typeEpoch || t.isBase() {
			continue
		}
		// These speak of seqs that were given.
		if t.kind == typeVoid || t.kind == typeCursor || t.kind == typeSettled {
			st.apply(&stored{t.recordHead, t.data}, place{})
		}
		r := newRecord(t.kind, t.seq, len(t.data))
		r.flags, r.attempts, r.expiry = t.flags, t.attempts, t.expiry
		r.head = append(r.head, t.data...)
		g.add(r)
	}
	var have ranges.Set
	for i := range g.recs {
		if g.recs[i].kind == typeMessage {
			have.AddRange(g.recs[i].seq, g.recs[i].seq+1)
		}
	}
	st.next = max(st.given(), have.End())
	for _, l := range im.damage {
		n := Count{Messages: l.seqs.Len()}
		s.stats.damaged.add(n)
		s.emit(Event{Kind: Damaged, Seqs: Range(l.seqs), Count: n, Path: l.path})
		if n.Messages > 0 {
			st.makeVoid(l.seqs.From, l.seqs.To)
			g.add(voidRecord(l.seqs, true))
		}
	}
	for seq := range sortedPlaces(st.dead) {
		if st.dead[seq].segment == 0 { // the record that says where it is is damaged
			n := Count{Messages: 1}
			s.stats.damaged.add(n)
			s.emit(Event{Kind: Damaged, Seqs: Range{seq, seq + 1}, Count: n})
			st.dropDead(seq)
			g.add(undeadRecord(seq))
		}
	}
	for _, hole := range slices.Collect(have.Gaps(max(s.written, 1), st.next)) {
		st.makeVoid(hole.From, hole.To)
		g.add(voidRecord(hole, false))
	}
	g.add(st.epochRecord(st.next), st.epochRecord(st.next)) // damage to one is not to cost the stream's name
	g.first, g.messages = s.written, uint32(st.next-s.written)
	if err := s.ensure(g.total(), forState); err != nil {
		return err
	}
	if s.commit(g); s.stuck != nil {
		return s.stuck
	}
	if im.tornSize > 0 {
		n := Count{Messages: uint64(len(im.torn)), Bytes: uint64(im.tornSize)}
		s.emit(Event{Kind: Torn, Count: n, Path: s.newest.name})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.written, s.safe, s.mayExpire = st.next, st.next, true
	s.stats = counters{damaged: s.stats.damaged}
	s.emit(Event{Kind: Opened, Count: Count{Messages: s.lag(0, s.written)}})
	s.grown()
	return nil
}
