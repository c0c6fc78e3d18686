package pipeline

import (
	"math/rand/v2"
	"time"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/internal/dispatch"
	"github.com/yodel-mq/yodel/patterns/internal/line"
	"github.com/yodel-mq/yodel/patterns/internal/reply"
	"github.com/yodel-mq/yodel/socket"
)

const (
	// grace is for how long a Yodel worker whose connection is lost keeps its jobs, to come back.
	grace = time.Second
	// mostKnown bounds how many workers are remembered that are not there.
	mostKnown = 10_000
)

// A peer is a worker's connection. All its fields are guarded by the pusher's mu but those that do not change.
type peer struct {
	pusher *pusher
	conn   *line.Conn
	id     dispatch.Worker
	up     bool // known to the machine
	down   bool
	left   bool   // it said so
	key    string // in known
	job    uint64 // the last that it was given
}

// Up greets a Yodel worker, and gives its first job to one that cannot ask for it: a REP, and a ROUTER that is bound,
// which does not know who is there before it has heard of them.
func (p *pusher) Up(c *line.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last++
	w := &peer{pusher: p, conn: c, id: p.last}
	c.Data = w
	p.peers[w.id] = w
	switch {
	case !c.Foreign():
		hello := patterns.Head{Kind: patterns.KindHello, Origin: p.id, Left: p.cfg.lease}
		if p.disk != nil {
			hello.Flags = patterns.FlagDurable
		}
		w.tell(hello)
	case w.replies(), c.Line != nil && c.Peer.Type == "ROUTER":
		w.enter("")
		p.credit(w, 1)
	}
}

// replies tells whether the worker is a REP, whose every message is the reply to one job.
func (w *peer) replies() bool { return w.conn.Peer.Type == "REP" }

// enter makes a worker known to the machine.
func (w *peer) enter(name string) {
	if !w.up {
		w.up = true
		w.pusher.m.Up(w.id, name)
	}
}

func (p *pusher) credit(w *peer, n uint64) {
	actions, err := p.m.Credit(time.Now(), w.id, n, 0)
	if err != nil {
		p.refuse(w)
		return
	}
	p.step(actions)
}

// refuse ends a connection whose worker does what it must not.
func (p *pusher) refuse(w *peer) {
	p.stats.refused++
	w.conn.Disconnect()
}

// Down has what a worker had come again: at once, or after the time in which it may come back.
func (p *pusher) Down(c *line.Conn, _ error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := c.Data.(*peer)
	d := grace
	if c.Foreign() || w.left {
		d = 0
	}
	p.lose(w, d)
}

// lose says that a connection is over.
func (p *pusher) lose(w *peer, grace time.Duration) {
	if w.down {
		return
	}
	w.down = true
	delete(p.peers, w.id)
	if w.up && !p.closed {
		p.step(p.m.Down(time.Now(), w.id, grace))
	}
}

// Failed tells of a peer that was refused. What else there is, is for those who follow the events of the sockets.
func (p *pusher) Failed(endpoint string, err error) {
	if err = mismatch(endpoint, err); err == nil {
		return
	}
	p.mu.Lock()
	p.stats.refused++
	p.mu.Unlock()
	if p.cfg.refused != nil {
		p.cfg.refused(err)
	}
}

// Message takes what a worker says.
func (p *pusher) Message(c *line.Conn, m socket.Msg) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := c.Data.(*peer)
	h, body, err := parse(m)
	if err != nil || w.down || p.closed {
		p.stats.unknown++
		return
	}
	switch h.Kind {
	case patterns.KindHello:
		p.hello(w, &h)
	case patterns.KindCredit:
		w.enter("")
		p.credit(w, h.Window)
	case patterns.KindBye:
		w.left = true
		p.m.Drain(w.id)
	case patterns.KindMessage:
		if !w.replies() {
			p.stats.unknown++
			return
		}
		p.replied(w, &h, body)
	case patterns.KindAck, patterns.KindNack, patterns.KindInProgress, patterns.KindReject:
		p.answers(w, &h, body)
	default:
		p.stats.unknown++
	}
}

// parse takes a message apart: an empty frame, the head, and a body that need not be there.
func parse(m socket.Msg) (h patterns.Head, body []byte, err error) {
	if len(m.Frames) < 2 || len(m.Frames) > 3 || len(m.Frames[0]) > 0 {
		return h, nil, patterns.ErrHead
	}
	if len(m.Frames) == 3 {
		body = m.Frames[2]
	}
	h, err = patterns.ParseHead(m.Frames[1])
	if err == nil && h.Version > 1 {
		err = patterns.ErrHead
	}
	return h, body, err
}

// hello lets a Yodel worker in, or tells how much it wants from now on. One that was there before, by another
// connection, keeps what it says it has.
func (p *pusher) hello(w *peer, h *patterns.Head) {
	now := time.Now()
	if !w.up {
		w.enter(h.Method[:min(len(h.Method), mostName)])
		w.key = connection(w.conn, h.Origin)
		before := p.known[w.key]
		if old := p.peers[before]; old != nil {
			p.lose(old, grace)
			old.conn.Disconnect()
		}
		p.remember(w)
		resume := p.m.Resume
		if before == 0 && p.disk != nil {
			resume = p.m.Adopt
		}
		actions, lost := resume(now, w.id, before, h.List)
		p.step(actions)
		if len(lost) > 0 {
			w.tell(patterns.Head{Kind: patterns.KindCancel, List: lost})
		}
	}
	w.left = false
	actions, err := p.m.Window(now, w.id, h.Window, int64(min(h.Delivery, 1<<62)))
	if err != nil {
		p.refuse(w)
		return
	}
	p.step(actions)
}

// remember notes by which connection a worker is there, so that it can come back.
func (p *pusher) remember(w *peer) {
	if len(p.known) >= mostKnown {
		for key, id := range p.known {
			if p.peers[id] == nil {
				delete(p.known, key)
			}
		}
	}
	p.known[w.key] = w.id
}

// replied takes the reply of a REP to the job that it has: an error is a nack, anything else an ack.
func (p *pusher) replied(w *peer, h *patterns.Head, body []byte) {
	h.Seq = w.job
	h.Kind = patterns.KindAck
	if err := reply.ToError(h, nil); err != nil {
		h.Kind = patterns.KindNack
		h.Text = err.Error()
		if h.Left = h.Retry; h.Left == 0 {
			attempts := 0
			if j := p.m.Job(h.Seq); j != nil {
				attempts = j.Attempts
			}
			h.Left = dispatch.Backoff(attempts, rand.Float64())
		}
	}
	p.answers(w, h, body)
}

// answers takes what a worker says of jobs that it has.
func (p *pusher) answers(w *peer, h *patterns.Head, body []byte) {
	seqs := h.List
	if len(seqs) == 0 {
		seqs = []uint64{h.Seq}
	}
	for _, seq := range seqs {
		p.answer(w, h, seq, body)
	}
}

func (p *pusher) answer(w *peer, h *patterns.Head, seq uint64, body []byte) {
	now, j := time.Now(), p.m.Job(seq)
	var actions []dispatch.Action[*entry]
	var err error
	switch h.Kind { //nolint:exhaustive // Message lets no others through
	case patterns.KindAck:
		actions, err = p.m.Ack(now, w.id, seq)
	case patterns.KindNack:
		actions, err = p.m.Nack(now, w.id, seq, h.Left, !h.NotBegun)
	case patterns.KindReject:
		actions, err = p.m.Reject(now, w.id, seq)
	case patterns.KindInProgress:
		actions, err = p.m.Renew(now, w.id, seq)
	}
	switch {
	case err != nil:
		p.stats.late++
		if h.Kind == patterns.KindInProgress {
			w.tell(patterns.Head{Kind: patterns.KindCancel, Seq: seq})
		}
	case h.Kind != patterns.KindInProgress:
		j.Value.result = patterns.Raw{Type: h.Type, Data: body}
		j.Value.reason = shorten(h.Text)
	}
	p.step(actions)
}

// tell sends a Yodel worker what plain ZeroMQ peers are not sent.
func (w *peer) tell(h patterns.Head) {
	if w != nil && !w.conn.Foreign() {
		w.send(h, nil)
	}
}

// send sends a message, behind what was settled before. The sockets have no high-water mark, and of a lost connection
// Down tells.
func (w *peer) send(h patterns.Head, body []byte) {
	frames := [][]byte{nil, h.AppendTo(make([]byte, 0, 32)), body}
	if h.Kind != patterns.KindMessage && len(body) == 0 {
		frames = frames[:2]
	}
	w.pusher.disk.behind(func() { _ = w.conn.TrySend(socket.Msg{Frames: frames}) })
}
