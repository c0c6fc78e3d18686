package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// A scenario is a plan being carried out.
type scenario struct {
	plan  *plan
	dir   string // its own, for ipc
	procs []*process

	mu       sync.Mutex
	current  []key // of each member
	evidence map[key]*evidence
	order    []*evidence
	faults   []report
	totals   *ledger        // of a mix
	bound    map[int]string // the endpoint each binder has
	relays   map[int]*relay
	moved    int
	began    bool // traffic has started

	pending sync.WaitGroup // steps that last
}

// carryOut runs a plan and returns what the checker says of it.
func carryOut(ctx context.Context, p *plan, base string) (verdict, error) {
	dir, err := os.MkdirTemp(base, fmt.Sprintf("s%d-", p.Number))
	if err != nil {
		return verdict{}, err
	}
	defer removeAll(dir)
	s := &scenario{
		plan: p, dir: dir, procs: make([]*process, p.processes()), current: make([]key, len(p.Members)),
		evidence: make(map[key]*evidence), bound: make(map[int]string), relays: make(map[int]*relay),
	}
	if p.Mix != nil {
		err = s.runMix(ctx)
	} else {
		err = s.run(ctx)
	}
	var stacks []string
	if err != nil {
		stacks = s.stacks(ctx)
	}
	s.finish()
	if ctx.Err() != nil {
		return verdict{}, context.Cause(ctx)
	}
	v := check(p, s.order)
	if l := s.totals; l != nil {
		v.Sent, v.Received, v.Dropped = l.Accepted, l.Handed, total(l.Dropped)+total(l.Discarded)
	}
	for _, f := range s.faults {
		v.find(f.Column, 1, "%s", f.Text)
	}
	if err != nil {
		v.find(stuck, 1, "%v", err)
	}
	v.Sockets = describe(s.order)
	v.Stacks = stacks
	return v, nil
}

// run is the scenario from its first process to the last socket's end.
func (s *scenario) run(ctx context.Context) error {
	for n := range s.procs {
		if err := s.launch(ctx, n, 0); err != nil {
			return err
		}
	}
	for _, early := range []bool{s.plan.Early, !s.plan.Early} {
		for _, m := range s.plan.Members {
			var err error
			if early {
				err = s.connect(ctx, &m)
			} else {
				err = s.bind(ctx, &m)
			}
			if err != nil {
				return err
			}
		}
	}
	if err := s.each(s.ids(), func(id int) error { return s.tell(ctx, id, command{Do: cmdStart}) }); err != nil {
		return err
	}
	s.began = true
	began := time.Now()
	for _, st := range s.plan.Steps {
		pause(ctx, time.Until(began.Add(st.At)))
		if err := s.do(ctx, st); err != nil && !errors.Is(err, errGone) {
			return fmt.Errorf("%s of member %d: %w", st.Do, st.Member, err)
		}
	}
	pause(ctx, time.Until(began.Add(s.plan.For)))
	return s.end(ctx)
}

// runMix is a scenario in one process, which knows by itself what to do.
func (s *scenario) runMix(ctx context.Context) error {
	if err := s.launch(ctx, 0, 0); err != nil {
		return err
	}
	within, cancel := context.WithTimeout(ctx, s.plan.For+3*mixGrace)
	defer cancel()
	_, err := s.procs[0].call(within, command{
		Do: cmdMix, Mix: s.plan.Mix, For: s.plan.For, Seed: s.plan.Seed + uint64(s.plan.Number),
	})
	return err
}

// launch starts a process and makes the sockets of its members.
func (s *scenario) launch(ctx context.Context, n, life int) error {
	p, err := startProcess(ctx, s.take)
	if err != nil {
		return err
	}
	s.procs[n] = p
	for _, id := range s.plan.starters(n) {
		if err := s.open(ctx, id, life); err != nil {
			return err
		}
	}
	return nil
}

// open makes a member's socket, in a life of its own.
func (s *scenario) open(ctx context.Context, id, life int) error {
	m := s.plan.member(id)
	k := key{id, life}
	s.mu.Lock()
	s.current[id-1] = k
	e := &evidence{key: k, Role: m.Role}
	s.evidence[k] = e
	s.order = append(s.order, e)
	s.mu.Unlock()
	return s.tell(ctx, id, command{
		Do: cmdOpen, Member: m, Scenario: s.plan.Number, Seed: s.plan.Seed + uint64(s.plan.Number),
	})
}

// take adds a worker's report to the evidence.
func (s *scenario) take(r report) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Says == saysFault {
		s.faults = append(s.faults, r)
		return
	}
	if r.Says == saysTotals {
		s.totals = r.Ledger
		return
	}
	if e := s.evidence[r.Key]; e != nil {
		e.take(r)
	}
}

// key is a member's present life.
func (s *scenario) key(id int) key {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current[id-1]
}

// limit bounds a command that should be answered soon. Its worker may be stopped for a while by the plan.
const limit = 60 * time.Second

// tell gives a member a command and waits for the answer.
func (s *scenario) tell(ctx context.Context, id int, c command) error {
	_, err := s.ask(ctx, id, c)
	return err
}

func (s *scenario) ask(ctx context.Context, id int, c command) (report, error) {
	c.Key = s.key(id)
	ctx, cancel := context.WithTimeout(ctx, limit+c.For)
	defer cancel()
	return s.procs[s.plan.member(id).Process].call(ctx, c)
}

func (s *scenario) ids() (ids []int) {
	for _, m := range s.plan.Members {
		ids = append(ids, m.ID)
	}
	return ids
}

// each does something for members side by side.
func (s *scenario) each(ids []int, f func(id int) error) error {
	errs := make([]error, len(ids))
	var all sync.WaitGroup
	for i, id := range ids {
		all.Go(func() { errs[i] = f(id) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// network is what package net calls the plan's transport.
func (s *scenario) network() string {
	if s.plan.Transport == "ipc" {
		return "unix"
	}
	return "tcp"
}

// bind binds a member that binds, and aims its relay.
func (s *scenario) bind(ctx context.Context, m *member) error {
	if !m.Binds {
		return nil
	}
	r, err := s.ask(ctx, m.ID, command{Do: cmdBind, Endpoint: s.address(m)})
	if err != nil {
		return err
	}
	if r.Endpoint == "" {
		return fmt.Errorf("member %d is bound to nothing", m.ID)
	}
	s.bound[m.ID] = r.Endpoint
	if m.Relay {
		relay, err := s.relay(m)
		if err != nil {
			return err
		}
		relay.aim(strings.TrimPrefix(strings.TrimPrefix(r.Endpoint, "tcp://"), "ipc://"))
	}
	return nil
}

// address is where a member binds next.
func (s *scenario) address(m *member) string {
	switch s.plan.Transport {
	case "inproc":
		return fmt.Sprintf("inproc://m%d-%d", m.ID, s.moved)
	case "ipc":
		return "ipc://" + filepath.Join(s.dir, fmt.Sprintf("m%d-%d", m.ID, s.moved))
	}
	return "tcp://127.0.0.1:*"
}

// relay is the relay in front of a member, made when it is first asked for.
func (s *scenario) relay(m *member) (*relay, error) {
	r := s.relays[m.ID]
	if r == nil {
		var err error
		if r, err = newRelay(s.network(), filepath.Join(s.dir, fmt.Sprintf("r%d", m.ID))); err != nil {
			return nil, err
		}
		s.relays[m.ID] = r
	}
	return r, nil
}

// public is the endpoint at which others reach a member.
func (s *scenario) public(m *member) (string, error) {
	if m.Relay {
		r, err := s.relay(m)
		if err != nil {
			return "", err
		}
		return s.plan.Transport + "://" + r.address(), nil
	}
	if e := s.bound[m.ID]; e != "" {
		return e, nil
	}
	return s.address(m), nil // before it has bound: not of tcp
}

// connect connects a member to all that it connects to.
func (s *scenario) connect(ctx context.Context, m *member) error {
	for _, id := range m.To {
		endpoint, err := s.public(s.plan.member(id))
		if err != nil {
			return err
		}
		if err := s.tell(ctx, m.ID, command{Do: cmdConnect, Endpoint: endpoint}); err != nil {
			return err
		}
	}
	return nil
}
