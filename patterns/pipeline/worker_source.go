package pipeline

import (
	"fmt"
	"slices"
	"time"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/internal/line"
	"github.com/yodel-mq/yodel/socket"
)

const (
	// mostForeign is how many jobs of one plain ZeroMQ peer wait here: it knows of no credit.
	mostForeign = 1000
	// mostPushers is how many pushers are remembered that are not there.
	mostPushers = 1000
	// mostListed is how many jobs go into one head.
	mostListed = 1500
)

// Up waits for the hello of a Yodel pusher, which says who it is.
func (w *worker) Up(c *line.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := &source{worker: w, conn: c, lease: defaultLease, held: make(map[uint64]*held)}
	c.Data = s
	w.sources[s] = true
}

// Down keeps what has begun, and forgets what has not: a pusher that comes back is told what is here still.
func (w *worker) Down(c *line.Conn, _ error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := c.Data.(*source)
	delete(w.sources, s)
	if s.conn != c {
		return // it is here again by another connection
	}
	s.conn = nil
	for _, h := range s.held {
		if h.queued && !s.met { // nobody will hear of it
			h.drop()
		}
	}
	if s.met && len(w.known) > mostPushers {
		for key, s := range w.known {
			if s.conn == nil && len(s.held) == 0 {
				delete(w.known, key)
			}
		}
	}
}

// Failed tells of a peer that was refused. What else there is, is for those who follow the events of the sockets.
func (w *worker) Failed(endpoint string, err error) {
	if err = mismatch(endpoint, err); err == nil {
		return
	}
	w.mu.Lock()
	w.stats.Refused++
	w.mu.Unlock()
	if w.cfg.refused != nil {
		w.cfg.refused(err)
	}
}

// Message takes jobs, and what a pusher says of those that are here.
func (w *worker) Message(c *line.Conn, m socket.Msg) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := c.Data.(*source)
	h, body, err := parse(m)
	if err != nil || w.closed || s.conn != c {
		w.stats.Unknown++
		return
	}
	switch {
	case h.Kind == patterns.KindMessage:
		w.job(s, &held{from: s, peer: m.From, head: h, body: body, queued: true})
	case h.Kind == patterns.KindHello && !c.Foreign() && !s.met:
		w.meet(c, s, &h)
	case h.Kind == patterns.KindCancel:
		for _, seq := range append(h.List, h.Seq) {
			if j := s.held[seq]; j != nil {
				j.revoke()
			}
		}
	default:
		w.stats.Unknown++
	}
}

// job takes a job in, or gives it back if nobody wants it any more.
func (w *worker) job(s *source, h *held) {
	w.stats.Received++
	switch old := s.held[h.head.Seq]; {
	case old == nil:
	case s.conn.Foreign():
		w.stats.Unknown++ // two jobs with one number, or none: what is said of them means the first
	case old.queued: // it was given twice, and begun not once
		old.head.Attempt = h.head.Attempt
		return
	default: // its lease has run out, and it came here again
		old.revoke()
	}
	s.held[h.head.Seq] = h
	w.stored++
	if refused := w.window() == 0; w.closing || refused && s.met || s.conn.Foreign() && w.stored > mostForeign {
		_ = h.finish(patterns.Head{Kind: patterns.KindNack, NotBegun: true}, nil) // Down tells of a lost connection
		w.stats.Nacked++
		return
	}
	w.queue = append(w.queue, h)
	w.renewing()
	w.wake()
}

// meet takes the hello of a pusher: of one that was here before, what is here of it goes over to the new connection.
func (w *worker) meet(c *line.Conn, s *source, hello *patterns.Head) {
	s.met = true
	if hello.Left > 0 {
		s.lease = hello.Left
	}
	s.pusher, s.key = hello.Origin, connection(c, hello.Origin)
	if hello.Flags&patterns.FlagDurable != 0 { // it is the same also if its process is another
		s.key = string(hello.Origin[:]) + c.Peer.Endpoint
	}
	old := w.known[s.key]
	w.known[s.key] = s
	if old == nil {
		w.ask(s)
		return
	}
	s.said, s.window = old.said, old.window
	for seq, h := range old.held {
		h.from = s
		s.held[seq] = h
	}
	clear(old.held)
	old.conn = nil
	delete(w.sources, old)
	w.cameBack(s)
}

// connection names a pair of sockets, and of the side that connects the endpoint: it is the same after a reconnect.
func connection(c *line.Conn, id [16]byte) string {
	var endpoint string
	if c.Line != nil {
		endpoint = c.Line.Endpoint()
	}
	return string(id[:]) + c.Peer.Metadata["X-Yodel"] + endpoint
}

// cameBack tells a pusher what it may not know: what is here of its jobs, and what became of others.
func (w *worker) cameBack(s *source) {
	var has []uint64
	for seq := range s.held {
		has = append(has, seq)
	}
	for _, a := range s.said {
		has = append(has, a.seq)
	}
	slices.Sort(has)
	has = slices.Compact(has)
	s.hello(has[:min(len(has), mostListed)])
	for _, a := range s.said {
		_ = s.conn.TrySend(socket.Msg{Frames: slices.Clone(a.msg)}) // Down tells of a lost connection
	}
	if w.window() == 0 {
		w.ask(s)
	}
}

// send sends a message without a body, if there is a connection. The sockets have no high-water mark.
func (s *source) send(h patterns.Head) error {
	if s.conn == nil {
		return fmt.Errorf("to the pusher: %w", socket.ErrPeerLost)
	}
	return s.conn.TrySend(socket.Msg{Frames: frames(&h, nil)})
}

func frames(h *patterns.Head, body []byte) [][]byte {
	if len(body) == 0 {
		return [][]byte{nil, h.AppendTo(make([]byte, 0, 32))}
	}
	return [][]byte{nil, h.AppendTo(make([]byte, 0, 32)), body}
}

// renewing sees that leases are renewed while there are jobs. The caller holds mu.
func (w *worker) renewing() {
	if w.timer == nil && !w.closed && len(w.sources) > 0 {
		least := defaultLease
		for s := range w.sources {
			least = min(least, s.lease)
		}
		w.timer = time.AfterFunc(max(least/3, time.Millisecond), w.renew)
	}
}

// renew renews the leases of what handlers are at, and of what is in store. If nobody has asked for a job for longer
// than a lease, what is in store goes back, for others, and nothing more comes until somebody asks.
func (w *worker) renew() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer = nil
	if w.closed || w.stored+w.begun == 0 {
		return
	}
	for s := range w.sources {
		if len(w.takers) == 0 && w.stored > 0 && time.Since(w.asked) > s.lease/2 && s.met {
			w.paused = true
			w.askAll()
			w.giveBack()
		}
		var seqs []uint64
		for seq, h := range s.held {
			if h.auto || h.queued {
				seqs = append(seqs, seq)
			}
		}
		slices.Sort(seqs)
		for part := range slices.Chunk(seqs, mostListed) {
			_ = s.send(patterns.Head{Kind: patterns.KindInProgress, List: part}) // Down tells of a lost connection
		}
	}
	w.renewing()
}
