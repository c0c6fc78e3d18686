package rpc

import (
	"context"
	"encoding/binary"
	"errors"
	"runtime"
	"time"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/internal/flow"
	"github.com/yodel-mq/yodel/patterns/internal/gate"
	"github.com/yodel-mq/yodel/patterns/internal/line"
	"github.com/yodel-mq/yodel/patterns/internal/reply"
	"github.com/yodel-mq/yodel/socket"
)

// maxCalls is how many calls of one caller there may be at once.
const maxCalls = 1024

// A caller is one connection to a service. The lock of the service guards it.
type caller struct {
	conn    *line.Conn
	calls   map[string]*call // by their envelopes
	streams int              // calls with streams
	bye     bool             // it sends no new ones
}

// A call is a request from when it has come until its reply is sent.
type call struct {
	caller   *caller
	envelope [][]byte // up to the empty frame, which is among it
	key      string
	head     patterns.Head
	body     []byte
	method   *method
	codec    patterns.Codec
	arrived  time.Time
	deadline time.Time // zero if there is none
	stream   *stream   // of a method that has one
	credit   uint64    // for the caller, at the beginning
	known    bool      // when it came another one with its key had begun

	// Guarded by the lock of the service.
	cancel context.CancelCauseFunc // of the handler's context, once it runs
	gone   bool                    // the caller has given up, or is lost: nobody waits for a reply

	lasting bool // the handler has begun, and goes on when the caller is gone
	repeat  bool // it comes to what another one with its key comes to
}

// serviceHandler is what a service does with what comes, one thing after the other.
type serviceHandler Service

func (h *serviceHandler) service() *Service { return (*Service)(h) }

// Up begins a caller.
func (h *serviceHandler) Up(c *line.Conn) {
	s := h.service()
	who := &caller{conn: c, calls: make(map[string]*call)}
	c.Data = who
	s.mu.Lock()
	defer s.mu.Unlock()
	s.callers[who] = true
	if s.draining {
		who.say(patterns.KindBye)
		s.change()
		return
	}
	who.say(patterns.KindHello)
}

// Down ends a caller and all that is done for it.
func (h *serviceHandler) Down(c *line.Conn, _ error) {
	s := h.service()
	who := c.Data.(*caller)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.callers, who)
	for _, waiting := range s.gate.Leave(time.Now(), who) {
		s.ended(waiting, 0, socket.ErrPeerLost)
	}
	who.cancelAll(socket.ErrPeerLost)
	s.change()
}

// Failed tells of a peer that was refused.
func (h *serviceHandler) Failed(endpoint string, err error) {
	h.cfg.log.Warn("yodel: rpc: peer refused", "endpoint", endpoint, "err", err)
}

// Message takes a call, or something about one.
func (h *serviceHandler) Message(c *line.Conn, m socket.Msg) {
	s := h.service()
	who := c.Data.(*caller)
	envelope, rest := m.Envelope()
	if len(envelope) == 0 || len(rest) == 0 || len(rest) > 2 {
		s.drop()
		return
	}
	in := &call{caller: who, envelope: envelope, key: keyOf(envelope), arrived: time.Now()}
	if len(rest) > 1 {
		in.body = rest[1]
	}
	var err error
	if in.head, err = patterns.ParseHead(rest[0]); err != nil {
		s.mu.Lock()
		s.stray++
		s.refuse(in, patterns.Errorf(patterns.CodeInvalidArgument, "%w", err))
		s.unlock()
		return
	}
	switch in.head.Kind {
	case patterns.KindMessage:
		s.accept(in)
	case patterns.KindCancel:
		s.mu.Lock()
		defer s.mu.Unlock()
		if known := who.calls[in.key]; known != nil {
			known.giveUp(context.Canceled)
		}
	case patterns.KindBye:
		s.mu.Lock()
		defer s.mu.Unlock()
		who.bye = true
		s.change()
	case patterns.KindItem, patterns.KindEnd, patterns.KindCredit:
		s.mu.Lock()
		defer s.mu.Unlock()
		s.about(who.calls[in.key], &in.head, in.body)
	default:
		s.drop()
	}
}

func (s *Service) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stray++
}

// keyOf is what tells the calls of a caller apart: the frames of the envelope, and where each begins.
func keyOf(envelope [][]byte) string {
	var b []byte
	for _, f := range envelope[:len(envelope)-1] {
		b = append(binary.AppendUvarint(b, uint64(len(f))), f...)
	}
	return string(b)
}

// accept takes a call in, or refuses it.
func (s *Service) accept(in *call) {
	if in.head.Left > 0 {
		in.deadline = in.arrived.Add(in.head.Left)
	}
	s.mu.Lock()
	defer s.unlock()
	in.method = s.methods[in.head.Method]
	in.known = s.knows(in)
	who := in.caller
	if old := who.calls[in.key]; old != nil { // of a REQ that has given up, without a word
		old.giveUp(context.Canceled)
	}
	var err *patterns.Error
	switch {
	case in.head.Version > 1:
		err = patterns.Errorf(patterns.CodeUnimplemented, "version %d of the head is not known here", in.head.Version)
	case s.draining && !in.known:
		err = patterns.Errorf(patterns.CodeUnavailable, "the service shuts down")
	case in.method == nil:
		err = patterns.Errorf(patterns.CodeUnimplemented, "there is no method %.64q", in.head.Method)
	case (in.method.shape != plain) != (in.head.Window > 0):
		err = patterns.Errorf(patterns.CodeUnimplemented, "the method %.64q is of another shape", in.head.Method)
	case in.method.shape != plain && !who.conn.Converses():
		err = patterns.Errorf(patterns.CodeUnimplemented, "streams need a Client")
	case in.method.shape != plain && who.streams >= maxStreams:
		err = &patterns.Error{
			Code: patterns.CodeOverloaded, Text: "too many streams of one caller", RetryAfter: time.Second,
		}
	case len(who.calls) >= maxCalls:
		err = &patterns.Error{Code: patterns.CodeOverloaded, Text: "too many calls of one caller", RetryAfter: time.Second}
	default:
		var unknown error
		if in.codec, unknown = s.codecs.of(in.head.Type); unknown != nil {
			err = patterns.Errorf(patterns.CodeInvalidArgument, "%w", unknown)
		}
	}
	if err != nil {
		s.refuse(in, err)
		return
	}
	who.calls[in.key] = in
	s.calls++
	if in.method.shape != plain {
		who.streams++
		in.stream, in.credit = newStream(s.cfg.window)
		_ = in.stream.grant(min(in.head.Window, flow.MostCredit))
	}
	if !in.gated() {
		s.start(in)
		return
	}
	verdict, out, full := s.gate.Offer(in.arrived, who, in, in.deadline)
	if full {
		s.overloaded(in.arrived, out)
	}
	switch verdict {
	case gate.Run:
		s.start(in)
	case gate.Refuse:
		s.overloaded(in.arrived, in)
	default:
		s.pump(in.arrived)
	}
}

// pump does what the gate says about calls that wait. mu is held.
func (s *Service) pump(now time.Time) {
	for {
		c, verdict := s.gate.Next(now)
		switch verdict {
		case gate.Run:
			s.start(c)
			continue
		case gate.Refuse:
			s.overloaded(now, c)
			continue
		case gate.Expire:
			s.refuse(c, patterns.Errorf(patterns.CodeDeadlineExceeded, "while it waited for its turn"))
			s.ended(c, 0, context.DeadlineExceeded)
			continue
		default:
		}
		break
	}
	if !s.closed && s.gate.Look(now) {
		s.look()
	}
	at, ok := s.gate.Due(now)
	if !ok || s.closed {
		return
	}
	if s.due == nil {
		s.due = time.AfterFunc(at.Sub(now), func() {
			s.mu.Lock()
			defer s.unlock()
			if !s.closed {
				s.pump(time.Now())
			}
		})
		return
	}
	s.due.Reset(at.Sub(now))
}

// look finds out how long a goroutine waits for a processor: one that gives way to all others once. mu is held.
func (s *Service) look() {
	began := time.Now()
	s.served.Go(func() {
		runtime.Gosched()
		now := time.Now()
		s.mu.Lock()
		defer s.unlock()
		s.gate.Looked(now, now.Sub(began))
		if !s.closed {
			s.pump(now)
		}
	})
}

// overloaded refuses a call that is in the table. mu is held.
func (s *Service) overloaded(now time.Time, c *call) {
	err := &patterns.Error{Code: patterns.CodeOverloaded, RetryAfter: s.gate.RetryAfter(now)}
	s.counters.of(c.method.name).Overloaded++
	s.refuse(c, err)
	s.ended(c, 0, err)
}

// refuse answers a call whose handler will not begin, though that of another with its key may have. It does so once
// mu, which is held, is released.
func (s *Service) refuse(c *call, err *patterns.Error) {
	s.refusals = append(s.refusals, refusal{c, err})
}

// A refusal is an answer that waits until the lock is released.
type refusal struct {
	call *call
	err  *patterns.Error
}

// unlock releases mu and sends what was refused under it. It does not wait: a caller with so little room reads
// nothing.
func (s *Service) unlock() {
	refusals := s.refusals
	s.refusals = nil
	s.mu.Unlock()
	for _, r := range refusals {
		head, body, _ := reply.FromError(r.err, false)
		head.NotBegun = !r.call.known
		_ = r.call.caller.conn.TrySend(message(r.call.envelope, &head, body))
	}
}

// ended takes a call out of the table. mu is held.
func (s *Service) ended(c *call, busy time.Duration, err error) {
	m := s.counters.of(c.method.name)
	m.Calls++
	m.Busy += busy
	if err != nil {
		m.Failed++
	}
	if c.gone || errors.Is(err, context.DeadlineExceeded) {
		m.Canceled++
	}
	if c.stream != nil {
		c.caller.streams--
	}
	if c.caller.calls[c.key] == c {
		delete(c.caller.calls, c.key)
	}
	s.calls--
	s.change()
}

// giveUp ends a call that nobody waits for any more. The lock of the service is held.
func (c *call) giveUp(cause error) {
	c.gone = true
	if c.cancel != nil && !c.lasting {
		c.cancel(cause)
	}
}

func (who *caller) cancelAll(cause error) {
	for _, c := range who.calls {
		c.giveUp(cause)
	}
}
