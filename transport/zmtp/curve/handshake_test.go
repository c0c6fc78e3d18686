package curve

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// TestHandshake: the four commands have the names and sizes of RFC 26, each side learns the other's metadata and key,
// and nothing of the handshake is left in an exchange when that is over.
func TestHandshake(t *testing.T) {
	client, server, hello := pair(t)
	welcome := server.step(t, hello)
	secret := client.ex.(*clientExchange).secret
	initiate := client.step(t, welcome)
	ready, done, err := server.ex.Step(t.Context(), initiate)
	if !done || err != nil {
		t.Fatalf("done: %t, %v", done, err)
	}
	none, done, err := client.ex.Step(t.Context(), ready)
	if !done || err != nil || none.Name != "" {
		t.Fatalf("%q, done: %t, %v", none.Name, done, err)
	}
	for _, c := range []struct {
		command zmtp.Command
		name    string
		size    int // with the name and its length
	}{
		{hello, "HELLO", 200},
		{welcome, "WELCOME", 168},
		{initiate, "INITIATE", 257 + len(pushMetadata)},
		{ready, "READY", 30 + len(pullMetadata)},
	} {
		if n := 1 + len(c.command.Name) + len(c.command.Data); c.command.Name != c.name || n != c.size {
			t.Errorf("%s of %d bytes; want %s of %d", c.command.Name, n, c.name, c.size)
		}
	}
	if !bytes.Equal(client.metadata, pullMetadata) || !bytes.Equal(server.metadata, pushMetadata) {
		t.Errorf("metadata %q and %q", client.metadata, server.metadata)
	}
	mine, theirs := clientKey.Public(), serverKey.Public()
	if !slices.EqualFunc(server.asked, [][]byte{mine[:]}, bytes.Equal) ||
		!slices.EqualFunc(client.asked, [][]byte{theirs[:]}, bytes.Equal) {
		t.Errorf("credentials %x and %x", server.asked, client.asked)
	}
	c, s := client.ex.(*clientExchange), server.ex.(*serverExchange)
	if c.secret != nil || c.shared != nil || c.m != nil || c.local.Peer != nil || s.m != nil || s.local.Peer != nil {
		t.Errorf("left over: %+v and %+v", c, s)
	}
	if !secret.IsZero() {
		t.Error("the client's transient key was not wiped")
	}
	for _, s := range []*side{client, server} {
		for _, c := range []zmtp.Command{hello, welcome, initiate, ready} {
			if _, done, err := s.ex.Step(t.Context(), c); done || !errors.Is(err, zmtp.ErrMalformed) {
				t.Errorf("%s after the end: done %t, %v", c.Name, done, err)
			}
		}
	}
}

// TestServerHasNoKeyWhileItWaits: between WELCOME and INITIATE the server's transient key is in the cookie alone.
func TestServerHasNoKeyWhileItWaits(t *testing.T) {
	client, server, hello := pair(t)
	welcome := server.step(t, hello)
	_, cookie, err := openWelcome(welcome.Data, client.ex.(*clientExchange).shared)
	if err != nil {
		t.Fatal(err)
	}
	e := server.ex.(*serverExchange)
	want := serverExchange{m: e.m, local: e.local, greeted: true, received: 1, mark: [longNonceSize]byte(cookie)}
	if e.m != testServer || e.traffic != want.traffic || e.greeted != want.greeted || e.received != want.received ||
		e.mark != want.mark {
		t.Errorf("the exchange is %+v", e)
	}
}

// TestWhoComesIn: a server lets in whom its list and its authenticator both accept, tells others no more than a status,
// and does not ask the authenticator about a key that is not on the list.
func TestWhoComesIn(t *testing.T) {
	reason := errors.New("a reason of ours")
	list := make([]PublicKey, 20)
	for i := range list {
		list[i] = GenerateKey().Public()
	}
	for _, tt := range []struct {
		name    string
		allow   func(PublicKey) bool
		verdict error
		err     error
		told    string
		asked   bool
	}{
		{"anyone", Anyone, nil, nil, "", true},
		{"on a list of one", Allow(clientKey.Public()), nil, nil, "", true},
		{"on a long list", Allow(append(list, clientKey.Public())...), nil, nil, "", true},
		{"not on a long list", Allow(list...), nil, ErrNotAllowed, "400", false},
		{"on no list", Allow(), nil, ErrNotAllowed, "400", false},
		{"refused by the authenticator", Anyone, reason, reason, "400", true},
		{"refused for the authenticator's fault", Anyone, &zmtp.Denial{Status: 500, Err: reason}, reason, "500", true},
		{"not now", Anyone, &zmtp.Denial{Status: 300, Err: reason}, reason, "", true},
		{"refused with a status of success", Anyone, &zmtp.Denial{Status: 200, Err: reason}, reason, "500", true},
		{"an authenticator without time", Anyone, context.DeadlineExceeded, context.DeadlineExceeded, "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client, hello := newSide(t, Client(clientKey, serverKey.Public()), pushMetadata)
			server, _ := newSide(t, Server(serverKey, tt.allow), pullMetadata)
			server.verdict = tt.verdict
			send, done, err := server.ex.Step(t.Context(), client.step(t, server.step(t, hello)))
			if !errors.Is(err, tt.err) || done != (tt.err == nil) || (server.asked != nil) != tt.asked {
				t.Errorf("done: %t, asked %x, %v; want %v", done, server.asked, err, tt.err)
			}
			switch {
			case tt.err == nil && send.Name != zmtp.CommandReady, tt.err != nil && tt.told == "" && send.Name != "":
				t.Errorf("sent %q", send.Name)
			case tt.told != "":
				if why, err := zmtp.ParseError(send.Data); send.Name != zmtp.CommandError || why != tt.told || err != nil {
					t.Errorf("sent %q %q; want ERROR %q", send.Name, send.Data, tt.told)
				}
			}
		})
	}
}

// TestNothingToDecideBy: mechanisms that would let everybody in by mistake, or that lack a key, are refused before a
// byte is sent.
func TestNothingToDecideBy(t *testing.T) {
	asks := func(context.Context, zmtp.Claim) (zmtp.User, error) { return zmtp.User{}, nil }
	weak := PublicKey{1} // a point of small order
	noKey := []error{zmtp.ErrConfig, ErrKey}
	for _, tt := range []struct {
		name string
		cfg  zmtp.Config
		errs []error
	}{
		{"server without a list", zmtp.Config{Mechanism: Server(serverKey, nil)}, []error{zmtp.ErrConfig}},
		{"server with an authenticator", zmtp.Config{Mechanism: Server(serverKey, nil), Authenticate: asks}, nil},
		{"server with a list", zmtp.Config{Mechanism: Server(serverKey, Allow())}, nil},
		{"server without a key", zmtp.Config{Mechanism: Server(nil, Anyone)}, noKey},
		{"server with a zero key", zmtp.Config{Mechanism: Server(new(SecretKey), Anyone)}, noKey},
		{"client", zmtp.Config{Mechanism: Client(clientKey, serverKey.Public())}, nil},
		{"client without a key", zmtp.Config{Mechanism: Client(nil, serverKey.Public())}, noKey},
		{"client without a server", zmtp.Config{Mechanism: Client(clientKey, PublicKey{})}, noKey},
		{"client of a server without a secret", zmtp.Config{Mechanism: Client(clientKey, weak)}, noKey},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.cfg.SocketType = zmtp.Push
			rw := &script{}
			_, err := zmtp.Handshake(t.Context(), rw, tt.cfg)
			if sent := rw.out.Len() > 0; sent != (tt.errs == nil) {
				t.Errorf("bytes were sent: %t, %v", sent, err)
			}
			for _, want := range tt.errs {
				if !errors.Is(err, want) {
					t.Errorf("%v; want %v", err, want)
				}
			}
		})
	}
}

// TestWrongServer: a client comes to no end with a server that has another key, and shows it nothing.
func TestWrongServer(t *testing.T) {
	_, hello := newSide(t, Client(clientKey, otherKey.Public()), pushMetadata)
	server, _ := newSide(t, testServer, pullMetadata)
	server.refuses(t, hello)

	// A server that answers all the same, with its own key.
	client, hello := newSide(t, Client(clientKey, otherKey.Public()), pushMetadata)
	k, err := agree(serverKey, hello.Data[helloClient:helloNumber])
	if err != nil {
		t.Fatal(err)
	}
	transient := GenerateKey().Public()
	client.refuses(t, zmtp.Command{Name: "WELCOME", Data: appendWelcome(nil, &transient, make([]byte, cookieSize), k)})
}

// TestClientTo: one client mechanism goes to several servers by their keys.
func TestClientTo(t *testing.T) {
	general := Client(clientKey, PublicKey{})
	m := general.To(serverKey.Public())
	if m.Server() != serverKey.Public() || !general.Server().IsZero() || m.Public() != clientKey.Public() {
		t.Errorf("to %v, in general %v", m.Server(), general.Server())
	}
	client, hello := newSide(t, m, pushMetadata)
	server, _ := newSide(t, testServer, pullMetadata)
	client.step(t, server.step(t, client.step(t, server.step(t, hello))))
}
