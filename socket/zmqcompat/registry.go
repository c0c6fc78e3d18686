package zmqcompat

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"

	zmqtransport "github.com/go-zeromq/zmq4/transport"

	"github.com/yodel-mq/yodel/transport"
)

// registry holds the transports that were registered, for the whole process, as the original's does.
var registry struct {
	mu sync.RWMutex
	db map[string]transport.Transport
}

// builtin are the schemes every socket has.
var builtin = []string{"inproc", "ipc", "tcp"}

// RegisterTransport adds a transport made for the original. Sockets have the transports that were registered before
// their first use. It returns an error if there is one by that name already, or the name cannot be the scheme of an
// endpoint. New code uses socket.WithTransport, which adds a transport to one socket.
func RegisterTransport(name string, trans zmqtransport.Transport) error {
	scheme := strings.ToLower(name)
	if _, err := transport.ParseEndpoint(scheme + "://x"); err != nil {
		return fmt.Errorf("zmqcompat: register transport %q: %w", name, err)
	}
	registry.mu.Lock()
	defer registry.mu.Unlock()
	if _, taken := registry.db[scheme]; taken || slices.Contains(builtin, scheme) {
		return fmt.Errorf("zmqcompat: register transport %q: there is one already; choose another name", name)
	}
	if registry.db == nil {
		registry.db = make(map[string]transport.Transport)
	}
	registry.db[scheme] = foreign{scheme, trans}
	return nil
}

// Transports lists the schemes there are, sorted: inproc, ipc, tcp and what was registered. (The original also lists
// udp, which cannot work.)
func Transports() []string {
	registry.mu.RLock()
	defer registry.mu.RUnlock()
	return slices.Sorted(slices.Values(slices.AppendSeq(slices.Clone(builtin), maps.Keys(registry.db))))
}

func registered() []transport.Transport {
	registry.mu.RLock()
	defer registry.mu.RUnlock()
	return slices.Collect(maps.Values(registry.db))
}

// foreign is a transport made for the original.
type foreign struct {
	scheme string
	zmqtransport.Transport
}

func (f foreign) Scheme() string { return f.scheme }

func (f foreign) Validate(address string, _ transport.Use) error {
	_, err := f.Addr(address)
	return err
}

func (f foreign) Dial(ctx context.Context, address string) (net.Conn, error) {
	addr, err := f.Addr(address)
	if err != nil {
		return nil, err
	}
	conn, err := f.Transport.Dial(ctx, &net.Dialer{}, addr)
	if err == nil && conn == nil {
		err = errors.New("the transport gave no connection")
	}
	return conn, err
}

func (f foreign) Listen(ctx context.Context, address string) (transport.Listener, error) {
	addr, err := f.Addr(address)
	if err != nil {
		return nil, err
	}
	ln, err := f.Transport.Listen(ctx, addr)
	switch {
	case err != nil:
		return nil, err
	case ln == nil:
		return nil, errors.New("the transport gave no listener")
	}
	return foreignListener{ln}, nil
}

// foreignListener is a listener of such a transport.
type foreignListener struct{ net.Listener }

func (l foreignListener) Address() string { return l.Addr().String() }
