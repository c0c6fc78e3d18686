package socket

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/yodel-mq/yodel/transport"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// The way in of one link: its goroutine, or a receiver in its place (turn.go), reads a slab at a time, decodes it without a
// copy and gives all whole messages to the inbox under one lock, with one wake-up. It never waits for the way out: answers
// to PING go into the control buffer. When the inbox is full reading stops, which the peer feels as backpressure, and the
// goroutine gives signs of life instead.

// read runs until the connection ends and returns why.
func (l *link) read() error {
	lim := l.core.cfg.limits
	maxCommand := max(minCommand, lim.MaxTopic+16)
	if lim.MaxTopic == 0 {
		maxCommand = math.MaxInt
	}
	rest := l.sess.Rest
	l.sess.Rest = nil // it is read once
	r := zmtp.NewReader(lifeReader{l}, rest, zmtp.Limits{
		MaxMessage: lim.MaxMessage,
		MaxFrames:  lim.MaxFrames,
		MaxCommand: maxCommand,
	})
	l.in.turn.reader, l.in.turn.yields = r, l.core.now()
	for l.in.full.Load() { // held back from the start
		if err := l.pause(); err != nil {
			return err
		}
	}
	for {
		msgs, err := r.Next(l.command)
		l.in.turn.stream = len(msgs) > 1
		if len(msgs) > 0 {
			if e := l.core.role.intake(l, msgs); e != nil {
				return e
			}
		}
		if err != nil {
			return err
		}
		l.yield()
		l.sign() // the next PING may be far behind what the kernel holds for us
		rest, err := l.standBy(nil)
		if len(rest) > 0 {
			if e := l.core.role.intake(l, rest); e != nil {
				return e
			}
		}
		if err != nil {
			return err
		}
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
	}
	return n, err
}

// queueAll is the intake of the roles that receive: everything goes to the inbox, as fast as there is room. What was read is
// kept whatever becomes of the link meanwhile.
func (l *link) queueAll(msgs [][][]byte) error {
	var ended error // that a receiver met behind these messages
	for stood := false; ; stood = !stood {
		n := l.core.in.put(l, msgs)
		if msgs = msgs[n:]; len(msgs) == 0 {
			return ended
		}
		if !stood {
			msgs, ended = l.standBy(msgs)
			continue
		}
		if err := l.pause(); err != nil {
			l.core.in.putAll(l, msgs)
			return err
		}
	}
}

// lookEvery is how often a reader that waits for room looks whether the peer has ended, which it cannot read yet.
const lookEvery = 500 * time.Millisecond

// pause waits until the application has made room. Being behind is not being dead: meanwhile the peer gets signs of
// life, often enough for the PINGs it was heard to send.
func (l *link) pause() error {
	l.life.paused.Store(true)
	defer func() {
		l.life.read.Store(int64(l.core.now()))
		l.life.paused.Store(false)
	}()
	l.sign()
	every := l.signEvery() / 4 // a sign that is not due yet at one tick must not wait for twice as long
	if l.look != nil && (every == 0 || every > lookEvery) {
		every = lookEvery
	}
	var tick <-chan time.Time
	if every > 0 {
		t := time.NewTicker(every)
		defer t.Stop()
		tick = t.C
	}
	for {
		if l.over() && !l.departed.Load() {
			l.core.depart(l)
		}
		select {
		case <-l.in.resume:
			if l.hasRoom() {
				return nil
			}
		case <-l.gone:
			return l.cause()
		case <-tick:
			if l.peerEnded() {
				l.endOut(errPeerClosed)
				tick = nil
				continue
			}
			l.sign()
		}
	}
}

// hasRoom reports whether the inbox takes more from the link.
func (l *link) hasRoom() bool { return !l.in.full.Load() || l.core.in.isClosed() }

// resume tells the reader, or over inproc the peer, that there is room again.
func (l *link) resume() {
	if l.direct != nil {
		l.direct.reopened()
		return
	}
	select {
	case l.in.resume <- struct{}{}:
	default:
	}
}

// command handles one command from the peer; name and data are valid during the call only.
func (l *link) command(name string, data []byte) error {
	switch name {
	case "PING":
		ttl, context, err := zmtp.ParsePing(data)
		if err != nil {
			return err
		}
		l.heard()
		l.pinged(ttl, context)
		return nil
	case "PONG":
		l.heard() // that it came is all it says
		return nil
	case "READY":
		return fmt.Errorf("%w: a second READY", ErrProtocol)
	case "ERROR":
		reason, err := zmtp.ParseError(data)
		if err != nil {
			return err
		}
		return fmt.Errorf("%w: the peer sent ERROR %q", ErrProtocol, reason)
	case "SUBSCRIBE", "CANCEL":
		if l.departed.Load() {
			return nil
		}
		return l.core.role.subscription(l, name == "SUBSCRIBE", data)
	}
	return nil // RFC 37: unknown commands are ignored
}

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
