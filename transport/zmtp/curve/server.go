package curve

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// A ServerMechanism is CURVE for the end that decides who comes in.
type ServerMechanism struct {
	key    func() *SecretKey // a function, since whatever holds it may be printed
	public PublicKey
	allow  func(PublicKey) bool
	jar    *cookieJar
}

// Server is CURVE for a server with a key by which clients know it. allow says which clients may come in, by their
// public keys, which they have proven to have the secret ones of: [Allow] makes one of a list, [Anyone] lets everybody
// in. It is called for each connection, for several at once, and should not wait; after it [zmtp.Config].Authenticate
// is asked, which may. A nil allow leaves the decision to that alone. A handshake fails, before a byte is sent, with an
// error that wraps ErrConfig if there is nobody to decide, and ErrKey too if the key is missing. The key must not be
// wiped while the mechanism is in use.
//
// A client that may not come in gets ERROR 400 and nothing else; the error of our side wraps ErrNotAllowed.
//
// All sockets of a server may share one mechanism. While clients come it has a timer running, once in 30 seconds, that
// changes the key of its cookies.
func Server(mine *SecretKey, allow func(PublicKey) bool) *ServerMechanism {
	m := &ServerMechanism{key: func() *SecretKey { return mine }, allow: allow, jar: new(cookieJar)}
	if !mine.IsZero() {
		m.public = mine.Public()
	}
	return m
}

// Allow lets in the clients with one of the given public keys, and nobody if there are none.
func Allow(clients ...PublicKey) func(PublicKey) bool {
	clients = slices.Clone(clients)
	if len(clients) <= 8 {
		return func(k PublicKey) bool { return slices.Contains(clients, k) }
	}
	set := make(map[PublicKey]struct{}, len(clients))
	for _, k := range clients {
		set[k] = struct{}{}
	}
	return func(k PublicKey) bool { _, ok := set[k]; return ok }
}

// Anyone lets every client in: what they say and hear is encrypted, and they are sure of the server, but anybody can be
// a client.
func Anyone(PublicKey) bool { return true }

// Public is the server's public key, for its clients.
func (m *ServerMechanism) Public() PublicKey { return m.public }

// Name implements [zmtp.Mechanism].
func (*ServerMechanism) Name() string { return mechanism }

// AsServer implements [zmtp.Mechanism].
func (*ServerMechanism) AsServer() bool { return true }

// New implements [zmtp.Mechanism].
func (m *ServerMechanism) New(local zmtp.Local) (zmtp.Exchange, zmtp.Command, error) {
	if m.public.IsZero() {
		return nil, zmtp.Command{}, fmt.Errorf("curve: %w: %w: a server without a key", zmtp.ErrConfig, ErrKey)
	}
	if m.allow == nil && !local.Asks {
		return nil, zmtp.Command{}, fmt.Errorf("curve: %w: a server with nobody to say which clients may come in",
			zmtp.ErrConfig)
	}
	return &serverExchange{m: m, local: local}, zmtp.Command{}, nil
}

// A serverExchange is a server's side of a connection. Between WELCOME and INITIATE it has no key. Of the handshake
// nothing is left in it when that is over.
type serverExchange struct {
	traffic
	m        *ServerMechanism // nil when the handshake is over
	local    zmtp.Local
	greeted  bool                // HELLO has come
	received uint64              // number of the client's last command
	mark     [longNonceSize]byte // of the cookie that WELCOME took along
}

// Step implements [zmtp.Exchange]: HELLO comes, then INITIATE.
func (e *serverExchange) Step(ctx context.Context, c zmtp.Command) (send zmtp.Command, done bool, err error) {
	switch {
	case e.m == nil:
		err = malformed("handshake", "the command is %.64q after the end", c.Name)
	case c.Name == zmtp.CommandHello && !e.greeted:
		send, err = e.helloed(c.Data)
	case c.Name == zmtp.CommandInitiate && e.greeted:
		done = true
		send, err = e.initiated(ctx, c.Data)
	default:
		err = malformed("handshake", "the command is %.64q; want HELLO, then INITIATE", c.Name)
	}
	if err != nil || done {
		e.m, e.local = nil, zmtp.Local{}
	}
	return send, done && err == nil, err
}

// helloed takes the data of HELLO and makes WELCOME. The transient secret key is in the cookie alone after that.
func (e *serverExchange) helloed(data []byte) (zmtp.Command, error) {
	client, number, k, err := openHello(data, e.m.key())
	if err != nil {
		return zmtp.Command{}, err
	}
	defer k.wipe()
	secret := GenerateKey()
	defer secret.Wipe()
	transient := secret.Public()
	cookie := e.m.jar.seal(nil, &client, secret)
	e.greeted, e.received = true, number
	copy(e.mark[:], cookie)
	return zmtp.Command{Name: zmtp.CommandWelcome, Data: appendWelcome(nil, &transient, cookie, k)}, nil
}

// initiated takes the data of INITIATE and makes READY.
func (e *serverExchange) initiated(ctx context.Context, data []byte) (zmtp.Command, error) {
	shared, client, metadata, err := e.proven(data)
	if err != nil {
		return zmtp.Command{}, err
	}
	defer shared.wipe()
	if e.m.allow != nil && !e.m.allow(client) {
		err := fmt.Errorf("curve: %w: %v", ErrNotAllowed, client)
		return refuse(err), err
	}
	if err := e.local.Peer(ctx, metadata); err != nil {
		return zmtp.Command{}, err
	}
	if err := e.local.Authenticate(ctx, client[:]); err != nil {
		return refuse(err), err
	}
	const number = 1 // of READY, our first command that has one
	ready := appendReady(nil, number, e.local.Metadata, shared)
	e.begin(shared, true, e.received, number)
	return zmtp.Command{Name: zmtp.CommandReady, Data: ready}, nil
}

// proven opens INITIATE. It returns what C' and S' share, and the permanent key that the client has proven to have.
func (e *serverExchange) proven(data []byte) (shared *sharedKey, client PublicKey, metadata []byte, err error) {
	cookie, number, box, err := splitInitiate(data)
	if err != nil {
		return nil, client, nil, err
	}
	if n := binary.BigEndian.Uint64(number); n <= e.received {
		return nil, client, nil, malformed("INITIATE", "number %d after %d; want a higher one", n, e.received)
	}
	transient, secret, ok := e.m.jar.open(cookie, &e.mark)
	if !ok {
		return nil, client, nil, malformed("INITIATE", "the cookie is not the one that we sent, or too old")
	}
	defer secret.Wipe()
	if shared, err = agree(secret, transient[:]); err != nil {
		return nil, client, nil, malformed("INITIATE", "%v", err)
	}
	client, vouch, metadata, err := openInitiate(box, number, shared)
	if err != nil {
		return nil, client, nil, err
	}
	vouching, err := agree(secret, client[:])
	if err != nil {
		return nil, client, nil, malformed("INITIATE", "%v", err)
	}
	defer vouching.wipe()
	if err := checkVouch(vouch, &transient, &e.m.public, vouching); err != nil {
		return nil, client, nil, err
	}
	e.received = binary.BigEndian.Uint64(number)
	return shared, client, metadata, nil
}
