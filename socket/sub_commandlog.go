package socket

import (
	"cmp"
	"slices"
	"sync/atomic"

	"github.com/yodel-mq/yodel/socket/internal/lockorder"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// A commandLog is what a socket sends its peers over the wire about its subscriptions: those it has, in the order in
// which they were made. A peer is sent them as fast as it reads (commandReader), so that one that does not read costs
// no more than a chunk of commands, its place in the log and the cancellations of what it has been sent: what is taken
// back before its turn has come is never sent.
type commandLog struct {
	mu      lockorder.Mutex[lockorder.CommandLog]
	last    uint64     // the number of the last change
	entries []logEntry // by number
	void    int        // of them, those taken back

	complete atomic.Bool // the application has said all; see subscriptions.complete
}

type logEntry struct {
	number uint64
	topic  string
	repeat bool
	void   bool
}

// logged is where a subscription is in the log: the numbers of its entry and of the one that repeats it, 0 for none.
type logged struct{ first, repeat uint64 }

func (g *commandLog) add(topic string, at *logged) {
	g.mu.Lock()
	defer g.mu.Unlock()
	at.first = g.append(topic, false)
}

// repeat has a subscription sent again. Of several repeats that a peer has not been sent it is sent the last.
func (g *commandLog) repeat(topic string, at *logged) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.takeBack(at.repeat)
	at.repeat = g.append(topic, true)
}

func (g *commandLog) append(topic string, repeat bool) uint64 {
	g.last++
	g.entries = append(g.entries, logEntry{number: g.last, topic: topic, repeat: repeat})
	return g.last
}

// cancel takes a subscription back, and has that sent to those of the links that were sent the subscription.
func (g *commandLog) cancel(topic string, at logged, links map[*link]struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.takeBack(at.first)
	g.takeBack(at.repeat)
	g.last++
	for l := range links {
		if r := l.out.commands; r != nil && r.upTo >= at.first {
			r.cancels = append(r.cancels, logEntry{number: g.last, topic: topic})
		}
	}
}

func (g *commandLog) takeBack(number uint64) {
	i, ok := g.find(number)
	if !ok {
		return
	}
	g.entries[i].void, g.entries[i].topic = true, ""
	if g.void++; g.void > len(g.entries)/2+16 {
		left := make([]logEntry, 0, 2*(len(g.entries)-g.void)) // what a burst needed is given back
		for _, e := range g.entries {
			if !e.void {
				left = append(left, e)
			}
		}
		g.entries, g.void = left, 0
	}
}

// find returns the first entry that does not come before a number.
func (g *commandLog) find(number uint64) (i int, ok bool) {
	return slices.BinarySearchFunc(g.entries, number, func(e logEntry, n uint64) int { return cmp.Compare(e.number, n) })
}

// reader returns the place of a new peer, which is sent everything there is, once.
func (g *commandLog) reader() *commandReader {
	g.mu.Lock()
	defer g.mu.Unlock()
	return &commandReader{log: g, since: g.last}
}

// A commandReader is how much of the log one peer has been sent. It is guarded by the log's mutex, as the peer's link
// is by core.out.mu.
type commandReader struct {
	log     *commandLog
	upTo    uint64     // what has been sent
	since   uint64     // repeats up to here were for others
	cancels []logEntry // to send, in their order among the entries
}

// commandChunk is how many bytes of commands wait to be written to a peer, from where on the rest stays in the log.
const commandChunk = 64 << 10

// next appends the commands to send next, and reports whether there are more.
func (r *commandReader) next(b []byte, v zmtp.Version) (_ []byte, more bool) {
	g := r.log
	g.mu.Lock()
	defer g.mu.Unlock()
	i, _ := g.find(r.upTo + 1)
	sent := 0
	for len(b) < commandChunk {
		cancels := r.cancels[sent:]
		for i < len(g.entries) && (g.entries[i].void || g.entries[i].repeat && g.entries[i].number <= r.since) {
			i++
		}
		switch {
		case len(cancels) > 0 && (i == len(g.entries) || cancels[0].number < g.entries[i].number):
			b = zmtp.AppendCancel(b, v, []byte(cancels[0].topic))
			r.upTo = cancels[0].number
			sent++
		case i < len(g.entries):
			b = zmtp.AppendSubscribe(b, v, []byte(g.entries[i].topic))
			r.upTo = g.entries[i].number
			i++
		default:
			r.upTo, r.cancels = g.last, nil
			return b, false
		}
	}
	clear(r.cancels[:sent])
	r.cancels = r.cancels[sent:]
	return b, true
}

// sendSubscriptions has a peer sent what is in the log. core.out.mu is held.
func (l *link) sendSubscriptions() {
	if l.out.dead || l.out.commands == nil {
		return
	}
	l.out.behind = true
	l.loadSubscriptions()
	l.start(false)
}

// loadSubscriptions takes the next commands for a peer out of the log, unless enough wait to be written already.
// core.out.mu is held.
func (l *link) loadSubscriptions() {
	if o := &l.out; o.behind && !o.dead && len(o.control) < commandChunk {
		o.control, o.behind = o.commands.next(o.control, l.version)
		if !o.behind && o.listing != nil && !o.listing.complete && o.commands.log.complete.Load() {
			o.listing.complete = true
			o.control = zmtp.AppendDurableSubscribe(o.control, &zmtp.DurableSubscription{
				All: true, Name: l.core.cfg.subscriber,
			})
		}
	}
}
