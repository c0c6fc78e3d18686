package mdns

import (
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

const (
	// gatePatience is how long a server waits until this backend's own listener has read the same packet. It may be
	// scheduled later, on a busy machine much later.
	gatePatience = 250 * time.Millisecond
	// gateHurry takes the place of gatePatience when servers have waited in vain twice within a second: somebody sends
	// packets that the listener ignores, and a server that waits answers nobody else.
	gateHurry  = 2 * time.Millisecond
	gateVain   = 2
	gateMemory = time.Second
	gateSize   = 1024 // questions
)

// A gate lets the servers of hashicorp/mdns answer only questions that this backend's own listener has read on the same
// interface from an address on the link. Without it a server also answers questions that came in on another interface,
// with addresses that are of no use there; questions sent to this host from anywhere in the world; and each repetition
// of a question in one packet.
type gate struct {
	mu   sync.Mutex
	last uint64 // number of the last question
	ring [gateSize]passage
	more chan struct{} // closed and replaced with each question
	vain bucket        // how often servers have waited in vain
}

type passage struct {
	number uint64
	index  int // of the interface
	asking
	at time.Time
}

// asking is a question, as far as two are the same.
type asking struct {
	name  string
	qtype uint16
}

func askingOf(q dns.Question) asking { return asking{strings.ToLower(q.Name), q.Qtype} }

func newGate() *gate { return &gate{more: make(chan struct{})} }

// heard takes the questions of one packet.
func (g *gate) heard(index int, questions []dns.Question) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	first := g.last
	for _, q := range questions {
		a := askingOf(q)
		again := false
		for n := first + 1; n <= g.last; n++ {
			again = again || g.ring[n%gateSize].asking == a
		}
		if !again {
			g.last++
			g.ring[g.last%gateSize] = passage{g.last, index, a, now}
		}
	}
	close(g.more)
	g.more = make(chan struct{})
}

// admit reports whether a server on that interface may answer a question. seen holds the numbers of those it has
// answered; the gate guards it.
func (g *gate) admit(index int, q dns.Question, seen map[asking]uint64, done <-chan struct{}) bool {
	a := askingOf(q)
	var timeout *time.Timer
	for {
		g.mu.Lock()
		number, elsewhere := g.find(index, a, seen[a])
		more := g.more
		if number > 0 {
			seen[a] = number
		}
		vain := g.vain // a copy: to look is not to take
		hurry := !vain.take(time.Now(), gateVain, gateVain)
		g.mu.Unlock()
		if number > 0 || elsewhere {
			return number > 0
		}
		if timeout == nil {
			patience := gatePatience
			if hurry {
				patience = gateHurry
			}
			timeout = time.NewTimer(patience)
			defer timeout.Stop()
		}
		select {
		case <-more:
		case <-done:
			return false
		case <-timeout.C:
			g.mu.Lock()
			g.vain.take(time.Now(), gateVain, gateVain)
			g.mu.Unlock()
			return false
		}
	}
}

// find returns the number of the first question like a on that interface after the one that was answered last, 0 if
// there is none; and if there is none, whether it was heard just now on another one.
func (g *gate) find(index int, a asking, answered uint64) (number uint64, elsewhere bool) {
	now := time.Now()
	for n := g.last; n > 0 && n+gateSize > g.last; n-- {
		p := &g.ring[n%gateSize]
		age := now.Sub(p.at)
		if age > gateMemory {
			break
		}
		switch {
		case p.asking != a:
		case p.index != index:
			elsewhere = elsewhere || age < gatePatience
		case n > answered:
			number = n
		}
	}
	return number, elsewhere
}
