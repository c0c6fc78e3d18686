package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// endWithin bounds a Shutdown. It is as long as receivers may take for all that is on its way, and as they may be
// stopped.
const endWithin = 60 * time.Second

// end ends the scenario so that nothing need be lost: senders first, then what stands in between, then receivers. Where
// messages go both ways everything arrives before anybody ends.
func (s *scenario) end(ctx context.Context) error {
	if s.plan.Settle {
		s.pending.Wait()
		if err := s.each(s.ids(), func(id int) error { return s.quiet(ctx, id) }); err != nil {
			return err
		}
		if err := s.settled(ctx, s.ids(), nil); err != nil {
			return err
		}
		s.mu.Lock()
		for _, k := range s.current {
			s.evidence[k].Settled = true
		}
		s.mu.Unlock()
	}
	ranks := s.ranks()
	for i, ids := range ranks {
		if err := s.each(ids, func(id int) error { return s.endOne(ctx, id) }); err != nil {
			return err
		}
		s.pending.Wait()
		rest := slices.Concat(ranks[i+1:]...)
		if len(rest) == 0 {
			break
		}
		if err := s.settled(ctx, rest, s.alone(ranks[i+1:])); err != nil {
			return err
		}
	}
	return nil
}

// ranks are the members in the order they end: those that send, the proxies, those that only receive.
func (s *scenario) ranks() [][]int {
	var ranks [3][]int
	for _, m := range s.plan.Members {
		n := 2
		switch {
		case m.Source:
			n = 0
		case m.Backend > 0 || m.Proxied:
			n = 1
		}
		ranks[n] = append(ranks[n], m.ID)
	}
	return ranks[:]
}

// alone are the members that should have no peers any more when those before them have ended.
func (s *scenario) alone(ranks [][]int) (ids []int) {
	for _, id := range ranks[0] {
		if !s.plan.member(id).Proxied {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 && len(ranks) > 1 {
		return ranks[1]
	}
	return ids
}

func (s *scenario) quiet(ctx context.Context, id int) error {
	if s.isOver(id) {
		return nil
	}
	return s.tell(ctx, id, command{Do: cmdQuiet})
}

// isOver: the member's present life has ended.
func (s *scenario) isOver(id int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.evidence[s.current[id-1]].Began.IsZero()
}

// endOne ends a member, unless it has ended, and notes when and how.
func (s *scenario) endOne(ctx context.Context, id int) error {
	k, m := s.key(id), s.plan.member(id)
	s.mu.Lock()
	e := s.evidence[k]
	begun := !e.Began.IsZero()
	if !begun {
		e.Began, e.ByClose = time.Now(), m.Close
	}
	s.mu.Unlock()
	if begun {
		return nil
	}
	_, err := s.ask(ctx, id, command{Do: cmdEnd, For: endWithin, Close: m.Close})
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		e.EndErr = err.Error()
		if !strings.Contains(e.EndErr, "no answer") {
			err = nil // Shutdown says what it could not deliver, and the ledger names it
		}
	}
	e.Ended = time.Now()
	return err
}

// How long everything that is on its way may take, how long nothing may change before it counts as arrived, and how
// long if there are still connections that should have ended.
const (
	arriveWithin = 90 * time.Second
	still        = 400 * time.Millisecond
	stillJoined  = 5 * time.Second
)

// settled waits until members have received all that was sent to them: no queue, nothing unread, and nothing that
// changes. Those that should be alone have no peers either.
func (s *scenario) settled(ctx context.Context, ids, alone []int) error {
	began, changed := time.Now(), time.Now()
	var before string
	for {
		now, open, peers, err := s.progress(ctx, ids, alone)
		if err != nil {
			return err
		}
		if now != before || open {
			before, changed = now, time.Now()
		}
		calm := time.Since(changed)
		if calm > stillJoined || calm > still && peers == 0 {
			return nil
		}
		if time.Since(began) > arriveWithin {
			return fmt.Errorf("not everything has arrived after %v: %s", arriveWithin, now)
		}
		pause(ctx, 50*time.Millisecond)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

// progress tells how far members are, whether something is queued or unread, and how many peers those have that should
// have none.
func (s *scenario) progress(ctx context.Context, ids, alone []int) (now string, open bool, peers int, err error) {
	for _, id := range ids {
		if s.isOver(id) {
			continue
		}
		r, err := s.ask(ctx, id, command{Do: cmdState})
		if err != nil {
			return "", false, 0, err
		}
		l := r.Ledger
		now += fmt.Sprintf("%d: %d %d %d %d; ", id, l.Delivered, l.Queued, l.Received, l.Unread)
		// What is unread at a requester that asks no more is the reply to a request that was given up.
		open = open || l.Queued > 0 || l.Unread > 0 && s.plan.member(id).Role != roleReq
		if slices.Contains(alone, id) {
			peers += r.Peers
		}
	}
	return now, open, peers, nil
}

// stacks are what the goroutines of all processes do.
func (s *scenario) stacks(ctx context.Context) (out []string) {
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	for n, p := range s.procs {
		if p == nil {
			continue
		}
		p.Resume()
		if r, err := p.call(ctx, command{Do: cmdStack}); err == nil {
			out = append(out, fmt.Sprintf("process %d:", n))
			out = append(out, strings.Split(r.Endpoint, "\n")...)
		}
	}
	return out
}

// finish ends all processes and relays.
func (s *scenario) finish() {
	s.pending.Wait()
	for _, p := range s.procs {
		if p == nil {
			continue
		}
		p.Resume()
		if err := p.finish(); err != nil {
			s.crash(err.Error())
		}
	}
	for _, r := range s.relays {
		r.close()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.current {
		if e := s.evidence[k]; e != nil && e.Ended.IsZero() {
			e.Failed = true // what it reported last is all there is
		}
	}
}

// complaint reports what a worker said before it was killed.
func (s *scenario) complaint(p *process) {
	if text := p.Complaint(); text != "" {
		s.crash(text)
	}
}

func (s *scenario) crash(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, report{Says: saysFault, Column: crashed, Text: text})
}
