package mdns

import (
	"slices"
	"sync"
	"time"

	"github.com/yodel-mq/yodel/discovery"
)

// A nameCache knows the names of nodes and when their records expire. The zero value is ready.
//
// The name of a Yodel node is its ID. Nodes that other programs announce have any name, which several of them may
// share. A name that is an ID never stands for a node with another ID; see response.
type nameCache struct {
	mu    sync.Mutex
	nodes map[discovery.ID]*cachedNode
	named map[string][]discovery.ID // those that go by a name which is no ID
}

type cachedNode struct {
	own       bool     // it goes by its ID, so it is a node of ours
	names     []string // all others
	heard     time.Time
	ttl       time.Duration
	asked     int // how often, since it was heard
	confirmed time.Time
}

const (
	maxCachedNodes = 4096
	maxNames       = 4 // of a node
	maxSameName    = 8 // nodes
)

// heard takes note that a node was heard of by that name.
func (c *nameCache) heard(name string, id discovery.ID, ttl time.Duration, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.nodes[id]
	if l == nil {
		if len(c.nodes) >= maxCachedNodes {
			return // not asked for, then
		}
		if c.nodes == nil {
			c.nodes, c.named = make(map[discovery.ID]*cachedNode), make(map[string][]discovery.ID)
		}
		l = &cachedNode{}
		c.nodes[id] = l
	}
	switch {
	case name == id.String():
		l.own = true
	case slices.Contains(l.names, name) || len(l.names) >= maxNames || len(c.named[name]) >= maxSameName:
	default:
		l.names = append(l.names, name)
		c.named[name] = append(c.named[name], id)
	}
	l.heard, l.ttl, l.asked = now, ttl, 0
}

func (c *nameCache) forget(id discovery.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(id)
}

func (c *nameCache) remove(id discovery.ID) {
	l := c.nodes[id]
	if l == nil {
		return
	}
	for _, name := range l.names {
		c.named[name] = slices.DeleteFunc(c.named[name], func(other discovery.ID) bool { return other == id })
		if len(c.named[name]) == 0 {
			delete(c.named, name)
		}
	}
	delete(c.nodes, id)
}

// ids returns the nodes that go by that name.
func (c *nameCache) ids(name string) []discovery.ID {
	if id, err := discovery.ParseID(name); err == nil {
		return []discovery.ID{id}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.named[name])
}

// labels returns by which names to ask for a node: a node of ours knows no name but its ID.
func (l *cachedNode) labels(id discovery.ID) []string {
	if l.own || len(l.names) == 0 {
		return []string{id.String()}
	}
	return slices.Clone(l.names)
}

// confirm returns the names by which to ask for a node, whether it has been heard of, and whether that was asked a
// moment ago.
func (c *nameCache) confirm(id discovery.ID, now time.Time) (labels []string, known, lately bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.nodes[id]
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
func (c *nameCache) due(now time.Time, foreign bool) (labels []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, l := range c.nodes {
		age := now.Sub(l.heard)
		switch {
		case age > l.ttl:
			c.remove(id)
		case foreign && l.own:
		case l.asked < 4 && age >= l.ttl*time.Duration(80+5*l.asked)/100:
			l.asked++
			labels = append(labels, l.labels(id)...)
		}
	}
	return labels
}
