package reliable

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/yodel-mq/yodel/socket/internal/ranges"
)

// The world of the model check: one process that sends, some that receive, connections between them that lose, delay
// and cut, disks that forget what was not synced. Everything that happens is one step of one of them, drawn from a
// seed; what is sent again, acknowledged and dropped is decided by Sender and Receiver and by nothing else.

// A setting is who takes part.
type setting struct {
	name      string
	durable   bool // the sender has a disk, and may die
	disk      bool // receivers have disks: what they take is committed, with the memory of it
	receivers int
	partition bool // each message has its receiver; otherwise any takes it
	manual    bool // the application settles one by one, gives back, or refuses
	crashes   bool // receivers die
}

// A rule is one of those that make the protocol right. The model check breaks each in turn.
type rule uint32

const (
	durableBeforeSent    rule = 1 << iota // the sender: a number goes on the wire when its message is on disk
	commitBeforeAck                       // the receiver: an ACK goes out when what it settles is on disk
	memoryOnDisk                          // the receiver: what was settled outlives it
	setNotWatermark                       // the receiver: it knows which numbers it has, not just the greatest
	floorIsTold                           // the sender: it tells the receiver what it may forget
	lowIsUnsettled                        // the sender: what it says is settled is settled
	ownership                             // the receiver: what an earlier link brings is void
	haveWithOwnership                     // the receiver: OPENED is made in the step in which the link becomes the owner
	oldQueueFirst                         // the receiver: what the earlier link queued comes ahead of the new one's
	heldIsKept                            // the receiver: OPENED says what is held
	heldIsNotDone                         // the receiver: what is held is not settled
	againFirst                            // the sender: what is sent again goes ahead of new messages
	numbersAreSaid                        // the sender: NEXT goes out where Place says so
	positionsOfLink                       // the sender: an ACK of an earlier link counts for nothing
	writtenIsCounted                      // the sender: what has left is told to Wrote before the link is lost
	abandonedIsGone                       // the sender: what another receiver got is not sent again to the first
	redeliveredIsSaid                     // the sender: what may have been received before is flagged
	sentIsRemembered                      // the sender: what may have been sent before it died is flagged
	givenBackIsForgotten                  // the receiver: what it gave back it takes again
	givenBackBeforeAck                    // the receiver: NAK goes out ahead of an ACK that covers it
	duplicatesAreCounted                  // the receiver: a message that is dropped has a position
	allRules             rule = 1<<iota - 1
)

const (
	grace      = 30 * time.Second
	numberStep = 4 // numbers that are reserved at a time
)

// A frame is what travels.
type frame struct {
	kind rune // o OPEN, O OPENED, m message, n NEXT, a ACK, k NAK, t TERM, l LOW
	open Open
	yes  Opened
	id   int
	next Next
	ack  Ack
	at   uint64
}

// A pipe is one connection, seen from both ends.
type pipe struct {
	toReceiver, toSender []frame
	broken               bool   // nothing more gets in at either end
	senderGone           bool   // the sender has noticed
	receiverGone         bool   // the receiver has noticed
	owner                Link   // of the receiver's stream
	queue                []item // what the receiver has queued of it
}

// An entry is a message on its way out. number is 0 if it has none yet.
type entry struct {
	id          int
	number      uint64
	attempts    uint16
	redelivered bool
}

// An item is a message on its way in.
type item struct {
	id      int
	number  uint64
	flagged bool
}

// A session is what the sender has with one receiver.
type session struct {
	s       *Sender[[]entry]
	id      ID
	to      *receiving
	pipe    *pipe // nil if there is no connection
	link    Link
	again   []entry // to go ahead of everything else
	open    []entry // taken by the link
	flight  []entry // on the wire, of which Wrote is not told yet
	unnamed bool    // the first message behind again has to be placed
	twin    *Sender[[]entry]
	old     []oldPipe
}

// An oldPipe is a connection that the sender has given up and still reads.
type oldPipe struct {
	pipe *pipe
	link Link
}

func (c *session) queued() uint64 { return uint64(len(c.open) + len(c.flight)) }

type sending struct {
	alive    bool
	sessions []*session
	queue    []entry // to go to whoever comes
	// The disk.
	stored   []int // ids by number, from 1 on; synced
	settled  ranges.Set
	epoch    uint64
	reserved uint64 // numbers below may have been sent
	// Lost with the process.
	unsynced []int
	done     ranges.Set
	lives    int
}

type receiving struct {
	name   int
	id     ID
	lives  int
	r      *Receiver
	pipes  []*pipe
	inHand []item // given to the application, which settles them one by one
	disk   *Memory
	stale  []lateOpened
}

type world struct {
	setting
	broken rule
	rnd    *rand.Rand
	now    time.Duration
	calm   bool // nothing bad happens any more
	tx     sending
	rx     []*receiving
	total  int
	next   int // message to be sent next

	delivered []delivery
	unflagged []int // deliveries of each message that were not flagged
	times     []int // all of them
	settledBy []int // how often the application was done with it
	errs      []error
	most      int // ranges that a receiver remembered at once
	cuts      int
	deaths    int
	trace     []string
}

type delivery struct {
	to, life, id int
	flagged      bool
}

func (w *world) holds(r rule) bool { return w.broken&r == 0 }

func newWorld(s setting, seed uint64, total int, broken rule) *world {
	w := &world{
		setting: s, broken: broken, rnd: rand.New(rand.NewPCG(seed, 7)), total: total, next: 0,
		unflagged: make([]int, total), times: make([]int, total), settledBy: make([]int, total),
	}
	w.tx.alive, w.tx.epoch = true, 1
	w.tx.done.Raise(1)
	w.tx.settled.Raise(1)
	for i := range s.receivers {
		w.rx = append(w.rx, w.born(i, 0, nil))
	}
	return w
}

// born makes a receiver; one without a disk is another one in each life.
func (w *world) born(name, life int, disk *Memory) *receiving {
	g := &receiving{name: name, lives: life, disk: disk}
	g.id[0] = byte(name + 1)
	if !w.disk {
		g.id[1] = byte(life + 1)
		g.id[2] = byte(life >> 8)
	}
	if disk != nil && !w.holds(memoryOnDisk) {
		disk = &Memory{Epoch: disk.Epoch, Nonce: disk.Nonce}
	}
	g.r = NewReceiver(ReceiverConfig{ID: g.id, Credit: Limit{Messages: uint64(2 + w.rnd.IntN(12))}}, disk)
	return g
}

func (w *world) log(format string, args ...any) {
	if w.trace != nil {
		w.trace = append(w.trace, fmt.Sprintf(format, args...))
	}
}

// step has one thing happen. It reports whether anything could.
func (w *world) step() bool {
	w.now += time.Duration(w.rnd.IntN(3)) * time.Millisecond
	c := w.rnd.IntN(100)
	switch {
	case c < 12:
		return w.produce()
	case c < 20:
		return w.connect()
	case c < 36:
		return w.load()
	case c < 48:
		return w.write()
	case c < 66:
		return w.arrive()
	case c < 76:
		return w.receive()
	case c < 84:
		return w.acknowledge()
	case c < 94:
		return w.listen()
	case c < 96:
		return w.notice()
	case w.calm:
		return false
	case c < 98:
		return w.cut()
	case c < 99:
		return w.crash()
	default:
		return w.wait()
	}
}

// produce has the application send a message, or the disk sync.
func (w *world) produce() bool {
	tx := &w.tx
	if len(tx.unsynced) > 0 && w.rnd.IntN(2) == 0 {
		w.sync()
		return true
	}
	if w.next == w.total || len(tx.queue) > 20 {
		return false
	}
	id := w.next
	w.next++
	if !w.durable {
		tx.queue = append(tx.queue, entry{id: id})
		return true
	}
	tx.unsynced = append(tx.unsynced, id)
	if !w.holds(durableBeforeSent) {
		tx.queue = append(tx.queue, entry{id: id, number: uint64(len(tx.stored) + len(tx.unsynced))})
	}
	return true
}

// sync is a commit of the sender's: messages, and what is settled so far.
func (w *world) sync() {
	tx := &w.tx
	for _, id := range tx.unsynced {
		tx.stored = append(tx.stored, id)
		if w.holds(durableBeforeSent) {
			tx.queue = append(tx.queue, entry{id: id, number: uint64(len(tx.stored))})
		}
	}
	tx.unsynced = nil
	tx.settled = tx.done.Clone()
}

// connect opens a connection to a receiver that has none.
func (w *world) connect() bool {
	g := w.rx[w.rnd.IntN(len(w.rx))]
	c := w.session(g)
	if c.pipe != nil {
		return false
	}
	p := &pipe{}
	var open Open
	var err error
	if w.durable {
		low := w.tx.done.Floor()
		if !w.holds(floorIsTold) {
			low = 1
		}
		c.link, open, err = c.s.OpenAt(low, uint64(len(w.tx.stored)+len(w.tx.unsynced))+1)
	} else {
		c.link, open, err = c.s.Open()
	}
	if err != nil {
		w.errs = append(w.errs, err)
		return false
	}
	if !w.holds(lowIsUnsettled) {
		open.Low = open.Next
	}
	c.pipe = p
	p.toReceiver = append(p.toReceiver, frame{kind: 'o', open: open})
	g.pipes = append(g.pipes, p)
	w.log("connect to %d.%d: link %d low %d next %d", g.name, g.lives, c.link, open.Low, open.Next)
	return true
}

// session finds what the sender has with a receiver.
func (w *world) session(g *receiving) *session {
	for _, c := range w.tx.sessions {
		if c.id == g.id {
			c.to = g
			return c
		}
	}
	c := &session{id: g.id, to: g}
	cfg := SenderConfig[[]entry]{
		Epoch: w.tx.epoch, Nonce: w.tx.epoch * 77, Durable: w.durable, Shared: w.receivers > 1,
		Window: Limit{Messages: uint64(1 + w.rnd.IntN(10))}, Grace: grace,
	}
	if !w.durable {
		cfg.Size = func(p []entry, skip, n uint64) uint64 { return sizes(p[skip : skip+n]) }
	}
	if w.partition || w.receivers == 1 && (w.disk || !w.crashes) {
		cfg.Grace = -1
	}
	c.s = NewSender(cfg)
	w.tx.sessions = append(w.tx.sessions, c)
	return c
}

func sizes(p []entry) (n uint64) {
	for _, e := range p {
		n += size(e.id)
	}
	return n
}

func size(id int) uint64 { return uint64(id%7 + 1) }

// up returns a session that may send, in random order.
func (w *world) up(ok func(c *session) bool) *session {
	n := len(w.tx.sessions)
	if n == 0 {
		return nil
	}
	first := w.rnd.IntN(n)
	for i := range n {
		if c := w.tx.sessions[(first+i)%n]; c.pipe != nil && !c.pipe.senderGone && ok(c) {
			return c
		}
	}
	return nil
}

// load has a link take messages.
func (w *world) load() bool {
	c := w.up(func(c *session) bool { return c.s.Room() && len(c.open) < 4 })
	if c == nil {
		return false
	}
	did := false
	for n := 1 + w.rnd.IntN(3); n > 0; n-- {
		e, ok := w.pick(c)
		if !ok {
			break
		}
		c.open = append(c.open, e)
		did = true
	}
	return did
}

// pick takes the next message for a receiver.
func (w *world) pick(c *session) (entry, bool) {
	tx := &w.tx
	if len(c.again) > 0 && (w.holds(againFirst) || len(tx.queue) == 0) {
		e := c.again[0]
		c.again = c.again[1:]
		return e, true
	}
	for i, e := range tx.queue {
		if w.partition && int(e.number)%w.receivers != c.to.name {
			continue
		}
		if w.durable && e.number >= tx.reserved {
			tx.reserved = e.number + numberStep // synced before it is sent
		}
		tx.queue = slices.Delete(tx.queue, i, i+1)
		return e, true
	}
	return entry{}, false
}

// write puts something of what a link has taken on the wire, or comes back from having written it.
func (w *world) write() bool {
	c := w.up(func(c *session) bool { return c.queued() > 0 })
	if c == nil {
		return false
	}
	if len(c.flight) > 0 && (len(c.open) == 0 || w.rnd.IntN(3) == 0) {
		w.wrote(c)
		return true
	}
	n := 1 + w.rnd.IntN(len(c.open))
	for i, e := range c.open[:n] {
		w.put(c, e, uint64(len(c.flight)+i))
	}
	c.flight = append(c.flight, c.open[:n]...)
	c.open = slices.Clone(c.open[n:])
	return true
}

// put sends one message, which has others ahead of it of which Wrote is not told. Numbers are settled here in place of where the link takes it, which comes to the same.
func (w *world) put(c *session, e entry, ahead uint64) {
	place := Next{Number: e.number, Attempts: e.attempts, Redelivered: e.redelivered}
	if !w.holds(redeliveredIsSaid) {
		place.Attempts, place.Redelivered = 0, false
	}
	if w.durable || e.attempts > 0 || e.redelivered || e.number > 0 || c.unnamed {
		if e.number == 0 {
			c.unnamed = false
		}
		next, needed := c.s.Place(ahead, place)
		if needed && w.holds(numbersAreSaid) {
			w.push(c, frame{kind: 'n', next: next})
		}
	}
	w.push(c, frame{kind: 'm', id: e.id})
	w.log("  sends %d number %d to %d", e.id, e.number, c.to.name)
}

func (w *world) push(c *session, f frame) {
	if !c.pipe.broken {
		c.pipe.toReceiver = append(c.pipe.toReceiver, f)
	}
}

func (w *world) wrote(c *session) {
	n := uint64(len(c.flight))
	done := c.s.Wrote(c.link, n, sizes(c.flight), c.flight)
	c.flight = nil
	w.settle(c, done)
}

// settle enters what a receiver has settled.
func (w *world) settle(c *session, done Settlement[[]entry]) {
	for _, n := range done.Numbers {
		if w.durable {
			w.log("  settled %v by %d", n, c.to.name)
			w.tx.done.AddRange(n.From, n.To)
		}
	}
}
