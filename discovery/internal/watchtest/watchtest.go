// Package watchtest helps the tests of backends to wait for what a watch tells.
package watchtest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/discovery"
)

// Patience is how long to wait for what must happen before a test gives up. Machines under load are slow.
const Patience = 90 * time.Second

// A Log is what a watch has told.
type Log struct {
	t    testing.TB
	stop context.CancelFunc
	done chan struct{}

	mu     sync.Mutex
	events []discovery.Event
	more   chan struct{} // closed with each event, and made anew
	nodes  map[discovery.ID]discovery.Record
}

// Watch begins a watch, which ends with the test, or with Stop.
func Watch(t testing.TB, w discovery.Watcher, q discovery.Query) *Log {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	events, err := w.Watch(ctx, q)
	if err != nil {
		stop()
		t.Fatalf("Watch: %v", err)
	}
	l := &Log{
		t: t, stop: stop, done: make(chan struct{}), more: make(chan struct{}),
		nodes: make(map[discovery.ID]discovery.Record),
	}
	go func() {
		defer close(l.done)
		for e := range events {
			l.add(e)
		}
	}()
	t.Cleanup(l.Stop)
	return l
}

// Stop ends the watch, and returns once its channel is closed.
func (l *Log) Stop() {
	l.stop()
	<-l.done
}

func (l *Log) add(e discovery.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
	switch e.Kind {
	case discovery.Added, discovery.Updated, discovery.Incompatible:
		l.nodes[e.Record.ID] = e.Record
	case discovery.Left, discovery.Expired:
		delete(l.nodes, e.Record.ID)
	default:
	}
	close(l.more)
	l.more = make(chan struct{})
}

// Until waits for cond, which is asked after each event, and returns how long that took. events are all so far, nodes
// what is known after them.
func (l *Log) Until(
	what string, cond func(events []discovery.Event, nodes map[discovery.ID]discovery.Record) bool,
) time.Duration {
	l.t.Helper()
	began := time.Now()
	late := time.NewTimer(Patience)
	defer late.Stop()
	for {
		l.mu.Lock()
		ok, more := cond(l.events, l.nodes), l.more
		l.mu.Unlock()
		if ok {
			return time.Since(began)
		}
		select {
		case <-more:
		case <-late.C:
			l.t.Fatalf("no %s within %v; events: %s", what, Patience, l)
		}
	}
}

// Kind waits for the first event of that kind from index from on, and returns it.
func (l *Log) Kind(k discovery.EventKind, from int) (e discovery.Event) {
	l.t.Helper()
	l.Until(fmt.Sprintf("%q", k), func(events []discovery.Event, _ map[discovery.ID]discovery.Record) bool {
		if from > len(events) {
			return false
		}
		i := slices.IndexFunc(events[from:], func(e discovery.Event) bool { return e.Kind == k })
		if i >= 0 {
			e = events[from+i]
		}
		return i >= 0
	})
	return e
}

// About waits for an event of that kind about that node, and returns it and how long that took.
func (l *Log) About(k discovery.EventKind, id discovery.ID) (e discovery.Event, took time.Duration) {
	l.t.Helper()
	took = l.Until(fmt.Sprintf("%q about %v", k, id),
		func(events []discovery.Event, _ map[discovery.ID]discovery.Record) bool {
			i := slices.IndexFunc(events, func(e discovery.Event) bool { return e.Kind == k && e.Record.ID == id })
			if i >= 0 {
				e = events[i]
			}
			return i >= 0
		})
	return e, took
}

// Endpoints waits until these, and no others, are what all nodes together offer.
func (l *Log) Endpoints(want ...string) time.Duration {
	l.t.Helper()
	slices.Sort(want)
	return l.Until(fmt.Sprint(want), func(_ []discovery.Event, nodes map[discovery.ID]discovery.Record) bool {
		return slices.Equal(endpoints(nodes), want)
	})
}

func endpoints(nodes map[discovery.ID]discovery.Record) []string {
	var all []string
	for _, r := range nodes {
		for _, s := range r.Services {
			for _, e := range s.Endpoints {
				all = append(all, s.Name+"="+e)
			}
		}
	}
	slices.Sort(all)
	return all
}

// Events returns all so far.
func (l *Log) Events() []discovery.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.events)
}

// Count returns how many events of that kind there have been.
func (l *Log) Count(k discovery.EventKind) (n int) {
	for _, e := range l.Events() {
		if e.Kind == k {
			n++
		}
	}
	return n
}

// Nodes returns what is known.
func (l *Log) Nodes() map[discovery.ID]discovery.Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.nodes)
}

// String shows what happened.
func (l *Log) String() string {
	var b strings.Builder
	for _, e := range l.Events() {
		fmt.Fprintf(&b, "\n%s %v %v %v", e.Kind, e.Record.ID, e.Record.Services, e.Err)
	}
	return b.String()
}
