package transport

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Endpoint is a scheme and an address, written "scheme://address".
// Values are comparable.
type Endpoint struct {
	Scheme  string // lower case: "tcp"
	Address string // what the scheme's transport understands: "127.0.0.1:5557"
}

// String returns "scheme://address". For every Endpoint that [ParseEndpoint]
// returned, parsing the string again gives the same Endpoint.
func (e Endpoint) String() string { return e.Scheme + "://" + e.Address }

// ParseEndpoint splits s at "://". It checks syntax only: the scheme may be
// any, since transports can be added, and the address is left to
// [Transport.Validate]. The scheme is lower-cased; the address is kept as it
// is. Every error is an [AddressError] that says what to write instead.
func ParseEndpoint(s string) (Endpoint, error) {
	bad := func(problem, fix string) (Endpoint, error) {
		return Endpoint{}, &AddressError{Endpoint: s, Problem: problem, Fix: fix}
	}
	switch {
	case s == "":
		return bad("it is empty", "write it as tcp://host:port, ipc:///path or inproc://name")
	case !utf8.ValidString(s):
		return bad("it is not valid UTF-8", "write it in UTF-8")
	case strings.TrimSpace(s) != s:
		return bad("white space around it", fmt.Sprintf("write it as %s", strings.TrimSpace(s)))
	}
	if i := strings.IndexFunc(s, unicode.IsControl); i >= 0 {
		r, _ := utf8.DecodeRuneInString(s[i:])
		return bad(fmt.Sprintf("control character %q", r), "remove it")
	}
	scheme, address, found := strings.Cut(s, "://")
	if !found {
		return bad(withoutSeparator(s))
	}
	if scheme == "" {
		if address == "" {
			return bad("no scheme and no address", "write it as tcp://host:port, ipc:///path or inproc://name")
		}
		return bad("no scheme", "write it as "+guess(address))
	}
	if problem := checkScheme(scheme); problem != "" {
		return bad(problem, "write a letter, then letters, digits, '+', '-' or '.', as in tcp://host:port")
	}
	scheme = strings.ToLower(scheme)
	if address == "" {
		return bad("no address", "write it as "+form(scheme))
	}
	return Endpoint{Scheme: scheme, Address: address}, nil
}

// withoutSeparator explains an endpoint that lacks "://": slashes are missing
// ("tcp:/x", "tcp:x"), or the whole scheme is.
func withoutSeparator(s string) (problem, fix string) {
	scheme, rest, colon := strings.Cut(s, ":")
	if colon && checkScheme(scheme) == "" {
		scheme = strings.ToLower(scheme)
		if strings.HasPrefix(rest, "/") || scheme == "tcp" || scheme == "tls" || scheme == "ipc" || scheme == "inproc" {
			if rest = strings.TrimPrefix(rest, "/"); rest == "" {
				return `no "://" after the scheme`, "write it as " + form(scheme)
			}
			// "ipc:/run/x" lacks the two slashes, not the path's own.
			if scheme == "ipc" && strings.HasPrefix(s[len(scheme)+1:], "/") {
				rest = "/" + rest
			}
			return `no "://" after the scheme`, "write it as " + scheme + "://" + rest
		}
	}
	return "no scheme", "write it as " + guess(s)
}

// guess puts the likeliest scheme before an address.
func guess(address string) string {
	switch {
	case strings.HasPrefix(address, "/"), strings.HasPrefix(address, "@"), strings.HasPrefix(address, "."):
		return "ipc://" + address
	case strings.Contains(address, ":"):
		return "tcp://" + address
	}
	return fmt.Sprintf("tcp://host:port, ipc:///path or inproc://%s", address)
}

// form is a pattern for endpoints of scheme.
func form(scheme string) string {
	switch scheme {
	case "tcp", "tls":
		return scheme + "://host:port"
	case "ipc":
		return "ipc:///path"
	case "inproc":
		return "inproc://name"
	}
	return scheme + "://address"
}

// checkScheme returns what is wrong with a scheme, by the rule of RFC 3986,
// section 3.1.
func checkScheme(scheme string) string {
	if scheme == "" {
		return "no scheme"
	}
	for i, r := range scheme {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		switch {
		case letter:
		case i == 0:
			return fmt.Sprintf("scheme %q does not begin with a letter", scheme)
		case '0' <= r && r <= '9', r == '+', r == '-', r == '.':
		default:
			return fmt.Sprintf("%q in the scheme", r)
		}
	}
	return ""
}
