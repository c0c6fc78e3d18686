package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/yodel-mq/yodel/discovery"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// nearMisses tells of names that are looked for and that nobody announces, or somebody whose type cannot talk with
// ours, a second after others have had the time to answer: a name may be misspelt.
type nearMisses struct {
	con              *console
	verb, typ, group string
	find             []string

	mu     sync.Mutex
	there  map[discovery.ID]discovery.Record
	said   map[string]string // of each name, what was said last
	timer  *time.Timer
	synced bool
	ended  bool
}

const nearAfter = time.Second

func newNearMisses(con *console, verb, typ, group string, find []string) *nearMisses {
	return &nearMisses{
		con: con, verb: verb, typ: typ, group: group, find: find,
		there: make(map[discovery.ID]discovery.Record), said: make(map[string]string),
	}
}

// take takes note of an event.
func (n *nearMisses) take(e discovery.Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch e.Kind {
	case discovery.Added, discovery.Updated:
		n.there[e.Record.ID] = e.Record
	case discovery.Left, discovery.Expired:
		delete(n.there, e.Record.ID)
	case discovery.Synced:
		n.synced = true
	default:
		return
	}
	if n.synced && n.timer == nil && len(n.find) > 0 {
		n.timer = time.AfterFunc(nearAfter, n.tell)
	}
}

// stop ends it.
func (n *nearMisses) stop() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ended = true
	if n.timer != nil {
		n.timer.Stop()
	}
}

// tell says what is new, and looks again after a while.
func (n *nearMisses) tell() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ended {
		return
	}
	for _, name := range n.find {
		text := n.miss(name)
		if text != "" && text != n.said[name] {
			n.con.notef("%s: %s", n.verb, text)
		}
		n.said[name] = text
	}
	n.timer.Reset(nearAfter)
}

// miss says why nobody is found by a name; "" if somebody is.
func (n *nearMisses) miss(name string) string {
	var types, others []string
	for _, r := range n.there {
		for _, s := range r.Services {
			other := fmt.Sprintf("%s (%s)", printable(s.Name), printable(s.Type))
			if s.Name == name {
				if s.Type == "" || zmtp.SocketType(n.typ).Accepts(zmtp.SocketType(s.Type)) {
					return ""
				}
				types = append(types, printable(s.Type))
			} else if !slices.Contains(others, other) {
				others = append(others, other)
			}
		}
	}
	slices.Sort(types)
	slices.Sort(others)
	switch {
	case len(types) > 0:
		nodes := countOf(len(types), "node")
		need := partners(n.typ)
		return fmt.Sprintf("%q is announced by %s, as %s; a %s needs %s", name, nodes,
			strings.Join(slices.Compact(types), " and "), n.typ, need)
	case len(others) > 8:
		others = append(others[:8], fmt.Sprintf("and %d more", len(others)-8))
	case len(others) == 0:
		return fmt.Sprintf("nobody in group %s announces %q, or anything", n.group, name)
	}
	return fmt.Sprintf("nobody in group %s announces %q; it has: %s", n.group, name, strings.Join(others, ", "))
}

// partners are the types that a type talks to: "PUB or XPUB".
func partners(typ string) string {
	e := zmtp.SocketTypeError{Ours: zmtp.SocketType(typ)}
	var all []string
	for _, t := range e.Partners() {
		all = append(all, string(t))
	}
	if len(all) < 2 {
		return strings.Join(all, "")
	}
	return strings.Join(all[:len(all)-1], ", ") + " or " + all[len(all)-1]
}
