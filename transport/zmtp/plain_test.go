package zmtp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
)

// checkPlain is the authenticator of a PLAIN server.
func checkPlain(_ context.Context, c Claim) (User, error) {
	if c.Mechanism != "PLAIN" || len(c.Credentials) != 2 || c.Peer != nil {
		return User{}, fmt.Errorf("an unexpected claim: %+v", c)
	}
	if string(c.Credentials[1]) != "sesame" {
		return User{}, errBadPassword
	}
	return User{ID: string(c.Credentials[0])}, nil
}

var errAny = errors.New("any error")

// denyPlain is an authenticator that says the same to everybody.
func denyPlain(err error) func(context.Context, Claim) (User, error) {
	return func(context.Context, Claim) (User, error) { return User{}, err }
}

var (
	plainPush = AppendMetadata(nil, Metadata{{PropertySocketType, []byte("PUSH")}})
	plainPull = AppendMetadata(nil, Metadata{{PropertySocketType, []byte("PULL")}})

	plainHello    = wire("04 11 05 'HELLO' 03 'ann' 06 'sesame'")
	plainWelcome  = wire("04 08 07 'WELCOME'")
	plainInitiate = join(wire("04 1D 08 'INITIATE'"), plainPush)
	plainReady    = join(wire("04 1A 05 'READY'"), plainPull)
)

// plainGreeting is as libzmq has it, which never says that it is the server.
func plainGreeting(server bool) []byte {
	return AppendGreeting(nil, Greeting{Mechanism: "PLAIN", AsServer: server})
}

// TestPlainBytes: what either side of PLAIN says to what comes, byte for byte.
func TestPlainBytes(t *testing.T) {
	client := Config{SocketType: Push, Mechanism: PlainClient("ann", "sesame")}
	server := Config{SocketType: Pull, Mechanism: PlainServer(), Authenticate: checkPlain}
	with := func(authenticate func(context.Context, Claim) (User, error)) Config {
		return Config{SocketType: Pull, Mechanism: PlainServer(), Authenticate: authenticate}
	}
	hello := func(data string) []byte { return AppendCommand(nil, "HELLO", wire(data)) }
	error400, error500 := wire("04 0A 05 'ERROR' 03 '400'"), wire("04 0A 05 'ERROR' 03 '500'")
	ours, theirs := plainGreeting(false), plainGreeting(true)
	for _, tt := range []struct {
		name string
		cfg  Config
		in   []byte // behind the peer's greeting
		out  []byte // behind our greeting
		err  error
	}{
		{"client", client, join(plainWelcome, plainReady), join(plainHello, plainInitiate), nil},
		{"server", server, join(plainHello, plainInitiate), join(plainWelcome, plainReady), nil},
		{
			"client without a name",
			Config{SocketType: Push, Mechanism: PlainClient("", "")},
			join(plainWelcome, plainReady),
			join(hello("00 00"), plainInitiate), nil,
		},
		{
			"wrong password", server, hello("03 'ann' 06 'SESAME'"),
			error400, errBadPassword,
		},
		{"a broken authenticator", with(denyPlain(&Denial{StatusFailed, errAny})), plainHello, error500, errAny},
		{"an authenticator with a status of its own", with(denyPlain(&Denial{200, errAny})), plainHello, error500, errAny},
		{"not now", with(denyPlain(&Denial{StatusTemporary, errAny})), plainHello, nil, errAny},
		{"no time", with(denyPlain(context.DeadlineExceeded)), plainHello, nil, context.DeadlineExceeded},
		{"client that is refused", client, error400, plainHello, ErrRefused},
		{"client that is refused late", client, join(plainWelcome, error500), join(plainHello, plainInitiate), ErrRefused},
		{"client that is refused by libzmq", client, wire("04 09 '^RROR' 03 '400'"), plainHello, ErrRefused},
		{"client that is refused by libzmq, cut", client, wire("04 08 '^RROR' 03 '40'"), plainHello, ErrMalformed},
		{"server that gets an ERROR", server, error400, nil, ErrRefused},
		{"WELCOME with data", client, AppendCommand(nil, "WELCOME", []byte{0}), plainHello, ErrMalformed},
		{"WELCOME twice", client, join(plainWelcome, plainWelcome), join(plainHello, plainInitiate), ErrMalformed},
		{"READY too early", client, plainReady, plainHello, ErrMalformed},
		{
			"READY without metadata", client, join(plainWelcome, wire("04 06 05 'READY'")), join(plainHello, plainInitiate),
			ErrSocketType,
		},
		{
			"READY of a wrong type", client, join(plainWelcome, AppendCommand(nil, "READY", plainPush)),
			join(plainHello, plainInitiate), ErrSocketType,
		},
		{"HELLO for a client", client, plainHello, plainHello, ErrMalformed},
		{"INITIATE for a client", client, join(plainWelcome, plainInitiate), join(plainHello, plainInitiate), ErrMalformed},
		{"HELLO twice", server, join(plainHello, plainHello), plainWelcome, ErrMalformed},
		{"INITIATE first", server, plainInitiate, nil, ErrMalformed},
		{"READY for a server", server, plainReady, nil, ErrMalformed},
		{"WELCOME for a server", server, plainWelcome, nil, ErrMalformed},
		{"a command's name in lower case", server, AppendCommand(nil, "hello", plainHello[8:]), nil, ErrMalformed},
		{
			"INITIATE of a wrong type", server, join(plainHello, AppendCommand(nil, "INITIATE", plainPull)), plainWelcome,
			ErrSocketType,
		},
		{"a message in place of HELLO", server, wire("00 05 'HELLO'"), nil, ErrMalformed},
		{"a message before INITIATE", server, join(plainHello, wire("00 01 41")), plainWelcome, ErrMalformed},
		{"no user", server, hello(""), nil, ErrMalformed},
		{"no password", server, hello("03 'ann'"), nil, ErrMalformed},
		{"a user past the end", server, hello("FF 'ann'"), nil, ErrMalformed},
		{"a password past the end", server, hello("03 'ann' 07 'sesame'"), nil, ErrMalformed},
		{"bytes behind the password", server, hello("03 'ann' 05 'sesame'"), nil, ErrMalformed},
		{"a HELLO over the limit", server, wire("06 00 00 00 00 00 00 10 01"), nil, ErrTooLarge},
		{"the end", server, plainHello, plainWelcome, io.ErrUnexpectedEOF},
	} {
		t.Run(tt.name, func(t *testing.T) {
			mine, peers := ours, theirs
			if tt.cfg.Mechanism.AsServer() {
				mine, peers = theirs, ours
			}
			for _, size := range []int{1 << 16, 1} {
				c := &script{in: pieces{bytes.NewReader(join(peers, tt.in)), size}}
				s, err := Handshake(t.Context(), c, tt.cfg)
				if !errors.Is(err, tt.err) || err != nil && s != nil {
					t.Fatalf("%+v, %v; want %v", s, err, tt.err)
				}
				wantBytes(t, c.out, join(mine, tt.out))
				if err != nil {
					continue
				}
				if s.Opener != nil || s.Sealer != nil || s.Mechanism != "PLAIN" {
					t.Errorf("session %+v", s)
				}
				if want := map[bool]string{true: "ann"}[tt.cfg.Mechanism.AsServer()]; s.User.ID != want {
					t.Errorf("user %+v; want %q", s.User, want)
				}
			}
		})
	}
}

// TestPlainNeedsAnAuthenticator: a server that has nobody to ask refuses to work, rather than to let everybody in.
func TestPlainNeedsAnAuthenticator(t *testing.T) {
	long := strings.Repeat("a", 256)
	for name, m := range map[string]Mechanism{
		"server":          PlainServer(),
		"a long user":     PlainClient(long, ""),
		"a long password": PlainClient("", long),
	} {
		c := &script{in: bytes.NewReader(nil)}
		_, err := Handshake(t.Context(), c, Config{SocketType: Pull, Mechanism: m})
		if !errors.Is(err, ErrConfig) || len(c.out) > 0 {
			t.Errorf("%s: %v, and %d bytes were sent; want %v", name, err, len(c.out), ErrConfig)
		}
	}
}

// TestPlainHidesPassword: a client that is printed does not tell its password, nor does one that is part of a value.
func TestPlainHidesPassword(t *testing.T) {
	m := PlainClient("ann", "sesame")
	for _, format := range []string{"%v", "%+v", "%s", "%d", "%q"} {
		for _, v := range []any{m, Config{Mechanism: m}, struct{ hidden Mechanism }{m}} {
			if s := fmt.Sprintf(format, v); strings.Contains(s, "sesame") {
				t.Errorf("%s: %s", format, s)
			}
		}
	}
}

// TestPlainCut: a handshake that is cut anywhere fails on both sides, and says so as the end of the stream.
func TestPlainCut(t *testing.T) {
	for _, side := range []struct {
		name string
		cfg  Config
		in   []byte
	}{
		{
			"client",
			Config{SocketType: Push, Mechanism: PlainClient("ann", "sesame")},
			join(plainGreeting(false), plainWelcome, plainReady),
		},
		{
			"server",
			Config{SocketType: Pull, Mechanism: PlainServer(), Authenticate: checkPlain},
			join(plainGreeting(false), plainHello, plainInitiate),
		},
	} {
		for n := range len(side.in) {
			_, err := Handshake(t.Context(), &script{in: bytes.NewReader(side.in[:n])}, side.cfg)
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("%s, after %d bytes: %v", side.name, n, err)
			}
		}
		if _, err := Handshake(t.Context(), &script{in: bytes.NewReader(side.in)}, side.cfg); err != nil {
			t.Fatalf("%s: %v", side.name, err)
		}
	}
}

// TestPlainTruncatedCommands: of each command, cut short inside its frame, nothing is taken but what still is one.
func TestPlainTruncatedCommands(t *testing.T) {
	for _, tt := range []struct {
		name   string
		server bool
		before []byte // what comes ahead of the command
		frame  []byte
	}{
		{"HELLO", true, nil, plainHello},
		{"INITIATE", true, plainHello, plainInitiate},
		{"WELCOME", false, nil, plainWelcome},
		{"READY", false, plainWelcome, plainReady},
	} {
		cfg := Config{SocketType: Push, Mechanism: PlainClient("ann", "sesame")}
		if tt.server {
			cfg = Config{SocketType: Pull, Mechanism: PlainServer(), Authenticate: checkPlain}
		}
		for n := range len(tt.frame) - 2 {
			cut := append([]byte{FlagCommand, byte(n)}, tt.frame[2:2+n]...)
			in := join(plainGreeting(!tt.server), tt.before, cut)
			s, err := Handshake(t.Context(), &script{in: bytes.NewReader(in)}, cfg)
			if s != nil || !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrSocketType) {
				t.Errorf("%s of %d bytes: %v", tt.name, n, err)
			}
		}
	}
}

// TestCVE_2014_7202: a peer that begins as one of an old version, or with another mechanism, does not get past the one
// that is set (CVE-2014-9721 is the same hole once more).
func TestCVE_2014_7202(t *testing.T) {
	for name, in := range map[string][]byte{
		"ZMTP 1.0":            wire("01 00 04 00 'abc'"),
		"ZMTP 1.0, long form": join(wire("FF 00 00 00 00 00 00 00 01 00"), make([]byte, 60)),
		"ZMTP 2.0":            join(wire("FF 00 00 00 00 00 00 00 01 7F 01 08 00 00"), make([]byte, 60)),
		"NULL":                join(greetingNull, readyDealer),
		"NULL, READY twice":   join(greetingNull, readyDealer, readyDealer),
		"a wrong mechanism":   join(AppendGreeting(nil, Greeting{Mechanism: "PLAINX"}), plainHello),
		"lower case":          join(wire("FF 00 00 00 00 00 00 00 01 7F 03 01 'plain'"), make([]byte, 47)),
	} {
		for _, cfg := range []Config{
			{SocketType: Router, Mechanism: PlainServer(), Authenticate: func(context.Context, Claim) (User, error) {
				t.Errorf("%s: the authenticator was asked", name)
				return User{}, nil
			}},
			{SocketType: Router, Mechanism: PlainClient("ann", "sesame")},
		} {
			c := &script{in: bytes.NewReader(in)}
			s, err := Handshake(t.Context(), c, cfg)
			if s != nil || !slices.ContainsFunc([]error{ErrVersion, ErrMechanism, ErrMalformed}, func(want error) bool {
				return errors.Is(err, want)
			}) {
				t.Errorf("%s: %v", name, err)
			}
			if len(c.out) > GreetingSize {
				t.Errorf("%s: a command was sent: %q", name, c.out[GreetingSize:])
			}
		}
	}
}

// TestPlainPairs: both ends of ours, over a pipe, over TCP and without bytes.
func TestPlainPairs(t *testing.T) {
	server := Config{SocketType: Router, Mechanism: PlainServer(), Authenticate: checkPlain}
	for name, way := range map[string]func(*testing.T, Config, Config) (a, b result){
		"pipe": both, "tcp": overTCP, "no bytes": overConduit,
	} {
		t.Run(name, func(t *testing.T) {
			a, b := way(t, Config{SocketType: Dealer, Mechanism: PlainClient("ann", "sesame")}, server)
			wantError(t, a.err, nil)
			wantError(t, b.err, nil)
			if b.s.User.ID != "ann" || a.s.PeerType != Router {
				t.Errorf("%+v and %+v", a.s, b.s)
			}
			a, b = way(t, Config{SocketType: Dealer, Mechanism: PlainClient("ann", "guess")}, server)
			wantError(t, a.err, ErrRefused, "400")
			wantError(t, b.err, errBadPassword)
		})
	}
}

// FuzzPlain: whatever commands come, in whatever order, nobody is let in but with the password, and nothing but the
// commands of PLAIN goes out.
func FuzzPlain(f *testing.F) {
	f.Fuzz(func(t *testing.T, in []byte, server bool) {
		cfg := Config{SocketType: Push, Mechanism: PlainClient("ann", "sesame")}
		if server {
			cfg = Config{SocketType: Pull, Mechanism: PlainServer(), Authenticate: checkPlain}
		}
		c := &script{in: bytes.NewReader(join(plainGreeting(!server), in))}
		s, err := Handshake(t.Context(), c, cfg)
		if (s == nil) != (err != nil) {
			t.Fatalf("%+v, %v", s, err)
		}
		if s != nil && server && (!bytes.Contains(in, []byte("\x06sesame")) || !Pull.Accepts(s.PeerType)) {
			t.Fatalf("let in as %+v by % x", s, in)
		}
		for left := c.out[GreetingSize:]; len(left) > 0; {
			h, n, err := ParseHeader(left)
			wantError(t, err, nil)
			name, _, err := ParseCommand(left[n : n+int(h.Size)])
			wantError(t, err, nil)
			if !slices.Contains([]string{"HELLO", "WELCOME", "INITIATE", "READY", "ERROR"}, name) {
				t.Fatalf("sent %q", name)
			}
			left = left[n+int(h.Size):]
		}
	})
}
