package curve

import (
	"context"
	"fmt"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// mechanism is the name of CURVE in a greeting.
const mechanism = "CURVE"

// A ClientMechanism is CURVE for the end that knows which server it wants.
type ClientMechanism struct {
	key    func() *SecretKey // a function, since whatever holds it may be printed
	public PublicKey
	server PublicKey
}

// Client is CURVE for a client with a key of its own, by which servers know it, towards the server with the given key;
// the zero key leaves that to [ClientMechanism.To] or, for sockets that package discovery connects, to the key in each
// server's record if that has a proof. A handshake fails, before a byte is sent, with an error that wraps
// ErrConfig and ErrKey if either key is missing. The key must not be wiped while the mechanism is in use.
func Client(mine *SecretKey, server PublicKey) *ClientMechanism {
	m := &ClientMechanism{key: func() *SecretKey { return mine }, server: server}
	if !mine.IsZero() {
		m.public = mine.Public()
	}
	return m
}

// To is the same client towards another server.
func (m *ClientMechanism) To(server PublicKey) *ClientMechanism {
	other := *m
	other.server = server
	return &other
}

// Public is the client's own public key.
func (m *ClientMechanism) Public() PublicKey { return m.public }

// Server is the key of the server that the client wants.
func (m *ClientMechanism) Server() PublicKey { return m.server }

// NeedsServerKey implements [zmtp.ServerKeyed].
func (m *ClientMechanism) NeedsServerKey() bool { return m.server.IsZero() }

// WithServerKey implements [zmtp.ServerKeyed]: it is To for a key in Z85. The error matches ErrKey.
func (m *ClientMechanism) WithServerKey(text string) (zmtp.Mechanism, error) {
	key, err := ParsePublicKey(text)
	if err != nil {
		return nil, err
	}
	return m.To(key), nil
}

// Name implements [zmtp.Mechanism].
func (*ClientMechanism) Name() string { return mechanism }

// AsServer implements [zmtp.Mechanism].
func (*ClientMechanism) AsServer() bool { return false }

// New implements [zmtp.Mechanism]. The HELLO it returns has a new transient key.
func (m *ClientMechanism) New(local zmtp.Local) (zmtp.Exchange, zmtp.Command, error) {
	if m.public.IsZero() {
		return nil, zmtp.Command{}, fmt.Errorf("curve: %w: %w: a client without a key", zmtp.ErrConfig, ErrKey)
	}
	if m.server.IsZero() {
		return nil, zmtp.Command{}, fmt.Errorf("curve: %w: %w: a client without the server's key", zmtp.ErrConfig, ErrKey)
	}
	e := &clientExchange{m: m, local: local, secret: GenerateKey()}
	e.transient = e.secret.Public()
	k, err := agree(e.secret, m.server[:])
	if err != nil {
		return nil, zmtp.Command{}, fmt.Errorf("curve: %w: %w: the server's: %w", zmtp.ErrConfig, ErrKey, err)
	}
	e.shared = k
	e.sent++
	hello := appendHello(make([]byte, 0, helloSize), &e.transient, e.sent, k)
	return e, zmtp.Command{Name: zmtp.CommandHello, Data: hello}, nil
}

// A clientExchange is a client's side of a connection. Of the handshake nothing is left in it when that is over.
type clientExchange struct {
	traffic
	m         *ClientMechanism
	local     zmtp.Local
	secret    *SecretKey // c'; nil once INITIATE has been made
	transient PublicKey  // C'
	shared    *sharedKey // what C' and S share, then C' and S'; nil when the handshake is over
	sent      uint64     // number of our last command
}

// Step implements [zmtp.Exchange]: WELCOME comes, then READY.
func (e *clientExchange) Step(ctx context.Context, c zmtp.Command) (send zmtp.Command, done bool, err error) {
	switch {
	case e.shared == nil:
		err = malformed("handshake", "the command is %.64q after the end", c.Name)
	case c.Name == zmtp.CommandWelcome && e.secret != nil:
		send, err = e.welcomed(c.Data)
	case c.Name == zmtp.CommandReady && e.secret == nil:
		done = true
		err = e.readied(ctx, c.Data)
	default:
		err = malformed("handshake", "the command is %.64q; want WELCOME, then READY", c.Name)
	}
	if err != nil || done {
		e.end()
	}
	return send, done && err == nil, err
}

// welcomed takes the data of WELCOME and makes INITIATE. c' is of no use after that.
func (e *clientExchange) welcomed(data []byte) (zmtp.Command, error) {
	server, cookie, err := openWelcome(data, e.shared)
	if err != nil {
		return zmtp.Command{}, err
	}
	vouching, err := agree(e.m.key(), server[:])
	if err != nil {
		return zmtp.Command{}, malformed("WELCOME", "%v", err)
	}
	defer vouching.wipe()
	shared, err := agree(e.secret, server[:])
	if err != nil {
		return zmtp.Command{}, malformed("WELCOME", "%v", err)
	}
	e.shared.wipe()
	e.shared = shared
	e.secret.Wipe()
	e.secret = nil
	e.sent++
	i := initiation{
		cookie:   cookie,
		number:   e.sent,
		key:      e.m.public,
		vouch:    appendVouch(nil, &e.transient, &e.m.server, vouching),
		metadata: e.local.Metadata,
	}
	return zmtp.Command{Name: zmtp.CommandInitiate, Data: i.append(nil, shared)}, nil
}

// readied takes the data of READY.
func (e *clientExchange) readied(ctx context.Context, data []byte) error {
	number, metadata, err := openReady(data, e.shared)
	if err != nil {
		return err
	}
	if err := e.local.Peer(ctx, metadata); err != nil {
		return err
	}
	if err := e.local.Authenticate(ctx, e.m.server[:]); err != nil {
		return err
	}
	e.begin(e.shared, false, number, e.sent)
	return nil
}

// end wipes what the handshake had, and forgets the rest of it.
func (e *clientExchange) end() {
	if e.secret != nil {
		e.secret.Wipe()
	}
	if e.shared != nil {
		e.shared.wipe()
	}
	e.m, e.local, e.secret, e.shared = nil, zmtp.Local{}, nil, nil
}
