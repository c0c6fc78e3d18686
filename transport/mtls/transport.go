package mtls

import (
	"context"
	"errors"
	"net"
	"strings"

	"github.com/yodel-mq/yodel/transport"
)

const scheme = "tls"

// A Transport is the transport for tls://host:port, to be given to a socket by socket.WithTransport. It may be shared
// by any number of sockets, for listening and dialling alike. Make it by [New].
type Transport struct{ settings }

var (
	_ transport.Transport     = (*Transport)(nil)
	_ transport.Canonicalizer = (*Transport)(nil)
)

// New returns a transport. It reads no file and cannot fail: what is missing is told by Listen, or by the handshake of
// each connection.
func New(opts ...Option) *Transport {
	t := &Transport{}
	for _, o := range opts {
		if o != nil {
			o.set(&t.settings)
		}
	}
	if t.under == nil {
		t.under = transport.NewTCP()
	}
	return t
}

// Scheme returns "tls".
func (*Transport) Scheme() string { return scheme }

// Validate implements [transport.Transport]. Addresses are those of tcp, source addresses, ranges and interface names
// included, or of [WithUnderlying].
func (t *Transport) Validate(address string, use transport.Use) error {
	return t.renamed(t.under.Validate(address, use))
}

// Canonical implements [transport.Canonicalizer].
func (t *Transport) Canonical(address string, use transport.Use) string {
	if c, ok := t.under.(transport.Canonicalizer); ok {
		return c.Canonical(address, use)
	}
	return address
}

// Dial connects. The handshake of TLS is not part of it, but of the connection's first Read or Write, or of its
// HandshakeContext ([transport.Handshaker]).
func (t *Transport) Dial(ctx context.Context, address string) (net.Conn, error) {
	raw, err := t.under.Dial(ctx, address)
	if err != nil {
		return nil, t.renamed(err)
	}
	c := newConn(&t.settings, raw, scheme+"://"+address)
	c.host = host(t.Canonical(address, transport.ForConnect))
	return c, nil
}

// host is the name, or the IP address, of who is connected to.
func host(address string) string {
	if _, target, ok := strings.Cut(address, ";"); ok { // behind a source address
		address = target
	}
	name, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return name
}

// Listen binds address. What it lacks to shake hands with a client, it says at once: the error matches ErrConfig then.
func (t *Transport) Listen(ctx context.Context, address string) (transport.Listener, error) {
	endpoint := scheme + "://" + address
	if err := t.Validate(address, transport.ForBind); err != nil {
		return nil, err
	}
	if _, err := t.config(true, ""); err != nil {
		return nil, &transport.OpError{Op: "listen", Endpoint: endpoint, Err: err}
	}
	l, err := t.under.Listen(ctx, address)
	if err != nil {
		return nil, t.renamed(err)
	}
	return &listener{l, t, endpoint}, nil
}

// renamed is an error of the transport below with our scheme in it.
func (t *Transport) renamed(err error) error {
	theirs, ours := t.under.Scheme()+"://", scheme+"://"
	if bad, ok := errors.AsType[*transport.AddressError](err); ok {
		return &transport.AddressError{
			Endpoint: ours + strings.TrimPrefix(bad.Endpoint, theirs), Problem: bad.Problem,
			Fix: strings.ReplaceAll(bad.Fix, theirs, ours),
		}
	}
	if op, ok := errors.AsType[*transport.OpError](err); ok {
		return &transport.OpError{Op: op.Op, Endpoint: ours + strings.TrimPrefix(op.Endpoint, theirs), Err: op.Err}
	}
	return err
}

// A listener hands out connections as they come: it shakes hands with nobody, so that a stranger who says nothing keeps
// no other waiting.
type listener struct {
	transport.Listener
	t        *Transport
	endpoint string
}

var _ transport.NamedListener = (*listener)(nil)

func (l *listener) Accept() (net.Conn, error) {
	raw, err := l.Listener.Accept()
	if err != nil {
		return nil, l.t.renamed(err)
	}
	c := newConn(&l.t.settings, raw, l.endpoint)
	c.server = true
	return c, nil
}

func (l *listener) Close() error { return l.t.renamed(l.Listener.Close()) }

// Named implements [transport.NamedListener].
func (l *listener) Named(address string) bool {
	n, ok := l.Listener.(transport.NamedListener)
	return ok && n.Named(address)
}

// Addr is the bound address as the kernel has it; nil if the transport below does not tell.
func (l *listener) Addr() net.Addr {
	if n, ok := l.Listener.(interface{ Addr() net.Addr }); ok {
		return n.Addr()
	}
	return nil
}
