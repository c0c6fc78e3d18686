package mdns

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"

	"github.com/yodel-mq/yodel/discovery"
)

const (
	byeTimes = 3 // one may get lost, and then the node would be missed only when its record runs out
	byePause = 30 * time.Millisecond
	// An answer says what the record is now. Where records are proven, one older than what is known refreshes
	// nothing, so that answers must be newer than the last announcement; not each anew, for the sake of those who ask
	// a lot.
	resealAfter = 200 * time.Millisecond
	// Answers to a daemon go out by multicast, and not more often than that (RFC 6762 section 6).
	answerPause = time.Second

	manyPeers     = 100 // from which on answers are spread over time, so as not to overflow the buffer of who asked
	answersSpread = 120 * time.Millisecond

	answersPerSecond, answersBurst = 100, 200 // for each node; what one host may have us send to another
)

// burst is when a new or changed record is announced, counted from the first time: the packets may get lost.
var burst = [...]time.Duration{0, 250 * time.Millisecond, time.Second, 3 * time.Second}

// An announcement is a node that is being announced.
type announcement struct {
	config  *config
	release func()
	engine  *engine
	answers meter
	again   chan struct{} // announce at once, and start over with the burst
	query   chan struct{} // a daemon has asked
	stop    chan struct{}
	done    chan struct{} // closed by run
	closing sync.Once

	delayedAt atomic.Int64 // when an answer was last delayed, in nanoseconds since 1970

	mu      sync.Mutex
	self    discovery.Record
	now     *published
	servers map[int]io.Closer // by interface index; changed by the engine, under its lock
}

func newAnnouncement(c *config, release func()) *announcement {
	return &announcement{
		config: c, release: release, answers: meter{rate: answersPerSecond, burst: answersBurst},
		again: make(chan struct{}, 1), query: make(chan struct{}, 1),
		stop: make(chan struct{}), done: make(chan struct{}), servers: make(map[int]io.Closer),
	}
}

// set replaces the record, if it can be announced.
func (a *announcement) set(r discovery.Record) error {
	p, err := publish(r, a.config.table.Trust, longest, time.Now())
	if err != nil {
		return err
	}
	if n := length(p.records(serviceType, nil, cacheFlush)); n > maxMessage {
		return fmt.Errorf(
			"%w: its message would take %d bytes of at most %d; use fewer or shorter names, services and addresses",
			discovery.ErrRecord, n, maxMessage)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.self = r.Clone()
	a.now = p
	p.made = time.Time{} // its lifetime was a guess
	return nil
}

// label is the node's name.
func (a *announcement) label() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.now.label
}

// current returns what is published, sealed anew if that was longer ago. It fails for no record that set has taken;
// were that to happen, the last one stays.
func (a *announcement) current(age time.Duration) *published {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	if now.Sub(a.now.made) > age {
		_, lifetime := a.config.pace(a.engine.peers())
		if p, err := publish(a.self, a.config.table.Trust, lifetime, now); err == nil {
			a.now = p
		}
	}
	return a.now
}

// start announces for the first time, and goes on until Close.
func (a *announcement) start(e *engine) {
	a.engine = e
	e.add(a)
	a.send()
	go a.run()
}

func (a *announcement) run() {
	defer close(a.done)
	step := 1
	sent := time.Now()
	timer := time.NewTimer(burst[1])
	defer timer.Stop()
	for {
		select {
		case <-a.stop:
			return
		case <-a.again:
			step = 0
		case <-a.query:
			if time.Since(sent) >= answerPause {
				timer.Reset(20*time.Millisecond + rand.N(100*time.Millisecond))
			}
			continue
		case <-timer.C:
		}
		a.send()
		sent = time.Now()
		step++
		timer.Reset(a.pause(step))
	}
}

// pause is the time from one announcement to that step: the rest of the burst, then the refresh, ten percent more or
// less so that nodes that started together drift apart.
func (a *announcement) pause(step int) time.Duration {
	if step < len(burst) {
		return burst[step] - burst[step-1]
	}
	refresh, _ := a.config.pace(a.engine.peers())
	return jitter(refresh, 0.1)
}

func jitter(d time.Duration, part float64) time.Duration {
	return time.Duration(float64(d) * (1 + part*(2*rand.Float64()-1)))
}

// send announces the record on all interfaces.
func (a *announcement) send() {
	p := a.current(0)
	a.engine.multicast(func(l *link) ([]byte, error) {
		return response(fit(p.records(serviceType, addresses(&l.iface, &p.record), cacheFlush)))
	})
}

// restart announces again soon, as if new: the network has changed.
func (a *announcement) restart() {
	select {
	case a.again <- struct{}{}:
	default:
	}
}

// asked takes note of a daemon's questions, which are answered by an announcement.
func (a *announcement) asked(questions []dns.Question, known []string) {
	p := a.current(longest)
	about := func(q dns.Question) bool { return p.answer(q, nil) != nil }
	if slices.Contains(known, p.label) || !slices.ContainsFunc(questions, about) {
		return
	}
	select {
	case a.query <- struct{}{}:
	default:
	}
}

// delayAnswer delays an answer for a moment where many may answer at once (RFC 6762 section 6). It does so only now and
// then, since it holds up all other answers, and after one delay the nodes are no longer in step.
func (a *announcement) delayAnswer() {
	if a.engine.peers() <= manyPeers {
		return
	}
	now, last := time.Now().UnixNano(), a.delayedAt.Load()
	if time.Duration(now-last) < 2*answersSpread || !a.delayedAt.CompareAndSwap(last, now) {
		return
	}
	t := time.NewTimer(rand.N(answersSpread))
	defer t.Stop()
	select {
	case <-t.C:
	case <-a.stop:
	}
}

// Update implements [discovery.Announcement]. The record must have the same ID, and a greater Revision to be believed.
func (a *announcement) Update(r discovery.Record) error {
	select {
	case <-a.stop:
		return discovery.ErrClosed
	default:
	}
	if label := a.label(); r.ID.String() != label {
		return fmt.Errorf("%w: an update of %s cannot change the id to %s", discovery.ErrRecord, label, r.ID)
	}
	if err := a.set(r); err != nil {
		return err
	}
	a.restart()
	return nil
}

// Close implements [discovery.Announcement].
func (a *announcement) Close(ctx context.Context) (err error) {
	a.closing.Do(func() {
		close(a.stop)
		<-a.done
		a.engine.remove(a) // an answer after the goodbye would bring the node back
		err = a.goodbye(ctx)
		a.release()
	})
	return err
}

// goodbye tells others that the node is gone: by a record that says so with proof where proofs count, and the way
// mDNS does.
func (a *announcement) goodbye(ctx context.Context) error {
	a.mu.Lock()
	r, label := a.self.Clone(), a.now.label
	a.mu.Unlock()
	r.Goodbye = true
	proven := a.config.table.Trust.Mode() != discovery.Open().Mode()
	packet, err := goodbye(label)
	if err != nil {
		return err
	}
	t := time.NewTicker(byePause)
	defer t.Stop()
	for i := range byeTimes {
		if i > 0 {
			select {
			case <-t.C:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if proven {
			a.sendBye(r)
		}
		a.engine.multicast(func(*link) ([]byte, error) { return packet, nil })
	}
	return nil
}

// sendBye sends the last record, alone: with the pointer to it, other programs would take the node for found.
func (a *announcement) sendBye(r discovery.Record) {
	p, err := publish(r, a.config.table.Trust, time.Second, time.Now())
	if err != nil {
		return
	}
	packet, err := response([]dns.RR{
		&dns.TXT{Hdr: p.header(instanceName(p.label), dns.TypeTXT, cacheFlush), Txt: p.txt},
	})
	if err == nil {
		a.engine.multicast(func(*link) ([]byte, error) { return packet, nil })
	}
}
