package mtls

import (
	"errors"
	"os"
	"time"

	"github.com/yodel-mq/yodel/transport"
)

// How a connection ends. The end of our stream is an alert (close_notify), which tells the peer that nothing was cut
// off by somebody in between, and behind it a FIN. Neither is waited for: where the network has no room, for a peer
// that does not read, the alert is tried again by a timer.

// The pauses between two attempts to write the end of our stream: the first, and the longest.
const (
	endSoon  = 2 * time.Millisecond
	endEvery = 100 * time.Millisecond
)

// CloseWrite implements [transport.CloseWriter]. It waits for nothing; during a Write, or after one that has ended half
// way through a record, the peer sees a connection that was cut.
func (c *conn) CloseWrite() error {
	o := &c.out
	if !o.mu.TryLock() {
		return c.rawCloseWrite()
	}
	defer o.mu.Unlock()
	if o.ended {
		return nil
	}
	whole, err := c.sayEnd()
	switch {
	case err == nil && !whole:
		c.endLater(endSoon)
		return nil
	case errors.Is(err, errHalf):
		err = nil
	}
	return errors.Join(err, c.rawCloseWrite())
}

// errHalf means that a record is on the network in part, so that nothing can follow.
var errHalf = errors.New("half a record is written")

// sayEnd encrypts the alert and writes it as far as that goes without waiting. out.mu is held.
func (c *conn) sayEnd() (whole bool, err error) {
	o := &c.out
	o.ended = true
	if !c.shaken.Load() || len(o.records) > 0 {
		return false, errHalf
	}
	_ = c.raw.SetWriteDeadline(time.Time{}) // what was being written may have been ended by one in the past
	c.below.prepare()
	if err := c.tls.CloseWrite(); err != nil {
		return false, err
	}
	o.saidEnd.Store(true)
	return c.flushSoon()
}

// endLater tries again after a pause. out.mu is held.
func (c *conn) endLater(pause time.Duration) {
	time.AfterFunc(pause, func() {
		c.out.mu.Lock()
		defer c.out.mu.Unlock()
		if whole, err := c.flushSoon(); err == nil && !whole {
			c.endLater(min(2*pause, endEvery))
		} else {
			_ = c.rawCloseWrite() // the connection may be closed by now
		}
	})
}

// flushSoon writes what is encrypted as far as that goes without waiting, or in no time where the connection below can
// only wait. out.mu is held.
func (c *conn) flushSoon() (whole bool, err error) {
	if c.try != nil {
		_, whole, err = c.flush(false)
		return whole, err
	}
	_ = c.raw.SetWriteDeadline(time.Now().Add(endSoon))
	_, whole, err = c.flush(true)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = nil
	}
	return whole, err
}

// flushAlert lets the peer know why reading has failed, if nobody writes.
func (c *conn) flushAlert() {
	if o := &c.out; o.mu.TryLock() {
		defer o.mu.Unlock()
		if len(o.records) == 0 && c.try != nil {
			_, _, _ = c.flush(false) // it is of no use any more to anybody else
		}
	}
}

func (c *conn) rawCloseWrite() error {
	if cw, ok := c.raw.(transport.CloseWriter); ok {
		return cw.CloseWrite()
	}
	return nil
}

// Close closes the connection, and says before, if that can be said without waiting, that nothing was cut off.
func (c *conn) Close() error {
	if o := &c.out; c.shaken.Load() && o.mu.TryLock() {
		if !o.ended {
			_, _ = c.sayEnd() // the peer is free to close first
		} else {
			_, _ = c.flushSoon()
		}
		o.mu.Unlock()
	}
	return c.raw.Close()
}
