package socket

import (
	"errors"
	"fmt"
	"math"
	"os"
	"time"

	"github.com/yodel-mq/yodel/socket/internal/ballast"
	"github.com/yodel-mq/yodel/transport"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// The way in of one link: its goroutine, or a receiver in its place (link_handoff.go), reads a slab at a time,
// decodes it without a copy and gives all whole messages to the inbox under one lock, with one wake-up. It never
// waits for the way out: answers to PING go into the control buffer. What was read is queued in link_intake.go; when
// the inbox is full reading stops, which the peer feels as backpressure, and the goroutine sends keepalives instead.

// A readState is what reading a link needs from one read to the next. It belongs to whoever reads, and is guarded by
// nothing else: the link's goroutine, or the receiver that owns the reading (handoff.owner).
type readState struct {
	reader     *zmtp.Reader
	last       time.Duration // when the link's goroutine read the time before
	yields     time.Duration // when the reader last waited, or let others run
	stream     bool          // the last read brought several messages
	counting   bool          // what is read counts in link.life.come
	ackDue     bool          // much is to be acknowledged
	nextSaid   bool          // NEXT has come, and is to be entered behind the messages ahead of it
	superseded bool          // what the link brings is void, for the peer has made another
	ballast    ballast.Share

	pinged bool          // PINGs have come that were not answered yet
	ttl    time.Duration // of the last of them
	pongs  []byte        // the answers

	// See link_throttle.go.
	useless  uint64        // commands since throttled looked last, but those that a publisher needs
	allowed  time.Duration // up to when what was useless is paid for
	throttle time.Duration // nothing is to be read before that
	named    bool          // there was a Throttled event
}

// newReader makes the reader of what follows the handshake.
func (l *link) newReader(sess *zmtp.Session) *zmtp.Reader {
	lim := l.core.cfg.limits
	maxCommand := max(minCommand, lim.MaxTopic+16)
	if lim.MaxTopic == 0 {
		maxCommand = math.MaxInt
	}
	r := zmtp.NewReader(lifeReader{l}, sess.Rest, zmtp.Limits{
		MaxMessage: lim.MaxMessage,
		MaxFrames:  lim.MaxFrames,
		MaxCommand: maxCommand,
		Room:       func(total int64) bool { return l.core.in.room(l, total) },
	})
	if sess.Opener != nil {
		r.SetOpener(sess.Opener)
	}
	return r
}

// read runs until the connection ends and returns why.
func (l *link) read() error {
	r := l.reading.reader
	defer l.reading.ballast.End()
	l.reading.yields = l.core.now()
	l.reading.allowed = l.reading.yields - time.Second
	for l.in.full.Load() { // held back from the start
		if err := l.pause(); err != nil {
			return err
		}
	}
	for {
		if err := l.sitOut(); err != nil {
			return err
		}
		if l.isLeaving() {
			l.leaveSocket()
		}
		msgs, err := r.Next(l)
		if errors.Is(err, os.ErrDeadlineExceeded) && l.isLeaving() {
			err = nil
		}
		l.updateBallast()
		l.throttled()
		l.reading.stream = len(msgs) > 1
		if len(msgs) > 0 {
			if e := l.core.role.intake(l, msgs); e != nil {
				return e
			}
		}
		l.answer()
		if noRoom(err) {
			if err = l.awaitBudget(); err == nil {
				continue
			}
		}
		if errors.Is(err, zmtp.ErrPause) {
			err = nil
		}
		if l.reading.nextSaid && err == nil { // unless a receiver has, in this one's place
			err = l.enterNext()
		}
		if err != nil {
			return err
		}
		l.yield()
		l.keepAliveRead() // the next PING may be far behind what the kernel holds for us
		rest, err := l.park(nil)
		if len(rest) > 0 {
			if e := l.core.role.intake(l, rest); e != nil {
				return e
			}
		}
		if l.reading.nextSaid && err == nil {
			err = l.enterNext()
		}
		if err != nil {
			return err
		}
	}
}

// updateBallast tells how much the link has brought, after each read.
func (l *link) updateBallast() {
	if !l.core.cfg.withoutBallast {
		l.reading.ballast.Update(l.reading.reader.Allocated())
	}
}

// minCommand is the longest command accepted whatever the limit on topics.
const minCommand = 4 << 10

// lifeReader notes that bytes came: any of them is a sign of life (RFC 37).
type lifeReader struct{ l *link }

func (r lifeReader) Read(b []byte) (int, error) { return r.noted(r.l.conn.Read(b)) }

func (r lifeReader) ReadTwo(first, second []byte) (int, error) {
	if c, ok := r.l.conn.(transport.TwoReader); ok {
		return r.noted(c.ReadTwo(first, second))
	}
	return r.Read(first)
}

func (r lifeReader) noted(n int, err error) (int, error) {
	if n > 0 {
		r.l.life.read.Store(int64(r.l.core.now()))
		if r.l.reading.counting {
			r.l.life.underwayBytes.Add(uint64(n))
		}
	}
	return n, err
}

// Command handles one command from the peer ([zmtp.Handler]). It is called by whoever reads the link.
func (l *link) Command(name string, data []byte, _ int) error {
	switch name {
	case zmtp.CommandPing:
		ttl, context, err := zmtp.ParsePing(data)
		if err != nil {
			return err
		}
		l.reading.useless += useless(1, len(data))
		l.heard()
		l.pinged(ttl, context)
		return nil
	case zmtp.CommandPong:
		l.reading.useless += useless(1, len(data))
		l.timePong()
		l.heard() // which PING it answers does not matter: any traffic is a sign of life
		return nil
	case zmtp.CommandReady:
		return fmt.Errorf("%w: a second READY", ErrProtocol)
	case zmtp.CommandError:
		reason, err := zmtp.ParseError(data)
		if err != nil {
			return err
		}
		return fmt.Errorf("%w: %w %q", ErrProtocol, errSentError, reason)
	case zmtp.CommandAck:
		return l.acked(data)
	case zmtp.CommandNak, zmtp.CommandTerm:
		return l.gaveBack(name, data)
	case zmtp.CommandDurableSubscribe:
		return l.out.box.listed(l, data)
	case zmtp.CommandGap:
		return l.core.in.gapSaid(l, data)
	case zmtp.CommandNext, zmtp.CommandLow:
		l.reading.useless += useless(1, len(data))
		return l.core.in.said(l, name, data)
	case zmtp.CommandBye:
		return l.saidBye(data)
	case zmtp.CommandSubscribe, zmtp.CommandCancel:
		if l.readOnly.Load() {
			return nil
		}
		add := name == zmtp.CommandSubscribe
		if err := l.core.role.subscription(l, add, data); err != nil || !add {
			return err
		}
		l.awaitReplayDelay()
		return nil
	}
	l.reading.useless += useless(1, len(data))
	return nil // RFC 37: unknown commands are ignored
}

var errSentError = errors.New("the peer sent ERROR")

// lossKind sorts the reasons why a connection ended into kinds of events.
func lossKind(err error) EventKind {
	switch {
	case errors.Is(err, zmtp.ErrTooLarge), errors.Is(err, ErrLimit):
		return LimitHit
	case errors.Is(err, zmtp.ErrMalformed), errors.Is(err, ErrProtocol):
		return ProtocolError
	}
	return PeerDown
}
