package zmtp

import (
	"bytes"
	"fmt"
	"strings"
)

// GreetingSize is the length of a ZMTP 3 greeting in bytes.
const GreetingSize = 64

// Offsets inside a greeting (RFC 37): signature, version, mechanism, as-server,
// filler of zeros up to GreetingSize.
const (
	atSignatureEnd  = 9 // always 0x7F; ZMTP 1 has the flags of its identity frame here
	atMajor         = 10
	atMinor         = 11
	atMechanism     = 12
	atAsServer      = 32
	mechanismLength = atAsServer - atMechanism

	signatureFirst = 0xFF
	signatureLast  = 0x7F
)

// Greeting is what the first 64 bytes of a connection say.
type Greeting struct {
	// Version is the version announced; see [Version.Common] for the one to speak.
	// In [AppendGreeting] the zero Version stands for 3.1.
	Version Version
	// Mechanism is the security mechanism: "NULL", "PLAIN", "CURVE", 1 to 20 bytes of
	// A-Z, 0-9 and "-_.+". In [AppendGreeting] empty stands for "NULL".
	Mechanism string
	// AsServer is the as-server bit. It has a meaning for PLAIN and CURVE only, and
	// libzmq neither sets nor reads it.
	AsServer bool
}

// AppendGreeting adds the 64 bytes of g to b. It panics if the mechanism is not a
// valid name, which is a mistake of the program and not of a peer.
func AppendGreeting(b []byte, g Greeting) []byte {
	if g.Version == (Version{}) {
		g.Version = highest
	}
	if g.Mechanism == "" {
		g.Mechanism = mechanismNull
	}
	if len(g.Mechanism) > mechanismLength || !validMechanism([]byte(g.Mechanism)) {
		panic(fmt.Sprintf("zmtp: mechanism %q: want 1 to %d bytes of A-Z, 0-9 and -_.+", g.Mechanism, mechanismLength))
	}
	var out [GreetingSize]byte
	out[0] = signatureFirst
	out[atSignatureEnd] = signatureLast
	out[atMajor] = g.Version.Major
	out[atMinor] = g.Version.Minor
	copy(out[atMechanism:atAsServer], g.Mechanism)
	if g.AsServer {
		out[atAsServer] = 1
	}
	return append(b, out[:]...)
}

// ParseGreeting reads a greeting from the first 64 bytes of b; more are ignored,
// fewer are ErrMalformed. Bytes without a meaning (the padding, where libzmq puts
// a length, and the filler) may have any value. Errors wrap ErrNotZMTP,
// ErrVersion or ErrMalformed.
func ParseGreeting(b []byte) (Greeting, error) {
	if err := CheckGreetingPrefix(b); err != nil {
		return Greeting{}, err
	}
	if len(b) < GreetingSize {
		return Greeting{}, fail("greeting", ErrMalformed, "%d bytes, want %d", len(b), GreetingSize)
	}
	field := b[atMechanism:atAsServer]
	name := bytes.TrimRight(field, "\x00")
	if len(name) == 0 || !validMechanism(name) {
		return Greeting{}, fail("greeting", ErrMalformed,
			"mechanism field %q; want a name of A-Z, 0-9 and -_.+ padded with zero bytes to %d", field, mechanismLength)
	}
	return Greeting{
		Version:   Version{Major: b[atMajor], Minor: b[atMinor]},
		Mechanism: string(name),
		AsServer:  b[atAsServer] != 0,
	}, nil
}

// validMechanism checks the characters of RFC 37's mechanism-char.
func validMechanism(name []byte) bool {
	for _, c := range name {
		switch {
		case 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.', c == '+':
		default:
			return false
		}
	}
	return true
}

// CheckGreetingPrefix returns an error as soon as the first bytes of a connection
// prove that no acceptable greeting will follow, so that a stranger need not send
// 64 bytes (an old peer never would) before it is turned away. It looks at no
// more than the first 64 bytes; an empty b proves nothing.
//
// HTTP, TLS, SSH and other strangers give ErrNotZMTP, ZMTP 1 and ZMTP 2 peers
// give ErrVersion; the text names which one.
func CheckGreetingPrefix(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	if b[0] != signatureFirst {
		return stranger(b)
	}
	if len(b) > atSignatureEnd && b[atSignatureEnd] != signatureLast {
		// A ZMTP 1 peer may give the length of its identity in the long form:
		// ff, eight bytes of length, then flags, which are zero.
		if b[atSignatureEnd] == 0 {
			return oldVersion("1.0", "libzmq 2")
		}
		return fail("greeting", ErrNotZMTP, "the signature ends in %#02x; want %#02x", b[atSignatureEnd], signatureLast)
	}
	if len(b) > atMajor && b[atMajor] < 3 {
		// The byte is a revision in old peers: 0 is ZMTP 1.0, 1 is ZMTP 2.0.
		if b[atMajor] == 0 {
			return oldVersion("1.0", "libzmq 2")
		}
		return oldVersion("2.0", "libzmq before 4.0, JeroMQ before 0.4.1")
	}
	return nil
}

// tlsHello is what a client of TLS begins with: a record of its handshake, of any version since SSL 3.
const tlsHello = "\x16\x03"

// startsTLS reports whether a peer is a client of TLS. Such a one knows by our greeting that we are none.
func startsTLS(b []byte) bool {
	return strings.HasPrefix(string(b[:min(len(b), len(tlsHello))]), tlsHello)
}

// oldVersion says what an old peer speaks, and which programs do.
func oldVersion(version, who string) error {
	return fail("greeting", ErrVersion, "the peer speaks ZMTP %s (%s); want 3.0 or later", version, who)
}

// stranger names, as well as the bytes at hand allow, who does not start with
// 0xFF. It only words the error: every such peer is refused.
func stranger(b []byte) error {
	const want = "a ZMTP greeting starts with 0xff"
	// ZMTP 1: an identity frame, length then flags; 01 00 is the anonymous one.
	if len(b) == 1 && b[0] == 1 || len(b) > 1 && b[0] != 0 && b[1] == 0 {
		return oldVersion("1.0", "libzmq 2")
	}
	seen := b[:min(len(b), 16)]
	for _, k := range [...]struct{ prefix, what string }{
		{"GET ", "an HTTP request"},
		{"HEAD ", "an HTTP request"},
		{"POST ", "an HTTP request"},
		{"PUT ", "an HTTP request"},
		{"PATCH ", "an HTTP request"},
		{"DELETE ", "an HTTP request"},
		{"OPTIONS ", "an HTTP request"},
		{"CONNECT ", "an HTTP request"},
		{"TRACE ", "an HTTP request"},
		{"PRI * HTTP/2", "an HTTP/2 preface"},
		{"HTTP/", "an HTTP answer"},
		{tlsHello, "a TLS hello (a peer with a tls:// endpoint, where ours is not)"},
		{"\x15\x03", "a TLS alert (a peer with a tls:// endpoint, where ours is not)"},
		{"SSH-", "an SSH banner"},
	} {
		if strings.HasPrefix(string(seen), k.prefix) {
			return fail("greeting", ErrNotZMTP, "%q is %s; %s", seen, k.what, want)
		}
	}
	return fail("greeting", ErrNotZMTP, "starts with %q; %s", seen, want)
}
