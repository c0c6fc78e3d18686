package spool

import (
	"context"
	"encoding/binary"
	"slices"
	"time"
)

// A need says how much a commit must have room.
type need int

const (
	forState    need = iota // it makes room, or takes next to none: caps do not bind it, and reserves are for it
	forCopies               // it rewrites what is there, to make room: caps do not bind it
	forMessages             // it waits for room
)

// A request is what one caller wants committed: all of it in one commit.
type request struct {
	recs     []record // a MESSAGE without a seq gets the next one
	messages int
	size     int
	need     need
	try      bool // without room: ErrFull
	later    bool // the caller does not wait, nor does the commit hurry
	urgent   bool // the commit hurries, whatever SyncEvery says
	behind   bool // not before what was appended earlier and nobody waits for, also where that waits for room
	atomic   bool // all or none
	first    uint64
	numbered bool // first was given when it was queued
	values   []keyValue
	done     chan error
	chore    bool   // it is the janitor's
	gaveUp   error  // why the caller does not wait for room any more
	then     func() // called with the lock held when it is durable
}

// ahead tells of requests that wait what those behind them must not pass.
type ahead struct{ later, numbered bool }

// waits notes a request that has to wait.
func (a *ahead) waits(r *request) {
	a.later, a.numbered = a.later || r.later, a.numbered || r.numbered
}

// holds reports whether a request has to wait for one that waits ahead of it: because it says so, or because both have
// their seqs, which ascend in the file.
func (a *ahead) holds(r *request) bool { return r.behind && a.later || r.numbered && a.numbered }

func (s *Spool) newRequest(n need) *request {
	return &request{need: n, done: make(chan error, 1)}
}

func (r *request) add(rec record) {
	r.recs = append(r.recs, rec)
	r.size += padded(rec.length())
}

func (r *request) message(m *Message) {
	c := *m
	c.Seq = 0
	r.add(messageRecord(typeMessage, &c, nil))
	r.messages++
}

// submit queues a request and waits for its commit.
func (s *Spool) submit(ctx context.Context, r *request) error {
	if err := s.prepare(r); err != nil {
		return err
	}
	s.mu.Lock()
	for r.later && s.queued > 0 && s.queued+r.size > maxGroup && !s.closing { // what nobody waits for is bounded
		moved := s.change()
		s.mu.Unlock()
		s.wake(s.kick)
		if r.try {
			return ErrFull
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		s.mu.Lock()
	}
	if s.closing {
		s.mu.Unlock()
		return ErrClosed
	}
	if r.try && r.need == forMessages && s.full != nil && s.env.now().Before(s.fullUntil) {
		defer s.mu.Unlock()
		return fullError(s.full)
	}
	if s.opts.SyncEvery > 0 && r.messages > 0 { // seqs ascend in the file, and this one is told at once
		r.first, r.numbered = s.st.next, true
		s.st.next += uint64(r.messages)
	}
	r.chore = s.turns.tidying
	s.queue = append(s.queue, r)
	s.queued += r.size
	hurry := !r.later || len(s.queue) == 1 || s.queued >= maxGroup // or else the committer knows when it is time
	s.mu.Unlock()
	if hurry {
		s.wake(s.kick)
	}
	if r.later {
		return nil
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
	}
	s.mu.Lock()
	if i := slices.Index(s.queue, r); i >= 0 { // it waits for room
		s.queue = slices.Delete(s.queue, i, i+1)
		s.queued -= r.size
		s.abandon(r)
		s.mu.Unlock()
		return context.Cause(ctx)
	}
	r.gaveUp = context.Cause(ctx) // a commit is under way; if it finds no room, that is the end
	s.mu.Unlock()
	return <-r.done
}

// abandon notes that the seqs a request was given will never be there. The caller holds the lock.
func (s *Spool) abandon(r *request) {
	if r.numbered {
		s.burn(r.first, r.first+uint64(r.messages))
	}
}

// prepare completes the records of a request.
func (s *Spool) prepare(r *request) error {
	now := s.env.now()
	for i := range r.recs {
		rec := &r.recs[i]
		if r.atomic {
			rec.flags |= flagAtomic
		}
		if rec.kind == typeMessage {
			s.stamp(rec, now)
		}
	}
	limit := int64(maxMessage)
	if s.opts.MaxBytes > 0 {
		limit = min(limit, s.opts.MaxBytes/2)
	}
	if int64(r.size) > limit || s.opts.MaxMessages > 0 && int64(r.messages) > s.opts.MaxMessages {
		return ErrTooLarge
	}
	return nil
}

// stamp gives a message the time of its arrival and its expiry, where it brings none.
func (s *Spool) stamp(rec *record, now time.Time) {
	data := rec.head[recordHeader:]
	enqueued := getTime(int64(le64(data)))
	if enqueued.IsZero() {
		enqueued = now
		putLE64(data, uint64(putTime(now)))
	}
	if rec.expiry == 0 && s.opts.MaxAge > 0 {
		rec.expiry = putExpiry(enqueued.Add(s.opts.MaxAge))
	}
}

func le64(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }

func putLE64(b []byte, v uint64) { binary.LittleEndian.PutUint64(b, v) }
