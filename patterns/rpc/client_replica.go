package rpc

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/internal/balance"
	"github.com/yodel-mq/yodel/patterns/internal/line"
	"github.com/yodel-mq/yodel/socket"
)

// A replica is one endpoint of a client. The client's lock guards it.
type replica struct {
	line     *line.Line
	conn     *line.Conn          // the present one, nil if there is none
	id       string              // which Service it leads to, or led to last; "" if that is none
	lost     time.Time           // when the last one was over
	calls    map[uint32]*attempt // that are out at conn
	late     map[uint32]string   // methods of calls that were given up, whose replies may come
	draining bool                // it has said bye
	retired  bool                // Disconnect
	ending   bool                // it is being closed
}

// maxLate bounds late: of more calls a late reply is a stray message.
const maxLate = 1024

// An attempt is a call that is out at a replica.
type attempt struct {
	replica *replica
	conn    *line.Conn
	id      uint32
	method  string
	done    chan outcome // gets one
	stream  *stream      // of a call with streams
	held    *holder      // of a call with a key, if the replica is a Service
}

// clientHandler is what a client does with what comes from one endpoint, one thing after the other.
type clientHandler Client

func (h *clientHandler) client() *Client { return (*Client)(h) }

// Up waits for the hello of a replica, by which that knows this client: had it no idea of it when it shuts down, calls
// would be lost. Plain ZeroMQ has calls at once.
func (h *clientHandler) Up(conn *line.Conn) {
	c := h.client()
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.replicas[conn.Line]
	if r == nil {
		r = &replica{line: conn.Line}
		c.replicas[conn.Line] = r
	}
	conn.Data = r
	r.conn, r.calls, r.late, r.draining = conn, make(map[uint32]*attempt), nil, false
	r.id = serviceID(conn.Peer)
	if conn.Foreign() {
		c.ready(r)
	}
}

// ready lets a replica have calls. mu is held.
func (c *Client) ready(r *replica) {
	c.set.Up(r)
	if r.retired {
		c.set.Drain(r)
		c.retire(r)
	}
	c.served = true
	delete(c.trying, r.line.Endpoint())
	c.changed()
}

// Down ends the calls that are out at a replica.
func (h *clientHandler) Down(conn *line.Conn, err error) {
	c := h.client()
	c.mu.Lock()
	defer c.mu.Unlock()
	r := conn.Data.(*replica)
	r.lost = time.Now()
	c.set.Down(r.lost, r)
	cause := fmt.Errorf("%w: %w", socket.ErrPeerLost, err)
	if c.closed {
		cause = socket.ErrClosed
	}
	for id, a := range r.calls {
		delete(r.calls, id)
		a.finish(outcome{lost: cause})
	}
	r.conn, r.late = nil, nil
	c.failure = fmt.Errorf("%s: %w", conn.Line.Endpoint(), cause)
	c.retire(r)
}

// Failed remembers why there may be nobody.
func (h *clientHandler) Failed(endpoint string, err error) {
	c := h.client()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failure = fmt.Errorf("%s: %w", endpoint, err)
	delete(c.trying, endpoint)
	c.changed()
}

// Message takes a reply, or something about a call.
func (h *clientHandler) Message(conn *line.Conn, m socket.Msg) {
	c := h.client()
	r := conn.Data.(*replica)
	envelope, rest := m.Envelope()
	if len(envelope) == 0 || len(rest) == 0 || len(rest) > 2 {
		c.drop()
		return
	}
	head, err := patterns.ParseHead(rest[0])
	if err != nil { // of a reply: the caller is not to wait for it
		head = patterns.Head{Code: patterns.CodeInternal, Text: "the reply: " + err.Error()}
	}
	var body []byte
	if len(rest) > 1 {
		body = rest[1]
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case head.Kind == patterns.KindHello && len(envelope) == 1:
		c.ready(r)
	case head.Kind == patterns.KindBye && len(envelope) == 1:
		r.draining = true
		c.set.Drain(r)
		c.farewell(r)
	case len(envelope) != 2 || len(envelope[0]) != 4:
		c.stray++
	case head.Kind == patterns.KindItem || head.Kind == patterns.KindCredit:
		c.about(r.calls[binary.BigEndian.Uint32(envelope[0])], &head, body)
	case head.Kind != patterns.KindMessage && head.Kind != patterns.KindEnd:
		c.stray++
	default:
		c.replied(r, binary.BigEndian.Uint32(envelope[0]), &head, body)
	}
}

// replied gives a reply to its call, if that is still there. mu is held.
func (c *Client) replied(r *replica, id uint32, head *patterns.Head, body []byte) {
	a := r.calls[id]
	if a == nil {
		if method, ok := r.late[id]; ok {
			delete(r.late, id)
			c.counters.of(method).Late++
		} else {
			c.stray++
		}
		return
	}
	now := time.Now()
	if head.NotBegun {
		switch head.Code { //nolint:exhaustive // the others say nothing of the replica
		case patterns.CodeOverloaded:
			c.set.Busy(r, now.Add(max(head.Retry, time.Millisecond)))
		case patterns.CodeUnavailable:
			if !r.conn.Foreign() { // that may be a proxy, which has others
				c.set.Drain(r)
			}
		}
	}
	c.forget(a, balance.Answered)
	a.finish(outcome{head: *head, body: body})
}

// finish says what has become of an attempt.
func (a *attempt) finish(res outcome) {
	a.done <- res
	if a.stream != nil {
		a.stream.end(nil)
	}
}

// forget takes an attempt out of the table. mu is held.
func (c *Client) forget(a *attempt, o balance.Outcome) {
	delete(a.replica.calls, a.id)
	c.set.Done(time.Now(), a.replica, o)
	c.farewell(a.replica)
	c.retire(a.replica)
}

// farewell tells a replica that has said bye that nothing more will come, as soon as it has no calls of ours. mu is
// held, so that no call is begun meanwhile.
func (c *Client) farewell(r *replica) {
	if r.draining && len(r.calls) == 0 && r.conn != nil {
		head := patterns.Head{Kind: patterns.KindBye}
		_ = r.conn.TrySend(socket.NewMsg(nil, head.AppendTo(nil))) // without it the replica waits for a time
	}
}

func (c *Client) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stray++
}
