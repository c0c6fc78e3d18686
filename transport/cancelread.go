package transport

import "time"

var (
	_ ReadCanceler = (*tcpConn)(nil)
	_ ReadCanceler = (*ipcConn)(nil)
)

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

// CancelRead implements [ReadCanceler].
func (c *tcpConn) CancelRead() error { return c.SetReadDeadline(longAgo) }

// CancelRead implements [ReadCanceler].
func (c *ipcConn) CancelRead() error { return c.SetReadDeadline(longAgo) }
