package main

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/auth"
	"github.com/yodel-mq/yodel/transport"
	"github.com/yodel-mq/yodel/transport/mtls"
	"github.com/yodel-mq/yodel/transport/zmtp"
	"github.com/yodel-mq/yodel/transport/zmtp/curve"
)

const securityHelp = `By --curve-key and --curve-server-key, or --curve-server, peers know each other by keys and
what they say is encrypted; keygen makes keys. By --plain and --plain-server they show a user and a
password, as they are. At tls:// endpoints both ends show certificates: --tls-cert and --tls-key, and whom they trust.`

// security is what the flags say of who may talk to whom, and what that comes to.
type security struct {
	plain, plainServer       string
	curveKey, curveServerKey string
	curveServer              bool
	curveAllow               string

	tlsCert, tlsKey, tlsCA string
	tlsPins                []string
	tlsPinsFile, tlsName   string
	tlsAnyClient           bool

	options []socket.Option // once open has been called
	allowed *auth.Keys      // of --curve-allow, or nil
}

func (s *security) register(fs *pflag.FlagSet) {
	fs.StringVar(&s.plain, "plain", "", "PLAIN: show `USER:PASS`, which others can read on the way")
	fs.StringVar(&s.plainServer, "plain-server", "",
		"PLAIN: let in whose user:pass stands in `FILE`, one a line")
	s.registerCurve(fs)
	fs.StringVar(&s.tlsCert, "tls-cert", "",
		"at tls:// endpoints: show the certificate in `FILE` (PEM), read again when it changes")
	fs.StringVar(&s.tlsKey, "tls-key", "", "the private key of --tls-cert, in `FILE` (PEM)")
	fs.StringVar(&s.tlsCA, "tls-ca", "",
		"trust certificates of the authorities in `FILE` (PEM) (default, to connect: the system's)")
	fs.StringArrayVar(&s.tlsPins, "tls-pin", nil,
		"trust the key with this `HASH` (sha256//Base64), without an authority; repeatable")
	fs.StringVar(&s.tlsPinsFile, "tls-pins", "", "trust the keys with the hashes in `FILE`, one a line")
	fs.StringVar(&s.tlsName, "tls-name", "",
		"the server's certificate has to be for `NAME` (default: the host in the endpoint)")
	fs.BoolVar(&s.tlsAnyClient, "tls-any-client", false, "let in clients without a certificate")
}

// registerCurve has the flags on CURVE alone, for bench.
func (s *security) registerCurve(fs *pflag.FlagSet) {
	fs.StringVar(&s.curveKey, "curve-key", "",
		"CURVE: use the key pair in `FILE`, as written by keygen (default, for a client: a new one)")
	fs.StringVar(&s.curveServerKey, "curve-server-key", "", "CURVE, as a client: the server's public key, `Z85`")
	fs.BoolVar(&s.curveServer, "curve-server", false, "CURVE, as a server; needs --curve-key")
	fs.StringVar(&s.curveAllow, "curve-allow", "",
		"CURVE, as a server: let in whose public key stands in `FILE`, one a line in Z85, read again when it changes "+
			"(default: everybody)")
}

// given reports whether there is any of the flags on CURVE.
func (s *security) given() bool {
	return s.curveKey != "" || s.curveServerKey != "" || s.curveServer || s.curveAllow != ""
}

// check says what is wrong with the flags as they are written.
func (s *security) check(fs *pflag.FlagSet, bind, connect []string) error {
	changed := func(name string) bool { f := fs.Lookup(name); return f != nil && f.Changed }
	curves := s.given()
	plains := changed("plain") || s.plainServer != ""
	switch {
	case curves && plains:
		return usagef("--plain and --curve flags exclude each other: a socket has one mechanism")
	case changed("plain") && s.plainServer != "":
		return usagef("--plain and --plain-server exclude each other: one is for a client, one for a server")
	case changed("plain") && !strings.Contains(s.plain, ":"):
		return usagef("--plain: it must be USER:PASS") // without showing it
	case s.curveServer && s.curveServerKey != "":
		return usagef("--curve-server and --curve-server-key exclude each other: one is for a server, one for a client")
	case s.curveServer && s.curveKey == "":
		return usagef("--curve-server needs --curve-key: clients know the server by its key")
	case s.curveAllow != "" && !s.curveServer:
		return usagef("--curve-allow is for --curve-server")
	case s.curveKey != "" && !s.curveServer && s.curveServerKey == "":
		return usagef("--curve-key needs --curve-server-key, for a client, or --curve-server")
	case len(s.tlsPins) > 0 && s.tlsPinsFile != "":
		return usagef("--tls-pin and --tls-pins exclude each other")
	case (s.tlsCert == "") != (s.tlsKey == ""):
		return usagef("--tls-cert and --tls-key belong together: give both")
	}
	for _, name := range []string{
		"plain-server", "curve-key", "curve-server-key", "curve-allow",
		"tls-cert", "tls-key", "tls-ca", "tls-pins", "tls-name",
	} {
		if changed(name) && fs.Lookup(name).Value.String() == "" {
			return usagef("--%s is empty", name)
		}
	}
	if s.curveServerKey != "" {
		if _, err := curve.ParsePublicKey(s.curveServerKey); err != nil {
			return usagef("--curve-server-key: %w", err)
		}
	}
	for _, pin := range s.tlsPins {
		if _, err := mtls.ParseKeyHash(pin); err != nil {
			return usagef("--tls-pin: %w", err)
		}
	}
	return s.checkTLS(bind, connect)
}

// checkTLS looks whether the flags are enough for the endpoints, and the endpoints for the flags.
func (s *security) checkTLS(bind, connect []string) error {
	trusts := s.tlsCA != "" || len(s.tlsPins) > 0 || s.tlsPinsFile != ""
	binds, connects := slices.ContainsFunc(bind, overTLS), slices.ContainsFunc(connect, overTLS)
	switch {
	case binds && s.tlsCert == "":
		return usagef("to bind a tls:// endpoint needs --tls-cert and --tls-key; keygen --tls makes them")
	case binds && !trusts && !s.tlsAnyClient:
		return usagef("to bind a tls:// endpoint needs --tls-pin, --tls-pins, --tls-ca or --tls-any-client: who may come in")
	case !binds && !connects && (trusts || s.tlsCert != "" || s.tlsName != "" || s.tlsAnyClient):
		return usagef("--tls flags are for tls:// endpoints, of which there is none: nothing would be encrypted")
	}
	return nil
}

func overTLS(endpoint string) bool {
	ep, err := transport.ParseEndpoint(endpoint)
	return err == nil && ep.Scheme == "tls"
}

// open reads the files.
func (s *security) open(a *app) error {
	m, err := s.mechanism(a)
	if err != nil {
		return failf("%w", err)
	}
	s.options = []socket.Option{socket.WithSecurity(m), socket.WithTransport(s.transport())}
	if s.allowed != nil {
		s.options = append(s.options, socket.WithAuthenticator(s.allowed))
	}
	if s.plainServer != "" {
		users, err := readUsers(s.plainServer)
		if err != nil {
			return failf("--plain-server: %w", err)
		}
		s.options = append(s.options, socket.WithAuthenticator(passwords(users)))
	}
	return nil
}

func (s *security) mechanism(a *app) (zmtp.Mechanism, error) {
	if s.plainServer != "" {
		return zmtp.PlainServer(), nil
	}
	if s.plain != "" {
		user, pass, _ := strings.Cut(s.plain, ":")
		return zmtp.PlainClient(user, pass), nil
	}
	if !s.curveServer && s.curveServerKey == "" {
		return nil, nil
	}
	key := curve.GenerateKey()
	if s.curveKey != "" {
		var err error
		if key, err = curve.ReadKeyFile(s.curveKey); err != nil {
			return nil, err
		}
	}
	if !s.curveServer {
		server, err := curve.ParsePublicKey(s.curveServerKey)
		return curve.Client(key, server), err
	}
	if s.curveAllow == "" {
		a.con.notef("anybody who knows the public key %v may come in: see --curve-allow", key.Public())
		return curve.Server(key, curve.Anyone), nil
	}
	keys, err := auth.OpenKeys(s.curveAllow, auth.WithErrors(func(err error) { a.con.notef("--curve-allow: %v", err) }))
	if err != nil {
		return nil, fmt.Errorf("--curve-allow: %w", err)
	}
	s.allowed = keys
	return curve.Server(key, nil), nil
}

// close ends the looking for changes in files.
func (s *security) close() {
	if s.allowed != nil {
		_ = s.allowed.Close() // always nil
	}
}

// transport is that for tls:// endpoints.
func (s *security) transport() transport.Transport {
	opts := []mtls.Option{mtls.WithServerName(s.tlsName)}
	if s.tlsCert != "" {
		opts = append(opts, mtls.WithCertificateFiles(s.tlsCert, s.tlsKey))
	}
	if s.tlsCA != "" {
		opts = append(opts, mtls.WithRootsFile(s.tlsCA))
	}
	if s.tlsAnyClient {
		opts = append(opts, mtls.WithAnyClient())
	}
	var pins []mtls.KeyHash
	for _, text := range s.tlsPins {
		k, _ := mtls.ParseKeyHash(text) // it was checked
		pins = append(pins, k)
	}
	switch {
	case s.tlsPinsFile != "":
		opts = append(opts, mtls.WithPinsFile(s.tlsPinsFile))
	case len(pins) > 0:
		opts = append(opts, mtls.WithPins(pins...))
	}
	return mtls.New(opts...)
}

// readUsers reads a file of user:pass, one a line; lines that begin with # are remarks.
func readUsers(path string) (users []string, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for text := range strings.Lines(string(b)) {
		if text = strings.TrimRight(text, "\r\n"); text != "" && text[0] != '#' {
			users = append(users, text)
		}
	}
	return users, nil
}

var errPassword = errors.New("no such user, or another password")

// passwords lets in whose user:pass is among the lines. It takes as long for one that is not.
func passwords(users []string) socket.Authenticator {
	known := make([][sha256.Size]byte, len(users))
	for i, u := range users {
		known[i] = sha256.Sum256([]byte(u))
	}
	return socket.AuthenticatorFunc(func(_ context.Context, c socket.Claim) (socket.User, error) {
		if len(c.Credentials) != 2 {
			return socket.User{}, errPassword
		}
		user := string(c.Credentials[0])
		shown := sha256.Sum256([]byte(user + ":" + string(c.Credentials[1])))
		found := 0
		for _, k := range known {
			found |= subtle.ConstantTimeCompare(k[:], shown[:])
		}
		// A name with a colon could take a part of a password of another.
		if found == 0 || strings.Contains(user, ":") {
			return socket.User{}, fmt.Errorf("user %.64q: %w", user, errPassword)
		}
		return socket.User{ID: user}, nil
	})
}
