package mtls

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/yodel-mq/yodel/transport"
)

// A conn is one end of a connection. What goes out is in write.go, how it ends in end.go.
//
// crypto/tls writes where it likes: to answer a peer that wants new keys it does so from Read, and waits for a peer
// that takes nothing meanwhile. So after the handshake it writes to memory (below), and whoever writes to the
// connection takes that to the network. Reading then waits for nothing but bytes, and can be left at any time.
type conn struct {
	raw      net.Conn
	try      transport.TryWriter // of raw; nil if that cannot
	cfg      *settings
	server   bool
	host     string // of the server, as it was dialled
	endpoint string

	shaking struct {
		sync.Mutex
		err error // that the handshake has ended with; it stands
	}
	shaken atomic.Bool // the handshake is over, and tls usable
	tls    *tls.Conn
	below  below
	heard  atomic.Bool // something came behind the handshake

	out outgoing
}

var (
	_ transport.Handshaker    = (*conn)(nil)
	_ transport.Certified     = (*conn)(nil)
	_ transport.TryWriter     = (*conn)(nil)
	_ transport.BuffersWriter = (*conn)(nil)
	_ transport.ReadCanceler  = (*conn)(nil)
	_ transport.CloseWriter   = (*conn)(nil)
	_ transport.Inspector     = (*conn)(nil)
	_ transport.FarInspector  = (*conn)(nil)
)

func newConn(cfg *settings, raw net.Conn, endpoint string) *conn {
	c := &conn{raw: raw, cfg: cfg, endpoint: endpoint}
	c.try, _ = raw.(transport.TryWriter)
	c.below.Conn = raw
	return c
}

// HandshakeContext implements [transport.Handshaker]. Read and Write call it, with no end but the connection's own.
func (c *conn) HandshakeContext(ctx context.Context) error {
	if c.shaken.Load() {
		return nil
	}
	c.shaking.Lock()
	defer c.shaking.Unlock()
	if c.shaken.Load() || c.shaking.err != nil {
		return c.shaking.err
	}
	if err := c.shake(ctx); err != nil {
		c.shaking.err = &transport.OpError{
			Op: "handshake", Endpoint: c.endpoint, Err: fmt.Errorf("%w: %w", transport.ErrHandshake, err),
		}
		return c.shaking.err
	}
	c.shaken.Store(true)
	return nil
}

func (c *conn) shake(ctx context.Context) error {
	cfg, err := c.cfg.config(c.server, c.host)
	if err != nil {
		return err
	}
	end := tls.Client
	if c.server {
		end = tls.Server
	}
	conn := end(&c.below, cfg)
	if err := conn.HandshakeContext(ctx); err != nil {
		return c.explain(err)
	}
	c.tls = conn
	c.below.hold()
	return nil
}

// explain words why a handshake has failed, where crypto/tls leaves that to be guessed.
func (c *conn) explain(err error) error {
	header, notTLS := errors.AsType[tls.RecordHeaderError](err)
	switch {
	case notTLS:
		return c.notTLS(header.RecordHeader)
	case isAlert(err):
		return fmt.Errorf("%w: %w", ErrRefused, err)
	case errors.Is(err, io.EOF):
		return fmt.Errorf("the far side closed the connection before it was done: %w", io.ErrUnexpectedEOF)
	case errors.Is(err, syscall.ECONNRESET):
		return fmt.Errorf("%w: so does one that does not speak TLS", err)
	}
	return err
}

// zmtpFirst is the first byte of a greeting of ZMTP, which is none of a record of TLS.
const zmtpFirst = 0xff

// notTLS names a far side that does not speak TLS, and tells it.
func (c *conn) notTLS(seen [5]byte) error {
	if c.server {
		// Alert, TLS 1.0 to 1.2, two bytes: fatal, protocol version. A Yodel that reads this knows what it means.
		_, _ = c.raw.Write([]byte{21, 3, 3, 0, 2, 2, 70})
	}
	switch {
	case seen[0] != zmtpFirst:
		return fmt.Errorf("%w: it starts with %q", ErrNotTLS, seen[:])
	case c.server:
		return fmt.Errorf("%w: it speaks ZMTP as it is; its endpoint has to be tls:// too", ErrNotTLS)
	}
	return fmt.Errorf("%w: it speaks ZMTP as it is; its endpoint is tcp://, or has to be tls:// too", ErrNotTLS)
}

// Read reads what the peer has written. The end of its stream is [io.EOF] if it has said so, and ErrCut if not.
func (c *conn) Read(b []byte) (int, error) {
	if err := c.HandshakeContext(context.Background()); err != nil {
		return 0, err
	}
	n, err := c.tls.Read(b)
	if n > 0 && !c.heard.Load() {
		c.heard.Store(true)
	}
	if err != nil {
		err = c.readError(err)
	}
	return n, err
}

func (c *conn) readError(err error) error {
	switch t, ok := errors.AsType[net.Error](err); {
	case ok && t.Timeout(), errors.Is(err, net.ErrClosed):
		return err // of the connection below
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF) && c.below.ended.Load():
		return c.opError("read", ErrCut)
	case errors.Is(err, io.EOF):
		return io.EOF
	}
	c.flushAlert()
	if isAlert(err) {
		err = fmt.Errorf("%w: %w", ErrRefused, err)
		if !c.heard.Load() { // a server looks at the client's certificate when the client is done already
			err = fmt.Errorf("%w: %w", transport.ErrHandshake, err)
		}
		return c.opError("read", err)
	}
	return err
}

func (c *conn) opError(op string, err error) error {
	return &net.OpError{Op: op, Net: scheme, Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}

// PeerCertificate implements [transport.Certified].
func (c *conn) PeerCertificate() (cert transport.Certificate, ok bool) {
	all := c.PeerCertificates()
	if len(all) == 0 {
		return cert, false
	}
	cert.KeyHash, cert.Subject = KeyHashOf(all[0]), all[0].Subject.String()
	for _, one := range all {
		cert.DER = append(cert.DER, one.Raw)
	}
	return cert, true
}

// PeerCertificates is PeerCertificate for who links crypto/x509 anyway; it is found by type assertion, too.
func (c *conn) PeerCertificates() []*x509.Certificate {
	if !c.shaken.Load() {
		return nil
	}
	return c.tls.ConnectionState().PeerCertificates
}

func (c *conn) LocalAddr() net.Addr  { return c.raw.LocalAddr() }
func (c *conn) RemoteAddr() net.Addr { return c.raw.RemoteAddr() }

func (c *conn) SetDeadline(t time.Time) error      { return c.raw.SetDeadline(t) }
func (c *conn) SetReadDeadline(t time.Time) error  { return c.raw.SetReadDeadline(t) }
func (c *conn) SetWriteDeadline(t time.Time) error { return c.raw.SetWriteDeadline(t) }

// CancelRead implements [transport.ReadCanceler]. Parts of a record that have come are kept for the next Read.
func (c *conn) CancelRead() error { return c.raw.SetReadDeadline(time.Unix(1, 0)) }
