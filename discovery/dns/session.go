package dns

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/yodel-mq/yodel/discovery"
)

const (
	maxBackOff = time.Minute
	// confirmAfter is when to look again whether a name that has listed nodes lists none.
	confirmAfter = time.Second
	// pokeEvery is how often failed connections may have the zone looked up.
	pokeEvery = time.Second
)

// A session is what is open while somebody watches.
type session struct {
	backend *Backend
	table   *discovery.Table
	stop    context.CancelFunc
	done    chan struct{}
	poked   chan struct{}

	// Of run:
	views       []view // of each source, the last one that was had
	known       map[discovery.ID]discovery.Record
	unconfirmed []bool                // of each source: it listed nobody just now, and did before
	refused     map[discovery.ID]bool // by the table, and told
	failures    int                   // in a row
}

func (b *Backend) open() (*session, error) {
	limits := b.config.limits
	limits.NodesPerSource = math.MaxInt32
	s := &session{
		backend:     b,
		table:       discovery.NewTable(b.Name(), discovery.TableConfig{Limits: limits}),
		done:        make(chan struct{}),
		poked:       make(chan struct{}, 1),
		views:       make([]view, len(b.config.sources)),
		known:       make(map[discovery.ID]discovery.Record),
		unconfirmed: make([]bool, len(b.config.sources)),
		refused:     make(map[discovery.ID]bool),
	}
	var ctx context.Context
	ctx, s.stop = context.WithCancel(context.Background())
	go func() {
		defer close(s.done)
		s.run(ctx)
	}()
	return s, nil
}

func (s *session) Watch(ctx context.Context, q discovery.Query) (<-chan discovery.Event, error) {
	return s.table.Watch(ctx, q)
}

func (s *session) Close(context.Context) {
	s.stop()
	<-s.done
	s.table.Close()
}

// poke has the next look come soon.
func (s *session) poke() {
	select {
	case s.poked <- struct{}{}:
	default:
	}
}

func (s *session) run(ctx context.Context) {
	for {
		s.round(ctx)
		if ctx.Err() != nil {
			return
		}
		s.table.Sync()
		last := time.Now()
		timer := time.NewTimer(s.pause())
		select {
		case <-timer.C:
		case <-s.poked:
			// A second reason to look within the interval must not make it a flood.
			timer.Reset(max(0, pokeEvery-time.Since(last)))
			select {
			case <-timer.C:
			case <-ctx.Done():
			}
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// pause returns how long to wait for the next look.
func (s *session) pause() time.Duration {
	d := s.backend.config.interval
	for range min(s.failures, 16) {
		if d *= 2; d >= maxBackOff {
			d = max(maxBackOff, s.backend.config.interval)
			break
		}
	}
	if slices.Contains(s.unconfirmed, true) {
		d = min(d, confirmAfter)
	}
	return d - d/10 + rand.N(d/5+1)
}

// round looks once, and makes the table say what was found.
func (s *session) round(ctx context.Context) {
	found := make([]view, len(s.views))
	var wg sync.WaitGroup
	for i, src := range s.backend.config.sources {
		wg.Go(func() { found[i] = s.look(ctx, src) })
	}
	wg.Wait()
	if ctx.Err() != nil {
		return
	}
	var troubles []error
	for i, v := range found {
		old, wasUnconfirmed := s.views[i], s.unconfirmed[i]
		s.unconfirmed[i] = false
		switch {
		case v.err != nil:
			troubles = append(troubles, v.err)
			if v.nodes == nil {
				continue
			}
			for id := range v.unknown { // is listed: all that is missing is its address, which was known
				if r, ok := old.nodes[id]; ok {
					v.nodes[id] = r
				}
			}
		case len(v.nodes) == 0 && len(old.nodes) > 0 && !wasUnconfirmed:
			s.unconfirmed[i] = true
			continue
		}
		s.views[i] = v
	}
	if len(troubles) == 0 {
		s.failures = 0
	} else if s.failures++; s.failures == 1 {
		s.table.Trouble(errors.Join(troubles...))
	}
	s.apply()
}

// apply makes the table say what the views say together.
func (s *session) apply() {
	now := make(map[discovery.ID]discovery.Record)
	for _, v := range s.views {
		for id, r := range v.nodes {
			sum, ok := now[id]
			if !ok {
				sum = r
				sum.Services = nil
			}
			sum.Services = append(sum.Services, r.Services...)
			now[id] = sum
		}
	}
	for id := range s.known {
		if _, ok := now[id]; !ok {
			delete(s.known, id)
			s.table.Drop(id, discovery.Expired)
		}
	}
	for id, r := range now {
		old, ok := s.known[id]
		r.Revision = old.Revision
		if ok && reflect.DeepEqual(old, r) {
			continue
		}
		r.Revision = s.backend.revision.Add(1)
		s.put(r)
	}
	for id := range s.refused {
		if _, ok := now[id]; !ok {
			delete(s.refused, id)
		}
	}
}

// put tries again with each look what the table refuses, when it is full for example, but tells of it once.
func (s *session) put(r discovery.Record) {
	err := s.table.Put(r.Clone(), discovery.Forever)
	switch {
	case err == nil:
		s.known[r.ID] = r
		delete(s.refused, r.ID)
	case !s.refused[r.ID]:
		s.refused[r.ID] = true
		s.table.Trouble(err)
	}
}
