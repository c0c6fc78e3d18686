package socket

import (
	"context"
	"fmt"
	"sync"

	"github.com/yodel-mq/yodel/socket/internal/lockorder"
	"github.com/yodel-mq/yodel/socket/internal/ranges"
	"github.com/yodel-mq/yodel/socket/spool"
)

// An inbox on disk (WithInbox) stands between two inboxes in memory:
//
//	links ──► core.in ──► keep (inbox_disk_keep.go) ──► spool ──► load (inbox_disk_load.go) ──► app ──► Recv, Next
//
// What a link has brought leaves core.in, which acknowledges it, once it is committed together with the note that it
// was taken. What is read back has one place in app: the queue of a link that is to nobody. To receive it settles it in
// the spool, or the verbs of its Delivery do.
type diskInbox struct {
	core  *core
	spool *spool.Spool
	store func(l *link, m Msg) (Msg, Reason) // the role's part before a message is kept; nil for none

	begin  sync.Once
	err    error // why it could not begin
	cursor *spool.Cursor
	stop   context.CancelFunc // nil before it has begun
	tasks  sync.WaitGroup     // keep and load

	replies   sync.Map // links by where replies go: replyAddress to *link
	addresses sync.Map // that of links to peers without a name of their own: *link to replyAddress

	app  inbox
	link *link         // whose queue has what was read
	room chan struct{} // tells that there is room in it

	// Guarded by app.mu.
	labels  labels
	old     uint64        // seqs below were there when the socket began
	entered uint64        // how many have left the queue and are among settled or of no concern
	out     ranges.Set    // seqs that were read, and neither settled nor given back
	settle  []spool.Range // seqs of which the spool is to be told
	armed   bool          // and will be soon
}

// newDiskInbox makes the inbox of a socket that keeps what it receives, of which in is the role's part.
func newDiskInbox(c *core, in inBehaviour) *diskInbox {
	d := &diskInbox{core: c, spool: c.cfg.inbox, store: in.store, room: make(chan struct{}, 1)}
	lockorder.Own(c, &d.app.recv, &d.app.mu)
	d.app.inBehaviour = inBehaviour{receives: true, filter: in.load, turn: in.turn, stop: in.stop}
	d.app.inboxConfig = inboxConfig{
		manual: c.cfg.manualAck, byNumber: c.cfg.manualAck, maxUnsettled: c.cfg.maxUnsettled, ackWait: c.cfg.ackWait,
	}
	d.app.env = c.inboxEnv()
	d.labels.by = d
	d.link = &link{core: c, carrier: loader{room: d.room}}
	d.link.out.dead = true
	d.link.in.ready = true
	d.link.in.limit = c.cfg.recvMark
	d.link.in.labels = &d.labels
	return d
}

// A loader has what reads the spool go on when there is room. Nothing else is asked of a link that is to nobody.
type loader struct {
	carrier
	room chan struct{}
}

func (l loader) resume() {
	select {
	case l.room <- struct{}{}:
	default:
	}
}

// start begins to keep and to read, once. The error says why that cannot be.
func (d *diskInbox) start() error {
	d.begin.Do(func() {
		if d.cursor, d.err = d.spool.Cursor("", spool.CursorOptions{}); d.err != nil {
			d.err = fmt.Errorf("inbox: %w", d.err)
			return
		}
		d.old = d.spool.Stats().Next
		c := d.core
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.closing {
			d.err = ErrClosed
			return
		}
		ctx, cancel := context.WithCancel(context.Background())
		d.stop = cancel
		for _, task := range []func(context.Context){d.keep, d.load, c.forget} {
			d.tasks.Add(1)
			c.wg.Go(func() {
				defer d.tasks.Done()
				task(ctx)
			})
		}
	})
	return d.err
}

// end has nothing more be kept or read, and waits for what is under way. The socket is closing.
func (d *diskInbox) end() {
	d.begin.Do(func() { d.err = ErrClosed })
	if d.stop != nil {
		d.stop()
		d.tasks.Wait()
	}
}

// close gives what was read and not received, or not settled, back to the spool: another socket gets it.
func (d *diskInbox) close() {
	q, in := &d.app, &d.link.in
	q.recv.Lock()
	q.mu.Lock()
	q.giveBack()
	d.enter()
	d.entered = d.labels.end // what is still in the queue is not settled by leaving it now
	q.ledger(d.link).store(in.counts.unread, in.counts.further)
	in.queue, in.active = queue{}, false
	q.round = round{}
	settled, out := d.settle, d.out.Above()
	d.settle, d.out = nil, ranges.Set{}
	q.mu.Unlock()
	q.recv.Unlock()
	q.close()
	if d.cursor != nil {
		d.cursor.Settle(settled...)
		for _, r := range out {
			d.cursor.Release(spool.Range(r))
		}
	}
}

// fail has whoever receives, and nothing is left for, be told why no more comes; nil takes that back.
func (d *diskInbox) fail(err error) {
	q := &d.app
	q.mu.Lock()
	defer q.mu.Unlock()
	if (err == nil) == (q.broken == nil) {
		return
	}
	q.broken = err
	q.unread.WakeAll()
}

// A replyAddress is where replies to what a link has brought go: to the end that the peer says it is, if it has proven
// to be that user again.
type replyAddress struct {
	end  endID
	user string
}

// append appends the address as it stands in the spool: the end, and the user behind it.
func (a replyAddress) append(b []byte) []byte { return append(append(b, a.end[:]...), a.user...) }

func parseReplyAddress(b []byte) (a replyAddress, ok bool) {
	if len(b) < len(a.end) {
		return replyAddress{}, false
	}
	n := copy(a.end[:], b)
	a.user = string(b[n:])
	return a, true
}

// addressOf is where replies to what a link has brought go, also in another life of the peer's connection.
func (d *diskInbox) addressOf(l *link) replyAddress {
	a := replyAddress{l.peer.end, l.peer.User}
	if a.end != (endID{}) {
		return a
	}
	a.end = newEndID()
	if l.in.isOrphan { // it is gone for good
		return a
	}
	own, known := d.addresses.LoadOrStore(l, a)
	if !known {
		d.replies.Store(own, l)
	}
	return own.(replyAddress)
}

// linkOf is the link to an address, nil if there is none now.
func (d *diskInbox) linkOf(address replyAddress) *link {
	l, _ := d.replies.Load(address)
	to, _ := l.(*link)
	return to
}

// know and forget follow which links there are.
func (d *diskInbox) know(l *link) {
	if d != nil && l.peer.end != (endID{}) {
		d.replies.Store(replyAddress{l.peer.end, l.peer.User}, l)
	}
}

func (d *diskInbox) forget(l *link) {
	if d != nil {
		d.replies.CompareAndDelete(replyAddress{l.peer.end, l.peer.User}, l)
		if a, known := d.addresses.LoadAndDelete(l); known {
			d.replies.Delete(a)
		}
	}
}
