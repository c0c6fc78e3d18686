package zmtp

import (
	"bytes"
	"context"
	"errors"
)

// mechanismPlain is the name of the mechanism with a user and a password.
const mechanismPlain = "PLAIN"

// Names of the commands of PLAIN and CURVE.
const (
	CommandHello    = "HELLO"
	CommandWelcome  = "WELCOME"
	CommandInitiate = "INITIATE"
)

// The PLAIN mechanism (RFC 24 as libzmq speaks it): a client shows a user name and a password, and a server says
// whether they are good. Nothing is encrypted, the password neither, and the server proves nothing.
//
//	client                                server
//	HELLO     user and password      →
//	                                 ←    WELCOME, or ERROR
//	INITIATE  metadata               →
//	                                 ←    READY  metadata
//
// HELLO has this data; WELCOME has none, that of INITIATE and READY is metadata ([AppendMetadata]):
//
//	1    length of the user name, n
//	n    user name
//	1    length of the password, m
//	m    password

// PlainClient is PLAIN for the end that shows a user name and a password, of 0 to 255 bytes each; with a longer one
// every handshake fails with ErrConfig. They travel as they are: use it where nobody listens, over ipc or inside a
// tunnel.
func PlainClient(user, password string) Mechanism {
	return plainClient{user, func() string { return password }}
}

type plainClient struct {
	user     string
	password func() string // a function, since whatever holds it may be printed
}

func (plainClient) Name() string   { return mechanismPlain }
func (plainClient) AsServer() bool { return false }

func (m plainClient) New(local Local) (Exchange, Command, error) {
	password := m.password()
	if len(m.user) > maxShortString || len(password) > maxShortString {
		return nil, Command{}, fail("PLAIN", ErrConfig, "user name of %d bytes, password of %d; want at most %d each",
			len(m.user), len(password), maxShortString)
	}
	hello := append([]byte{byte(len(m.user))}, m.user...)
	hello = append(append(hello, byte(len(password))), password...)
	return &plainClientExchange{local: local}, Command{CommandHello, hello}, nil
}

type plainClientExchange struct {
	local    Local
	welcomed bool
}

// Step takes the server's WELCOME, then its READY.
func (e *plainClientExchange) Step(ctx context.Context, c Command) (Command, bool, error) {
	switch {
	case c.Name == CommandWelcome && !e.welcomed:
		if len(c.Data) > 0 {
			return Command{}, false, fail("WELCOME", ErrMalformed, "%d bytes of data; want none", len(c.Data))
		}
		e.welcomed = true
		return Command{CommandInitiate, e.local.Metadata}, false, nil
	case c.Name == CommandReady && e.welcomed:
		if err := e.local.Peer(ctx, c.Data); err != nil {
			return Command{}, false, err
		}
		return Command{}, true, e.local.Authenticate(ctx)
	}
	return Command{}, false, plainUnexpected(c, e.welcomed, CommandWelcome, CommandReady)
}

// PlainServer is PLAIN for the end that decides who comes in, by [Config.Authenticate], which is given user name and
// password as the [Claim]'s credentials. Without an authenticator every handshake fails with ErrConfig: there is
// nobody to look at the password. A client that is refused gets an ERROR ([Refusal]).
func PlainServer() Mechanism { return plainServer{} }

type plainServer struct{}

func (plainServer) Name() string   { return mechanismPlain }
func (plainServer) AsServer() bool { return true }

func (plainServer) New(local Local) (Exchange, Command, error) {
	if !local.Asks {
		return nil, Command{}, fail("PLAIN", ErrConfig, "a server without an authenticator would let everybody in")
	}
	return &plainServerExchange{local: local}, Command{}, nil
}

type plainServerExchange struct {
	local    Local
	welcomed bool
}

// Step takes the client's HELLO, then its INITIATE.
func (e *plainServerExchange) Step(ctx context.Context, c Command) (Command, bool, error) {
	switch {
	case c.Name == CommandHello && !e.welcomed:
		user, password, err := parsePlainHello(c.Data)
		if err != nil {
			return Command{}, false, err
		}
		if err := e.local.Authenticate(ctx, user, password); err != nil {
			return Refusal(err), false, err
		}
		e.welcomed = true
		return Command{CommandWelcome, nil}, false, nil
	case c.Name == CommandInitiate && e.welcomed:
		if err := e.local.Peer(ctx, c.Data); errors.Is(err, ErrDenied) { // by [Config.Confirm]
			return Refusal(err), false, err
		} else if err != nil {
			return Command{}, false, err
		}
		return Command{CommandReady, e.local.Metadata}, true, nil
	}
	return Command{}, false, plainUnexpected(c, e.welcomed, CommandHello, CommandInitiate)
}

// parsePlainHello splits the data of a HELLO. What it returns points into data.
func parsePlainHello(data []byte) (user, password []byte, err error) {
	user, rest, ok := cutShortString(data)
	if ok {
		password, rest, ok = cutShortString(rest)
	}
	if !ok || len(rest) > 0 {
		return nil, nil, fail("HELLO", ErrMalformed, "%d bytes; want a user name and a password, each behind its length",
			len(data))
	}
	return user, password, nil
}

// plainMisspelt returns the data of an ERROR as libzmq sends it with PLAIN since 4.3.0: its source has the name as
// "\x05ERROR", where C takes the E for another digit of the length, and so it says "^RROR". Its clients know that name
// alone: one that gets our ERROR ends as well, but reports a protocol error and not a refusal.
func plainMisspelt(body []byte) (data []byte, ok bool) { return bytes.CutPrefix(body, []byte("^RROR")) }

// cutShortString splits a string with a one-byte length off b.
func cutShortString(b []byte) (s, rest []byte, ok bool) {
	if len(b) == 0 || int(b[0]) > len(b)-1 {
		return nil, nil, false
	}
	n := 1 + int(b[0])
	return b[1:n:n], b[n:], true
}

func plainUnexpected(c Command, welcomed bool, first, second string) error {
	want := first
	if welcomed {
		want = second
	}
	return fail("PLAIN", ErrMalformed, "the command is %.64q; want %s", c.Name, want)
}
