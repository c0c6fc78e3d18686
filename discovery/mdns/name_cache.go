package mdns

import (
	"slices"
	"sync"
	"time"

	"github.com/yodel-mq/yodel/discovery"
)

// lapses knows the names of nodes and when their records run out. The zero value is ready.
//
// The name of a Yodel node is its ID. Nodes that other programs announce have any name, which several of them may
// share. A name that is an ID never stands for a node with another ID; see response.
type lapses struct {
	mu    sync.Mutex
	nodes map[discovery.ID]*lapse
	named map[string][]discovery.ID // those that go by a name which is no ID
}

type lapse struct {
	own       bool     // it goes by its ID, so it is a node of ours
	names     []string // all others
	heard     time.Time
	ttl       time.Duration
	asked     int // how often, since it was heard
	confirmed time.Time
}

const (
	maxLapses   = 4096
	maxNames    = 4 // of a node
	maxSameName = 8 // nodes
)

// heard takes note that a node was heard of by that name.
func (s *lapses) heard(name string, id discovery.ID, ttl time.Duration, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.nodes[id]
	if l == nil {
		if len(s.nodes) >= maxLapses {
			return // not asked for, then
		}
		if s.nodes == nil {
			s.nodes, s.named = make(map[discovery.ID]*lapse), make(map[string][]discovery.ID)
		}
		l = &lapse{}
		s.nodes[id] = l
	}
	switch {
	case name == id.String():
		l.own = true
	case slices.Contains(l.names, name) || len(l.names) >= maxNames || len(s.named[name]) >= maxSameName:
	default:
		l.names = append(l.names, name)
		s.named[name] = append(s.named[name], id)
	}
	l.heard, l.ttl, l.asked = now, ttl, 0
}

func (s *lapses) forget(id discovery.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(id)
}

func (s *lapses) remove(id discovery.ID) {
	l := s.nodes[id]
	if l == nil {
		return
	}
	for _, name := range l.names {
		s.named[name] = slices.DeleteFunc(s.named[name], func(other discovery.ID) bool { return other == id })
		if len(s.named[name]) == 0 {
			delete(s.named, name)
		}
	}
	delete(s.nodes, id)
}

// ids returns the nodes that go by that name.
func (s *lapses) ids(name string) []discovery.ID {
	if id, err := discovery.ParseID(name); err == nil {
		return []discovery.ID{id}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.named[name])
}

// labels returns by which names to ask for a node: a node of ours knows no name but its ID.
func (l *lapse) labels(id discovery.ID) []string {
	if l.own || len(l.names) == 0 {
		return []string{id.String()}
	}
	return slices.Clone(l.names)
}

// confirm returns the names by which to ask for a node, whether it has been heard of, and whether that was asked a
// moment ago.
func (s *lapses) confirm(id discovery.ID, now time.Time) (labels []string, known, lately bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.nodes[id]
	if l == nil {
		return []string{id.String()}, false, false
	}
	if now.Sub(l.confirmed) < confirmTimeout {
		return nil, true, true
	}
	l.confirmed = now
	return l.labels(id), true, false
}

// due returns the names of those to ask for now: each at 80, 85, 90 and 95 percent of its lifetime (RFC 6762 section
// 5.2). Those that have passed it are forgotten. foreign leaves out our own nodes.
func (s *lapses) due(now time.Time, foreign bool) (labels []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, l := range s.nodes {
		age := now.Sub(l.heard)
		switch {
		case age > l.ttl:
			s.remove(id)
		case foreign && l.own:
		case l.asked < 4 && age >= l.ttl*time.Duration(80+5*l.asked)/100:
			l.asked++
			labels = append(labels, l.labels(id)...)
		}
	}
	return labels
}
