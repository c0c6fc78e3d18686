package mdns

import (
	"sync"
	"time"

	"github.com/yodel-mq/yodel/discovery"
)

const (
	// syncAfter is how long after the first question all who are there should have answered.
	syncAfter = time.Second
	fewPeers  = 50 // up to which more questions are asked in the first seconds

	restPause   = time.Minute // between questions at rest, or a second for each peer if that is more
	scanPause   = 2 * time.Second
	restPerPeer = time.Second
	scanPerPeer = 50 * time.Millisecond

	confirmTimeout    = 2 * time.Second
	confirmsPerSecond = 50
)

// rounds is when a new watch, or one whose network has changed, asks: any packet may get lost, and new announcements cannot
// be relied on for nodes that were there before. The steps that are not a must are left out where many would answer.
var rounds = [...]struct {
	at   time.Duration
	must bool
}{{0, true}, {250 * time.Millisecond, false}, {time.Second, true}, {2 * time.Second, false}, {3 * time.Second, true}, {4 * time.Second, false}}

// ask asks who is there, for as long as somebody watches.
func (e *engine) ask() {
	packet, err := question()
	if err != nil {
		return
	}
	e.after(syncAfter, e.table.Sync)
	timer := time.NewTimer(0)
	defer timer.Stop()
	step := 0
	for {
		select {
		case <-e.done:
			return
		case <-e.round:
			step = 0
		case <-timer.C:
		}
		skip := step > 0 && step < len(rounds) && !rounds[step].must && e.peers() > fewPeers
		if !skip && e.watched() {
			e.question(packet)
		}
		step++
		timer.Reset(e.questionPause(step))
	}
}

func (e *engine) questionPause(step int) time.Duration {
	if step < len(rounds) {
		return rounds[step].at - rounds[step-1].at
	}
	peers := time.Duration(e.peers())
	e.mu.Lock()
	scan := e.trouble != nil
	e.mu.Unlock()
	if scan {
		return jitter(max(scanPause, peers*scanPerPeer), 0.1)
	}
	return jitter(max(restPause, peers*restPerPeer), 0.25)
}

// newRound has it ask as if it had just begun. The lock is held.
func (e *engine) newRound() {
	if !e.asking {
		return
	}
	select {
	case e.round <- struct{}{}:
	default:
	}
}

// confirm asks a node whether it is still there, and drops it if it does not answer. If it is a stranger's wish, nothing is
// asked for nodes that nobody has heard of.
func (e *engine) confirm(id discovery.ID, stranger bool) {
	label, known, lately := e.lapses.confirm(id, time.Now())
	if lately || stranger && !known || !e.confirms.take() {
		return
	}
	e.table.Suspect(id, confirmTimeout)
	e.askFor(label)
	for _, d := range [...]time.Duration{300 * time.Millisecond, time.Second} {
		e.after(d, func() { e.askFor(label) })
	}
}

func (e *engine) askFor(label string) {
	if packet, err := questionFor(label); err == nil {
		e.question(packet)
	}
}

// askLapsing asks for those who have not been heard of for most of their lifetime: other mDNS daemons announce once and
// then wait to be asked (RFC 6762 section 5.2). Our own nodes announce in time; that they are asked as well is for lost
// packets, and left out where many would do so.
func (e *engine) askLapsing() {
	if !e.watched() {
		return
	}
	for _, label := range e.lapses.due(time.Now(), e.peers() > manyPeers) {
		e.askFor(label)
	}
}

// lapses knows by which names nodes go and when they will have been forgotten. The zero value is ready.
type lapses struct {
	mu     sync.Mutex
	nodes  map[discovery.ID]*lapse
	labels map[string]discovery.ID // of those whose label is not their ID
}

type lapse struct {
	label     string
	own       bool // the label is the ID, so it is a node of ours
	heard     time.Time
	ttl       time.Duration
	asked     int // how often, since it was heard
	confirmed time.Time
}

const maxLapses = 4096

// heard takes note that a node was heard of.
func (s *lapses) heard(label string, id discovery.ID, ttl time.Duration, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.nodes[id]
	if l == nil {
		if len(s.nodes) >= maxLapses {
			return // not asked for, then
		}
		if s.nodes == nil {
			s.nodes, s.labels = make(map[discovery.ID]*lapse), make(map[string]discovery.ID)
		}
		l = &lapse{}
		s.nodes[id] = l
	}
	if l.label != label {
		if s.labels[l.label] == id {
			delete(s.labels, l.label)
		}
		l.label, l.own = label, label == id.String()
		if !l.own {
			s.labels[label] = id
		}
	}
	l.heard, l.ttl, l.asked = now, ttl, 0
}

func (s *lapses) forget(id discovery.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(id)
}

func (s *lapses) remove(id discovery.ID) {
	if l := s.nodes[id]; l != nil {
		if s.labels[l.label] == id {
			delete(s.labels, l.label)
		}
		delete(s.nodes, id)
	}
}

// id returns the node of that name.
func (s *lapses) id(label string) (discovery.ID, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id, ok := s.labels[label]; ok {
		return id, true
	}
	id, err := discovery.ParseID(label)
	return id, err == nil
}

// confirm returns the name under which to ask for a node, whether it has been heard of, and whether that was asked a moment ago.
func (s *lapses) confirm(id discovery.ID, now time.Time) (label string, known, lately bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.nodes[id]
	if l == nil {
		return id.String(), false, false
	}
	if now.Sub(l.confirmed) < confirmTimeout {
		return l.label, true, true
	}
	l.confirmed = now
	return l.label, true, false
}

// due returns the names of those to ask for now: each at 80, 85, 90 and 95 percent of its lifetime (RFC 6762 section 5.2).
// Those that have passed it are forgotten. foreign leaves out our own nodes.
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
			labels = append(labels, l.label)
		}
	}
	return labels
}
