package mdns

import (
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"

	"github.com/yodel-mq/yodel/discovery"
)

// An engine is what runs while a backend announces or watches.
type engine struct {
	config *config
	table  *discovery.Table
	receiver
	filter   *questionFilter
	names    nameCache
	confirms meter

	done chan struct{}
	wg   sync.WaitGroup

	links atomic.Pointer[map[int]*link]           // by index; replaced by follow, under mu
	own   atomic.Pointer[map[netip.Addr]struct{}] // all addresses of this host

	mu      sync.Mutex
	anns    map[*announcement]struct{}
	watches int
	asking  bool          // the goroutine that asks has been started
	round   chan struct{} // asks it for a new round
	trouble error         // what watchers were told last
	later   map[*time.Timer]struct{}
	stopped bool
}

func newEngine(c *config) *engine {
	e := &engine{
		config: c, table: discovery.NewTable("mdns", c.table),
		filter:   newQuestionFilter(),
		confirms: meter{rate: confirmsPerSecond, burst: confirmsPerSecond},
		done:     make(chan struct{}), round: make(chan struct{}, 1),
		anns: make(map[*announcement]struct{}), later: make(map[*time.Timer]struct{}),
	}
	e.receiver = receiver{sink: e, sources: newSources()}
	e.links.Store(&map[int]*link{})
	e.own.Store(&map[netip.Addr]struct{}{})
	e.follow()
	e.wg.Go(e.poll)
	return e
}

// stop gives up all sockets and goroutines, and closes the table.
func (e *engine) stop() {
	e.mu.Lock()
	e.stopped = true
	for t := range e.later {
		if t.Stop() {
			e.wg.Done()
		}
	}
	for _, l := range *e.links.Load() {
		e.drop(l)
	}
	e.mu.Unlock()
	close(e.done)
	e.wg.Wait()
	e.table.Close()
}

// after calls f later, unless the engine has stopped by then.
func (e *engine) after(d time.Duration, f func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopped {
		return
	}
	e.wg.Add(1)
	var t *time.Timer
	t = time.AfterFunc(d, func() {
		defer e.wg.Done()
		e.mu.Lock()
		delete(e.later, t)
		e.mu.Unlock()
		f()
	})
	e.later[t] = struct{}{}
}

// poll looks once a second whether the interfaces have changed, and who has not been heard of for long.
func (e *engine) poll() {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-e.done:
			return
		case <-t.C:
			e.follow()
			e.askExpiring()
		}
	}
}

func (e *engine) peers() int { return e.table.Stats().Nodes }

func (e *engine) stats() Stats {
	s := e.counters.stats()
	s.Interfaces = len(*e.links.Load())
	s.Table = e.table.Stats()
	return s
}

// add starts to answer for an announcement.
func (e *engine) add(a *announcement) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.anns[a] = struct{}{}
	for _, l := range *e.links.Load() {
		e.serve(a, l)
	}
}

// remove ends that. No answer is sent after it has returned, but one that was on its way.
func (e *engine) remove(a *announcement) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.anns, a)
	for l, s := range a.servers {
		_ = s.Close()
		delete(a.servers, l)
	}
}

// watching starts to ask, for the first watch. It returns the trouble that later watches would not hear of.
func (e *engine) watching() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.watches++
	switch {
	case !e.asking:
		e.asking = true
		e.wg.Go(e.ask)
	case e.watches == 1:
		e.newRound()
	}
	return e.trouble
}

func (e *engine) unwatching() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.watches--
}

func (e *engine) watched() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.watches > 0
}

// troubled tells watchers of something that does not work, once; nil that it works again.
func (e *engine) troubled(err error) {
	e.mu.Lock()
	was := e.trouble
	e.trouble = err
	notify := err != nil && (was == nil || errors.Is(err, ErrPort) != errors.Is(was, ErrPort)) && e.watches > 0
	e.mu.Unlock()
	if notify {
		e.table.Trouble(err)
	}
}

// onLink implements sink. What one node of a host sends to another by unicast comes from an address of any interface.
func (e *engine) onLink(index int, from netip.Addr) (zone string, ok bool) {
	l := (*e.links.Load())[index]
	if l != nil && l.onLink(from) {
		return l.Name, true
	}
	_, own := (*e.own.Load())[from.WithZone("")]
	return "", own
}

// heard implements sink.
func (e *engine) heard(label string, r discovery.Record, ttl time.Duration) {
	if e.table.Put(r, ttl) != nil {
		return // counted there
	}
	if r.Goodbye {
		e.names.forget(r.ID)
		return
	}
	e.names.heard(label, r.ID, min(ttl, longest), time.Now())
}

// left implements sink. It is for the table to say whose goodbye it can be, from that address; one that nobody can
// have said is a reason to ask.
func (e *engine) left(label string, from netip.Addr) {
	ids := e.names.ids(label)
	believed := false
	for _, id := range ids {
		if e.table.Leave(discovery.Record{ID: id, Goodbye: true, From: []netip.Addr{from}}) == nil {
			believed = true
			e.names.forget(id)
		}
	}
	if believed {
		return
	}
	for _, id := range ids {
		e.confirm(id, true)
	}
}

// asked implements sink. A daemon gets an answer that all can hear as well: one sent to its port might reach another
// socket on its host.
func (e *engine) asked(index int, questions []dns.Question, known []string, daemon bool) {
	e.filter.received(index, questions)
	if !daemon {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for a := range e.anns {
		a.asked(questions, known)
	}
}
