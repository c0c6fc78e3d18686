package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/yodel-mq/yodel/socket"
)

// A mixPlan is a scenario of another kind: sockets of many roles in one process, on which many goroutines do anything
// that can be done, in any order. Nobody knows what should arrive; but the ledgers must balance, over inproc also those
// of all senders with those of all receivers, nothing may hang or be left behind, and with -race nothing may race.
type mixPlan struct {
	Roles      []string `json:"roles"`
	Each       int      `json:"each"` // sockets of each role
	Goroutines int      `json:"goroutines"`
	Transport  string   `json:"transport"`
}

// mixed are the roles of a mix: those that talk to each other, and all at once.
var mixed = [][]string{
	{rolePush, rolePull},
	{rolePub, roleSub, roleXSub},
	{rolePub, roleSub, roleXPub, roleXSub},
	{roleReq, roleRep, roleDealer, roleRouter},
	{rolePair},
	{rolePush, rolePull, rolePub, roleSub, roleXPub, roleXSub, roleReq, roleRep, roleDealer, roleRouter, rolePair},
}

// mixing is a plan's mix.
func (k maker) mixing() {
	k.p.Mix = &mixPlan{
		Roles: mixed[k.IntN(len(mixed))], Each: 1 + k.IntN(3), Goroutines: 4 + k.IntN(12), Transport: k.p.Transport,
	}
}

// A mix is a mixPlan at work.
type mix struct {
	*mixPlan
	w         *worker
	endpoints []string
	slots     []*slot
	opened    atomic.Uint64 // sockets made so far

	mu    sync.Mutex
	total ledger
}

// A slot holds one socket, or the one that took its place.
type slot struct {
	mu   sync.RWMutex
	role string
	sock socket.Socket
}

func (s *slot) get() socket.Socket {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.sock
}

func (s *slot) swap(next socket.Socket) (before socket.Socket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, s.sock = s.sock, next
	return before
}

// mix carries out a mix and reports its totals.
func (w *worker) mix(ctx context.Context, c command) error {
	dir, err := os.MkdirTemp("", "soak")
	if err != nil {
		return err
	}
	defer removeAll(dir)
	m := &mix{mixPlan: c.Mix, w: w, total: ledger{Dropped: make(map[string]uint64), Discarded: make(map[string]uint64)}}
	if err := m.addresses(dir); err != nil {
		return err
	}
	before := runtime.NumGoroutine()
	r := rand.New(rand.NewPCG(c.Seed, 0))
	for _, role := range m.Roles {
		for range m.Each {
			m.slots = append(m.slots, &slot{role: role, sock: m.make(r, role)})
		}
	}
	within, cancel := context.WithTimeout(ctx, c.For)
	defer cancel()
	var all sync.WaitGroup
	for n := range m.Goroutines {
		r := rand.New(rand.NewPCG(c.Seed, uint64(n)+1))
		all.Go(func() {
			for within.Err() == nil {
				m.any(within, r)
			}
		})
	}
	if !waits(&all, c.For+mixGrace) {
		_ = pprof.Lookup("goroutine").WriteTo(os.Stderr, 2) // for whoever reads what the worker says
		m.fault(stuck, "goroutines are still at work %v after the end", mixGrace)
		return nil
	}
	for _, s := range m.slots {
		m.retire(within, r, s.role, s.get())
	}
	m.compare(ctx, before)
	return nil
}

const mixGrace = 30 * time.Second

// waits waits for a group, not longer than d.
func waits(all *sync.WaitGroup, d time.Duration) bool {
	done := make(chan struct{})
	go func() {
		all.Wait()
		close(done)
	}()
	select {
	case <-done:
		return true
	case <-time.After(d):
		return false
	}
}

// addresses chooses where the sockets bind and connect.
func (m *mix) addresses(dir string) error {
	for n := range 4 {
		switch m.Transport {
		case "inproc":
			m.endpoints = append(m.endpoints, fmt.Sprintf("inproc://mix%d", n))
		case "ipc":
			m.endpoints = append(m.endpoints, "ipc://"+filepath.Join(dir, fmt.Sprint(n)))
		default: // ports that are free now
			s := socket.NewPull()
			e, err := s.Bind(context.Background(), "tcp://127.0.0.1:*")
			if err != nil {
				return err
			}
			m.endpoints = append(m.endpoints, e)
			defer s.Close()
		}
	}
	return nil
}

func (m *mix) fault(column, format string, a ...any) {
	m.w.say(report{Says: saysFault, Column: column, Text: "mix: " + fmt.Sprintf(format, a...)})
}

// retire ends a socket in one way or another and adds its ledger to the totals.
func (m *mix) retire(ctx context.Context, r *rand.Rand, role string, s socket.Socket) {
	began := time.Now()
	if r.IntN(3) == 0 {
		within, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		_ = s.Shutdown(within) // what it could not deliver is in the ledger
		cancel()
	} else {
		_ = s.Close()
	}
	if took := time.Since(began); took > grace {
		m.fault(stuck, "the end of a %s took %v", role, took)
	}
	st := s.Stats()
	if err := st.Check(); err != nil {
		m.fault(unnamed, "%s after its end: %v", role, err)
	}
	if st.Queued.Messages > 0 || st.Unread.Messages > 0 || len(st.Peers) > 0 {
		m.fault(unnamed, "%s after its end: queued %d, unread %d, %d peers",
			role, st.Queued.Messages, st.Unread.Messages, len(st.Peers))
	}
	l := ledgerOf(st.Ledger)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.total.Accepted += l.Accepted
	m.total.Delivered += l.Delivered
	m.total.Received += l.Received
	m.total.Handed += l.Handed
	m.total.Dropped["all"] += total(l.Dropped)
	m.total.Discarded["all"] += total(l.Discarded)
}

// compare compares the totals, and the goroutines with those at the beginning.
func (m *mix) compare(ctx context.Context, before int) {
	l := &m.total
	// An XPUB receives changes of subscriptions too, which nobody has delivered.
	more := l.Received > l.Delivered && !slices.Contains(m.Roles, roleXPub)
	if m.Transport == "inproc" && (more || l.Received < l.Delivered) {
		m.fault(unnamed, "delivered by all: %d; received by all: %d", l.Delivered, l.Received)
	}
	for end := time.Now().Add(grace); runtime.NumGoroutine() > before && time.Now().Before(end) && ctx.Err() == nil; {
		pause(ctx, 20*time.Millisecond) // one that has just ended may be counted still
	}
	if now := runtime.NumGoroutine(); now > before {
		_ = pprof.Lookup("goroutine").WriteTo(os.Stderr, 1) // for whoever reads what the worker says
		m.fault(stuck, "%d goroutines before, %d after the end", before, now)
	}
	m.w.say(report{Says: saysTotals, Ledger: l})
}
