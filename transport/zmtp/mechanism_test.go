package zmtp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"testing"
	"testing/synctest"
)

// A toy is a mechanism of two steps, with the order of commands that PLAIN and CURVE have: HELLO with a password,
// WELCOME, INITIATE with the client's metadata, READY with the server's. It encrypts nothing, but says it does.
type toy struct {
	server   bool
	password string
	lazy     bool // lets everybody in without asking
}

func (toy) Name() string     { return "TOY" }
func (m toy) AsServer() bool { return m.server }

func (m toy) New(local Local) (Exchange, Command, error) {
	if m.password == "" {
		return nil, Command{}, fail("toy", ErrConfig, "no password")
	}
	if m.server {
		return &toyServer{toy: m, local: local}, Command{}, nil
	}
	return &toyClient{toy: m, local: local}, Command{"HELLO", []byte(m.password)}, nil
}

type toyClient struct {
	toy
	toyOpener
	local    Local
	welcomed bool
}

func (c *toyClient) Step(ctx context.Context, got Command) (Command, bool, error) {
	switch {
	case got.Name == "WELCOME" && !c.welcomed:
		c.welcomed = true
		return Command{"INITIATE", c.local.Metadata}, false, nil
	case got.Name == CommandReady && c.welcomed:
		err := c.local.Peer(ctx, got.Data)
		if err == nil && !c.lazy {
			err = c.local.Authenticate(ctx)
		}
		return Command{}, err == nil, err
	}
	return Command{}, false, fail("toy", ErrMalformed, "%.64q is out of order", got.Name)
}

type toyServer struct {
	toy
	toyOpener
	local   Local
	helloed bool
}

func (c *toyServer) Step(ctx context.Context, got Command) (Command, bool, error) {
	switch {
	case got.Name == "HELLO" && !c.helloed:
		c.helloed = true
		if !c.lazy {
			if err := c.local.Authenticate(ctx, []byte("somebody"), got.Data); err != nil {
				return Command{CommandError, []byte("\x03400")}, false, err
			}
		}
		return Command{"WELCOME", nil}, false, nil
	case got.Name == "INITIATE" && c.helloed:
		if err := c.local.Peer(ctx, got.Data); err != nil {
			return Command{}, false, err
		}
		return Command{CommandReady, c.local.Metadata}, true, nil
	}
	return Command{}, false, fail("toy", ErrMalformed, "%.64q is out of order", got.Name)
}

var errBadPassword = errors.New("bad password")

// checkPassword is the authenticator of a toy's server.
func checkPassword(_ context.Context, c Claim) (User, error) {
	if c.Mechanism != "TOY" || len(c.Credentials) != 2 || c.Peer != nil {
		return User{}, fmt.Errorf("an unexpected claim: %+v", c)
	}
	if string(c.Credentials[1]) != "sesame" {
		return User{}, errBadPassword
	}
	return User{ID: string(c.Credentials[0]), Metadata: Metadata{{"X-Role", []byte("admin")}}}, nil
}

// TestNullSteps: what each side of NULL says to each command, and when it is done.
func TestNullSteps(t *testing.T) {
	refused := errors.New("refused")
	ours := Metadata{{PropertySocketType, []byte("ROUTER")}, {PropertyIdentity, nil}}
	encoded := AppendMetadata(nil, ours)
	theirs := readyDealer[8:]
	for _, tt := range []struct {
		name  string
		cfg   Config
		in    Command
		first bool // our READY goes first
		send  bool // it goes now
		done  bool
		err   error
	}{
		{"READY", Config{}, Command{CommandReady, theirs}, true, false, true, nil},
		{"READY of another type", Config{}, Command{CommandReady, nil}, true, false, false, ErrSocketType},
		{"malformed READY", Config{}, Command{CommandReady, []byte{1}}, true, false, false, ErrMalformed},
		{"HELLO", Config{}, Command{"HELLO", nil}, true, false, false, ErrMalformed},
		{"no name", Config{}, Command{}, true, false, false, ErrMalformed},
		{
			"admitted",
			Config{Admit: func(*Session) error { return nil }},
			Command{CommandReady, theirs},
			false, true, true,
			nil,
		},
		{
			"not admitted",
			Config{Admit: func(*Session) error { return refused }},
			Command{CommandReady, theirs},
			false, false,
			false, refused,
		},
		{
			"another type, to be admitted",
			Config{Admit: func(*Session) error { return nil }},
			Command{CommandReady, nil},
			false, true, false, ErrSocketType,
		},
		{
			"admitted, to be authenticated",
			Config{
				Admit: func(*Session) error { return nil },
				Authenticate: func(_ context.Context, c Claim) (User, error) {
					if c.Peer.PeerType != Dealer {
						return User{}, fmt.Errorf("an unexpected claim: %+v", c)
					}
					return User{}, nil
				},
			},
			Command{CommandReady, theirs},
			false, true, true,
			nil,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.cfg.SocketType = Router
			n, err := newNegotiation(tt.cfg)
			wantError(t, err, nil)
			wantError(t, n.greeted(Greeting{Version: v31, Mechanism: "NULL"}), nil)
			check := func(what string, c Command, want bool) {
				if want && (c.Name != CommandReady || !bytes.Equal(c.Data, encoded)) || !want && c.Name != "" {
					t.Errorf("%s: sent %q %q", what, c.Name, c.Data)
				}
			}
			check("first", n.first, tt.first)
			send, done, err := n.ex.Step(t.Context(), tt.in)
			if !errors.Is(err, tt.err) || done != tt.done {
				t.Errorf("done: %t, %v; want %t, %v", done, err, tt.done, tt.err)
			}
			check("then", send, tt.send)
		})
	}
}

// TestMechanismBytes: a mechanism of several steps, byte for byte, from either side.
func TestMechanismBytes(t *testing.T) {
	greet := func(server bool) []byte { return AppendGreeting(nil, Greeting{Mechanism: "TOY", AsServer: server}) }
	push := AppendMetadata(nil, Metadata{{PropertySocketType, []byte("PUSH")}})
	pull := AppendMetadata(nil, Metadata{{PropertySocketType, []byte("PULL")}})
	hello := wire("04 0C 05 'HELLO' 'sesame'")
	welcome := wire("04 08 07 'WELCOME'")
	initiate := join(wire("04 1D 08 'INITIATE'"), push)
	ready := join(wire("04 1A 05 'READY'"), pull)
	client := Config{SocketType: Push, Mechanism: toy{password: "sesame"}}
	server := Config{SocketType: Pull, Mechanism: toy{password: "sesame", server: true}, Authenticate: checkPassword}
	for _, tt := range []struct {
		name string
		cfg  Config
		in   []byte
		out  []byte
		err  error
	}{
		{"client", client, join(greet(true), welcome, ready), join(greet(false), hello, initiate), nil},
		{"server", server, join(greet(false), hello, initiate), join(greet(true), welcome, ready), nil},
		{"client of a NULL peer", client, greetingNull, greet(false), ErrMechanism},
		{"two servers", server, greet(true), greet(true), ErrMechanism},
		{"two clients", client, join(greet(false), hello), join(greet(false), hello), ErrMalformed},
		{"client that is refused", client, join(greet(true), AppendError(nil, "400")), join(greet(false), hello), ErrRefused},
		{
			"client that is refused late", client, join(greet(true), welcome, AppendError(nil, "400")),
			join(greet(false), hello, initiate), ErrRefused,
		},
		{"READY too early", client, join(greet(true), ready), join(greet(false), hello), ErrMalformed},
		{"WELCOME twice", client, join(greet(true), welcome, welcome), join(greet(false), hello, initiate), ErrMalformed},
		{
			"a message too early", client, join(greet(true), welcome, wire("00 01 41")), join(greet(false), hello, initiate),
			ErrMalformed,
		},
		{
			"a command over the limit", client, join(greet(true), wire("06 00 00 00 00 00 00 10 01")), join(greet(false), hello),
			ErrTooLarge,
		},
		{"the end", client, join(greet(true), welcome), join(greet(false), hello, initiate), io.ErrUnexpectedEOF},
		{
			"wrong password", server, join(greet(false), wire("04 09 05 'HELLO' 'bad'")),
			join(greet(true), AppendError(nil, "400")), errBadPassword,
		},
		{"INITIATE without HELLO", server, join(greet(false), initiate), greet(true), ErrMalformed},
		{
			"incompatible type", server, join(greet(false), hello, wire("04 1D 08 'INITIATE'"), pull),
			join(greet(true), welcome), ErrSocketType,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, size := range []int{1 << 16, 1} {
				traffic := wire("00 02 'hi'")
				in := bytes.NewReader(tt.in)
				if tt.err == nil {
					in = bytes.NewReader(join(tt.in, traffic))
				}
				c := &script{in: pieces{in, size}}
				s, err := Handshake(t.Context(), c, tt.cfg)
				wantError(t, err, tt.err)
				wantBytes(t, c.out, tt.out)
				if err != nil {
					continue
				}
				left, _ := io.ReadAll(in)
				wantBytes(t, join(s.Rest, left), traffic)
				if s.Mechanism != "TOY" || !tt.cfg.SocketType.Accepts(s.PeerType) || s.Opener == nil {
					t.Errorf("session %+v", s)
				}
				if _, ok := s.User.Metadata.Get("X-Role"); tt.cfg.Mechanism.AsServer() && (s.User.ID != "somebody" || !ok) {
					t.Errorf("user %+v", s.User)
				}
			}
		})
	}
}

// TestMechanismConfig: a mechanism that cannot be used is refused before a byte is sent.
func TestMechanismConfig(t *testing.T) {
	for _, tt := range []struct {
		name string
		m    Mechanism
	}{
		{"of its own account", toy{}},
		{"no name", named("")},
		{"a name too long", named("A23456789012345678901")},
		{"a name in lower case", named("null")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := &script{in: bytes.NewReader(nil)}
			_, err := Handshake(t.Context(), c, Config{SocketType: Pull, Mechanism: tt.m})
			wantError(t, err, ErrConfig)
			if len(c.out) > 0 {
				t.Errorf("%d bytes were sent all the same", len(c.out))
			}
		})
	}
}

// named is NULL under another name.
type named string

func (n named) Name() string                                    { return string(n) }
func (named) AsServer() bool                                    { return false }
func (named) New(local Local) (ex Exchange, c Command, e error) { return Null.New(local) }

// TestMechanismMustAsk: one that ends without having asked who may come in lets nobody in.
func TestMechanismMustAsk(t *testing.T) {
	a, b := overConduit(t,
		Config{SocketType: Push, Mechanism: toy{password: "bad", lazy: true}},
		Config{SocketType: Pull, Mechanism: toy{password: "bad", lazy: true, server: true}, Authenticate: checkPassword})
	for _, r := range []result{a, b} {
		if !errors.Is(r.err, errShort) || r.s != nil {
			t.Errorf("got %+v, %v; want %v", r.s, r.err, errShort)
		}
	}
}

// TestMechanismPairs: the same two ends come to the same result over a pipe, over TCP and without bytes.
func TestMechanismPairs(t *testing.T) {
	good := toy{password: "sesame"}
	bad := toy{password: "guess"}
	server := toy{password: "sesame", server: true}
	for _, tt := range []struct {
		name   string
		a, b   Config // the client first
		aErr   error
		bErr   error
		userOf string
	}{
		{
			"let in",
			Config{SocketType: Dealer, Identity: []byte("me"), Mechanism: good},
			Config{SocketType: Router, Mechanism: server, Authenticate: checkPassword},
			nil, nil, "somebody",
		},
		{
			"refused",
			Config{SocketType: Dealer, Mechanism: bad},
			Config{SocketType: Router, Mechanism: server, Authenticate: checkPassword},
			ErrRefused, errBadPassword, "",
		},
		{"NULL", Config{SocketType: Dealer, Identity: []byte("me")}, Config{SocketType: Router}, nil, nil, ""},
		{"NULL that asks", Config{SocketType: Dealer, Identity: []byte("me")}, Config{
			SocketType: Router,
			Authenticate: func(_ context.Context, c Claim) (User, error) {
				if c.Peer != nil {
					return User{}, errAny
				}
				return User{ID: "anybody"}, nil
			},
		}, nil, nil, "anybody"},
		{
			"different",
			Config{SocketType: Dealer},
			Config{SocketType: Router, Mechanism: server},
			ErrMechanism, ErrMechanism,
			"",
		},
	} {
		for _, way := range []struct {
			name string
			run  func(t *testing.T, a, b Config) (ra, rb result)
		}{{"pipe", both}, {"tcp", overTCP}, {"no bytes", overConduit}} {
			t.Run(tt.name+", "+way.name, func(t *testing.T) {
				ra, rb := way.run(t, tt.a, tt.b)
				wantError(t, ra.err, tt.aErr)
				wantError(t, rb.err, tt.bErr)
				if tt.aErr != nil {
					return
				}
				if ra.s.PeerType != Router || rb.s.PeerType != Dealer || string(rb.s.Identity) != string(tt.a.Identity) {
					t.Errorf("sessions %+v and %+v", ra.s, rb.s)
				}
				if rb.s.User.ID != tt.userOf || ra.s.Version != v31 || ra.s.Mechanism != rb.s.Mechanism {
					t.Errorf("user %q, sessions %+v and %+v", rb.s.User.ID, ra.s, rb.s)
				}
			})
		}
	}
}

func overTCP(t *testing.T, a, b Config) (ra, rb result) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	wantError(t, err, nil)
	defer l.Close()
	ca, err := new(net.Dialer).DialContext(t.Context(), "tcp", l.Addr().String())
	wantError(t, err, nil)
	defer ca.Close()
	cb, err := l.Accept()
	wantError(t, err, nil)
	defer cb.Close()
	da, db := shake(ca, a), shake(cb, b)
	return <-da, <-db
}

// A mailbox is one side's end of a conduit without bytes.
type mailbox struct {
	in, out chan Command
	gone    chan struct{} // the peer has ended
}

func (m mailbox) Send(ctx context.Context, c Command) error {
	select {
	case m.out <- c:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (m mailbox) Receive(ctx context.Context) (Command, error) {
	select {
	case c := <-m.in:
		return c, nil
	case <-ctx.Done():
		return Command{}, ctx.Err()
	case <-m.gone:
	}
	select {
	case c := <-m.in:
		return c, nil
	default:
		return Command{}, io.ErrUnexpectedEOF
	}
}

// greeting is what a handshake with cfg shows first.
func greeting(cfg Config) Greeting {
	n, err := newNegotiation(cfg)
	if err != nil {
		panic(err)
	}
	return n.greeting()
}

// meet is what tells a Negotiate that its peer has cfg.
func meet(cfg Config) func(context.Context, Greeting) (Greeting, error) {
	return func(context.Context, Greeting) (Greeting, error) { return greeting(cfg), nil }
}

func overConduit(t *testing.T, a, b Config) (ra, rb result) {
	t.Helper()
	ab, ba := make(chan Command, 2), make(chan Command, 2)
	aGone, bGone := make(chan struct{}), make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		ra.s, ra.err = Negotiate(t.Context(), mailbox{ba, ab, bGone}, a, meet(b))
		close(aGone)
	}()
	rb.s, rb.err = Negotiate(t.Context(), mailbox{ab, ba, aGone}, b, meet(a))
	close(bGone)
	<-done
	return ra, rb
}

// TestHandshakeContext: the end of the context ends a handshake wherever it waits: for the peer's bytes, for the peer
// to take ours, or for an authenticator; and the error is the context's cause.
func TestHandshakeContext(t *testing.T) {
	why := errors.New("that is enough")
	for _, tt := range []struct {
		name string
		cfg  Config
		in   []byte
	}{
		{"silent peer", Config{SocketType: Router}, nil},
		{"half a greeting", Config{SocketType: Router}, greetingNull[:20]},
		{"half a READY", Config{SocketType: Router}, join(greetingNull, readyDealer[:20])},
		{"peer that does not read", Config{SocketType: Router}, join(greetingNull, readyDealer)},
		{
			"an authenticator that waits",
			Config{SocketType: Router, Authenticate: func(ctx context.Context, _ Claim) (User, error) {
				<-ctx.Done()
				return User{}, context.Cause(ctx)
			}},
			join(greetingNull, readyDealer),
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ours, peer := net.Pipe()
				defer peer.Close()
				ctx, cancel := context.WithCancelCause(t.Context())
				done := make(chan result, 1)
				go func() {
					s, err := Handshake(ctx, ours, tt.cfg)
					done <- result{s, err}
				}()
				if _, err := peer.Write(tt.in); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if len(done) > 0 {
					t.Fatal("it did not wait")
				}
				cancel(why)
				synctest.Wait()
				select {
				case r := <-done:
					wantError(t, r.err, why)
				default:
					t.Fatal("it waits still")
				}
			})
		})
	}
	t.Run("one that has ended before", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(why)
		ours, peer := net.Pipe()
		defer peer.Close()
		_, err := Handshake(ctx, ours, Config{SocketType: Router})
		wantError(t, err, why)
	})
	t.Run("one that ends afterwards does nothing", func(t *testing.T) {
		ca, cb := net.Pipe()
		defer cb.Close()
		ctx, cancel := context.WithCancel(t.Context())
		peer := shake(cb, Config{SocketType: Push})
		_, err := Handshake(ctx, ca, Config{SocketType: Pull})
		wantError(t, err, nil)
		wantError(t, (<-peer).err, nil)
		cancel()
		go func() { _, _ = cb.Write([]byte("x")) }()
		if _, err := io.ReadFull(ca, make([]byte, 1)); err != nil {
			t.Error(err)
		}
	})
}

// endlessSteps answers every command with another one.
type endlessSteps struct{ named }

func (m endlessSteps) New(Local) (Exchange, Command, error) { return m, Command{}, nil }
func (endlessSteps) Step(context.Context, Command) (Command, bool, error) {
	return Command{"MORE", make([]byte, 100)}, false, nil
}

// TestHandshakeNeverStuckInSend: a peer that asks and asks and reads nothing does not hold a handshake up for longer
// than its context.
func TestHandshakeNeverStuckInSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, peer := net.Pipe()
		defer peer.Close()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			_, err := Handshake(ctx, ours, Config{SocketType: Pull, Mechanism: endlessSteps{"MORE"}})
			done <- err
		}()
		in := AppendGreeting(nil, Greeting{Mechanism: "MORE"})
		for range 20 {
			in = AppendCommand(in, "MORE")
		}
		if _, err := peer.Write(in); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		cancel()
		synctest.Wait()
		select {
		case err := <-done:
			wantError(t, err, context.Canceled)
		default:
			t.Fatal("it waits still")
		}
	})
}

// A recorded conduit brings commands that were written down and keeps those it is sent.
type recorded struct{ in, out []Command }

func (r *recorded) Send(_ context.Context, c Command) error {
	r.out = append(r.out, Command{c.Name, slices.Clone(c.Data)})
	return nil
}

func (r *recorded) Receive(context.Context) (Command, error) {
	if len(r.in) == 0 {
		return Command{}, io.ErrUnexpectedEOF
	}
	c := r.in[0]
	r.in = r.in[1:]
	return c, nil
}

// FuzzMechanism: whatever commands a peer sends, in whatever order, each mechanism comes to the same end over bytes and
// without, says the same on the way, and lets nobody in whom it has not looked at.
func FuzzMechanism(f *testing.F) {
	configs := []Config{
		{SocketType: Router},
		{SocketType: Router, Admit: func(*Session) error { return nil }},
		{SocketType: Router, Mechanism: toy{password: "sesame"}},
		{SocketType: Router, Mechanism: toy{password: "sesame", server: true}, Authenticate: checkPassword},
	}
	f.Fuzz(func(t *testing.T, in []byte, which byte) {
		cfg := configs[int(which)%len(configs)]
		cfg.MaxMetadata = 1 << 20
		peer := greeting(cfg)
		peer.AsServer = !peer.AsServer
		var commands []Command
		stream := AppendGreeting(nil, peer)
		for left := in; len(commands) < 8; { // each command is a frame, as on the wire
			h, n, err := ParseHeader(left)
			if err != nil || n == 0 || !h.Command() || h.Size > uint64(len(left)-n) {
				break
			}
			body := left[n : n+int(h.Size)]
			left = left[n+int(h.Size):]
			name, data, err := ParseCommand(body)
			if err != nil {
				break
			}
			commands = append(commands, Command{name, data})
			stream = AppendCommand(stream, name, data)
		}
		c := &recorded{in: commands}
		without, err := Negotiate(t.Context(), c, cfg, func(context.Context, Greeting) (Greeting, error) { return peer, nil })
		over := &script{in: bytes.NewReader(stream)}
		with, errWith := Handshake(t.Context(), over, cfg)
		for _, s := range append([]error{nil, io.ErrUnexpectedEOF, errBadPassword}, sentinels...) {
			if errors.Is(err, s) != errors.Is(errWith, s) {
				t.Fatalf("without bytes: %v; over bytes: %v", err, errWith)
			}
		}
		out := AppendGreeting(nil, greeting(cfg))
		for _, sent := range c.out {
			out = AppendCommand(out, sent.Name, sent.Data)
		}
		wantBytes(t, over.out, out)
		if err != nil {
			if without != nil || with != nil {
				t.Fatalf("a session along with %v", err)
			}
			return
		}
		if !cfg.SocketType.Accepts(without.PeerType) || !sameMetadata(without.Metadata, with.Metadata) ||
			without.User.ID != with.User.ID || cfg.Authenticate != nil && without.User.ID == "" {
			t.Fatalf("without bytes: %+v; over bytes: %+v", without, with)
		}
	})
}
