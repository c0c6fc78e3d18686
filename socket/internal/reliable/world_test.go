package reliable

import (
	"fmt"
	"math/rand/v2"
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
	named     bool // a receiver without a disk is the same one in each life
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
	refusedIsSaidAgain                    // the receiver: TERM is said over the next link too
	lossIsSaidAgain                       // the receiver: that it has lost what it had it says until something comes
	metIsAcknowledged                     // the sender: a receiver can lose its state once it has acknowledged something
	allRules             rule = 1<<iota - 1
)

const (
	grace      = 30 * time.Second
	numberStep = 4 // numbers that are reserved at a time
)

// A frame is what travels.
type frame struct {
	kind  rune // o OPEN, O OPENED, m message, n NEXT, a ACK, k NAK, t TERM, l LOW
	open  Open
	yes   Opened
	id    int
	next  Next
	ack   Ack
	at    uint64
	above []Range
}

// A pipe is one connection, seen from both ends.
type pipe struct {
	toReceiver, toSender []frame
	broken               bool   // nothing more gets in at either end
	senderGone           bool   // the sender has noticed
	receiverGone         bool   // the receiver has noticed
	owner                Link   // of the receiver's stream
	life                 int    // of the receiver
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
	had     bool // the receiver has said that it has had something, in the life heardOf
	heardOf int
	account Limit // what was written and has neither been settled nor come back
}

// An oldPipe is a connection that the sender has given up and still reads.
type oldPipe struct {
	pipe *pipe
	link Link
}

func (c *session) queued() uint64 { return uint64(len(c.open) + len(c.flight)) }

type sending struct {
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
	stays  bool // what was to be sent again waits for its receiver
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
	refusedBy []int // how often it has refused it
	refused   []int // how often the sender has heard of that
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
		refusedBy: make([]int, total), refused: make([]int, total),
	}
	w.tx.epoch = 1
	w.stays = !s.durable && !s.crashes && seed%2 == 0
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
	if !w.disk && !w.named {
		g.id[1] = byte(life + 1)
		g.id[2] = byte(life >> 8)
	}
	if disk != nil && !w.holds(memoryOnDisk) {
		disk = &Memory{Epoch: disk.Epoch, Nonce: disk.Nonce}
	}
	credit := Limit{Messages: uint64(2 + w.rnd.IntN(12))}
	g.r = NewReceiver(ReceiverConfig{ID: g.id, Named: w.disk || w.named, Credit: credit}, disk)
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
