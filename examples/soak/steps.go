package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// do does one step. Those that last go on by themselves.
func (s *scenario) do(ctx context.Context, st step) error {
	m := s.plan.member(st.Member)
	if s.isOver(m.ID) {
		return nil // by an earlier step
	}
	switch st.Do {
	case stepKill:
		return s.restart(ctx, m.Process)
	case stepStop:
		p := s.procs[m.Process]
		p.Suspend()
		s.pending.Go(func() {
			pause(ctx, st.For)
			p.Resume()
		})
	case stepPause:
		return s.tell(ctx, m.ID, command{Do: cmdPause, For: st.For})
	case stepCut, stepStall:
		r := s.relays[m.ID]
		if r == nil {
			return fmt.Errorf("soak: no relay")
		}
		if st.Do == stepCut {
			r.cut()
		} else {
			r.stall(st.For)
		}
	case stepMove:
		return s.move(ctx, m)
	case stepRejoin:
		return s.rejoin(ctx, m, st.For)
	case stepEnd:
		s.pending.Go(func() { _ = s.endOne(ctx, m.ID) }) // the evidence has how it ended
	case stepReplace:
		_ = s.endOne(ctx, m.ID) // the evidence has how it ended
		return s.again(ctx, []int{m.ID})
	case stepFlap:
		s.pending.Go(func() { _ = s.tell(ctx, m.ID, command{Do: cmdFlap, For: st.For}) }) // it may be killed meanwhile
	case stepFlood:
		address := strings.TrimPrefix(strings.TrimPrefix(s.bound[m.ID], "tcp://"), "ipc://")
		s.pending.Go(func() {
			flood(ctx, s.network(), address, m.Role, st.How, st.For, s.plan.Seed+uint64(s.plan.Number))
		})
	default:
		return fmt.Errorf("soak: no step %q", st.Do)
	}
	return nil
}

// restart kills a process, starts it anew and lets its members do what they did.
func (s *scenario) restart(ctx context.Context, n int) error {
	p := s.procs[n]
	p.Kill()
	s.complaint(p)
	ids := s.plan.starters(n)
	life := s.key(ids[0]).Life + 1
	s.mu.Lock()
	for _, id := range ids {
		s.evidence[s.current[id-1]].Killed = true
	}
	s.mu.Unlock()
	p, err := startProcess(ctx, s.take)
	if err != nil {
		return err
	}
	s.procs[n] = p
	for _, id := range ids {
		s.mu.Lock()
		s.current[id-1] = key{id, life - 1} // what again counts on
		s.mu.Unlock()
	}
	return s.again(ctx, ids)
}

// again gives members a next life.
func (s *scenario) again(ctx context.Context, ids []int) error {
	for _, id := range ids {
		if err := s.open(ctx, id, s.key(id).Life+1); err != nil {
			return err
		}
	}
	for _, id := range ids {
		m := s.plan.member(id)
		before := s.bound[id]
		if err := s.bind(ctx, m); err != nil {
			return err
		}
		if err := s.follow(ctx, m, before); err != nil {
			return err
		}
		if err := s.connect(ctx, m); err != nil {
			return err
		}
	}
	for _, id := range ids {
		s.pending.Go(func() { _ = s.tell(ctx, id, command{Do: cmdStart}) }) // it may be killed meanwhile
	}
	return nil
}

// follow tells those that connect to a member that it is elsewhere now, unless a relay does.
func (s *scenario) follow(ctx context.Context, m *member, before string) error {
	now := s.bound[m.ID]
	if !m.Binds || m.Relay || now == before {
		return nil
	}
	for _, other := range s.plan.Members {
		if !slices.Contains(other.To, m.ID) || s.isOver(other.ID) {
			continue
		}
		if err := s.tell(ctx, other.ID, command{Do: cmdConnect, Endpoint: now}); err != nil {
			return err
		}
		if err := s.tell(ctx, other.ID, command{Do: cmdLeave, Endpoint: before}); err != nil {
			return err
		}
	}
	return nil
}

// move lets a member leave its address and bind to another.
func (s *scenario) move(ctx context.Context, m *member) error {
	before := s.bound[m.ID]
	s.moved++
	if err := s.tell(ctx, m.ID, command{Do: cmdUnbind, Endpoint: before}); err != nil {
		return err
	}
	if err := s.bind(ctx, m); err != nil {
		return err
	}
	return s.follow(ctx, m, before)
}

// rejoin lets a member disconnect from everybody and connect again after a while.
func (s *scenario) rejoin(ctx context.Context, m *member, d time.Duration) error {
	for _, id := range m.To {
		endpoint, err := s.public(s.plan.member(id))
		if err != nil {
			return err
		}
		if err := s.tell(ctx, m.ID, command{Do: cmdLeave, Endpoint: endpoint}); err != nil {
			return err
		}
	}
	pause(ctx, d)
	return s.connect(ctx, m)
}
