package mdns

import (
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

const (
	// filterTimeout is how long a server waits until this backend's own listener has read the same packet. It may be
	// scheduled later, on a busy machine much later.
	filterTimeout = 250 * time.Millisecond
	// filterShortTimeout takes its place after filterMaxTimeouts in vain within a second: somebody sends packets that
	// the listener ignores, and a server that waits answers nobody else.
	filterShortTimeout = 2 * time.Millisecond
	filterMaxTimeouts  = 2
	filterWindow       = time.Second // for which a question counts
	filterSize         = 1024        // questions
)

// A questionFilter lets the servers of hashicorp/mdns answer only questions that this backend's own listener has read
// on the same interface from an address on the link. Without it a server also answers questions that came in on another
// interface, with addresses that are of no use there; questions sent to this host from anywhere in the world; and each
// repetition of a question in one packet.
type questionFilter struct {
	mu       sync.Mutex
	last     uint64 // number of the last question
	ring     [filterSize]receivedQuestion
	arrived  chan struct{} // closed and replaced with each question
	timeouts bucket        // how often servers have waited in vain
}

type receivedQuestion struct {
	number uint64
	index  int // of the interface
	questionKey
	at time.Time
}

// A questionKey is a question, as far as two are the same.
type questionKey struct {
	name  string
	qtype uint16
}

func keyOf(q dns.Question) questionKey { return questionKey{strings.ToLower(q.Name), q.Qtype} }

func newQuestionFilter() *questionFilter { return &questionFilter{arrived: make(chan struct{})} }

// received takes the questions of one packet.
func (f *questionFilter) received(index int, questions []dns.Question) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	first := f.last
	for _, q := range questions {
		key := keyOf(q)
		again := false
		for n := first + 1; n <= f.last; n++ {
			again = again || f.ring[n%filterSize].questionKey == key
		}
		if !again {
			f.last++
			f.ring[f.last%filterSize] = receivedQuestion{f.last, index, key, now}
		}
	}
	close(f.arrived)
	f.arrived = make(chan struct{})
}

// admit reports whether a server on that interface may answer a question. seen holds the numbers of those it has
// answered; the filter guards it.
func (f *questionFilter) admit(index int, q dns.Question, seen map[questionKey]uint64, done <-chan struct{}) bool {
	key := keyOf(q)
	var timeout *time.Timer
	for {
		f.mu.Lock()
		number, elsewhere := f.find(index, key, seen[key])
		arrived := f.arrived
		if number > 0 {
			seen[key] = number
		}
		timeouts := f.timeouts // a copy: to look is not to take
		short := !timeouts.take(time.Now(), filterMaxTimeouts, filterMaxTimeouts)
		f.mu.Unlock()
		if number > 0 || elsewhere {
			return number > 0
		}
		if timeout == nil {
			wait := filterTimeout
			if short {
				wait = filterShortTimeout
			}
			timeout = time.NewTimer(wait)
			defer timeout.Stop()
		}
		select {
		case <-arrived:
		case <-done:
			return false
		case <-timeout.C:
			f.mu.Lock()
			f.timeouts.take(time.Now(), filterMaxTimeouts, filterMaxTimeouts)
			f.mu.Unlock()
			return false
		}
	}
}

// find returns the number of the first question like key on that interface after the one that was answered last, 0 if
// there is none; and if there is none, whether it was heard just now on another one.
func (f *questionFilter) find(index int, key questionKey, answered uint64) (number uint64, elsewhere bool) {
	now := time.Now()
	for n := f.last; n > 0 && n+filterSize > f.last; n-- {
		p := &f.ring[n%filterSize]
		age := now.Sub(p.at)
		if age > filterWindow {
			break
		}
		switch {
		case p.questionKey != key:
		case p.index != index:
			elsewhere = elsewhere || age < filterTimeout
		case n > answered:
			number = n
		}
	}
	return number, elsewhere
}
