package mtls

import "github.com/yodel-mq/yodel/transport"

// What the operating system knows of the connection below is true of this one: both end together. It counts encrypted
// bytes, some more than were written.

// alertSize is how long the alert at the end of our stream is.
const alertSize = 2 + recordExtra

// Inspect implements [transport.Inspector]; ok is false if the connection below cannot tell.
func (c *conn) Inspect() (s transport.ConnState, ok bool) {
	look, ok := c.raw.(transport.Inspector)
	if !ok {
		return s, false
	}
	s, ok = look.Inspect()
	if c.out.saidEnd.Load() { // the alert belongs to the end of the stream, which counts as one byte
		s.Unacknowledged = max(s.Unacknowledged-alertSize, min(s.Unacknowledged, 1))
	}
	return s, ok
}

// Ended implements [transport.Inspector].
func (c *conn) Ended() (ended, reset bool) {
	if look, ok := c.raw.(transport.Inspector); ok {
		return look.Ended()
	}
	return false, false
}

// ProbeWithin implements [transport.Inspector].
func (c *conn) ProbeWithin(ms int) {
	if look, ok := c.raw.(transport.Inspector); ok {
		look.ProbeWithin(ms)
	}
}

// FarOpen implements [transport.FarInspector].
func (c *conn) FarOpen() (open, known bool) {
	if far, ok := c.raw.(transport.FarInspector); ok {
		return far.FarOpen()
	}
	return false, false
}

// Harmless implements [transport.FarInspector].
func (c *conn) Harmless() bool {
	far, ok := c.raw.(transport.FarInspector)
	return ok && far.Harmless()
}
