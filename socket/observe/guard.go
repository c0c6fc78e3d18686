package observe

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Who may read over HTTP. A browser on this host can be made to ask by any page that it shows: directly, which it tells
// by Sec-Fetch-Site and Origin, or, so that the answer can be read, by a name that the page's owner has the DNS turn
// into a loopback address meanwhile, which Host tells.

// A HandlerOption configures [Registry.Handler]. Nil is none.
type HandlerOption interface{ guard(*guard) }

type guardSetting func(*guard)

func (s guardSetting) guard(g *guard) { s(g) }

// WithToken has readers show a token, as "Authorization: Bearer TOKEN"; with it, they may be on other hosts. It needs
// 16 characters at least: with a shorter one, and "", nobody may read. [NewToken] makes one.
func WithToken(token string) HandlerOption {
	return guardSetting(func(g *guard) {
		g.wantsToken, g.usable, g.token = true, len(token) >= minToken, sha256.Sum256([]byte(token))
	})
}

// WithHosts allows further names and addresses, without a port, by which readers may call this host: what they write
// into the URL. Those of loopback are always allowed: localhost, 127.0.0.1 and ::1.
func WithHosts(hosts ...string) HandlerOption {
	return guardSetting(func(g *guard) {
		for _, h := range hosts {
			if ip, err := netip.ParseAddr(h); err == nil { // IPv6 may be without brackets here
				h = ip.String()
			} else {
				h = plainHost(h)
			}
			g.hosts = append(g.hosts, h)
		}
	})
}

// NewToken returns a random token of 128 bits for [WithToken].
func NewToken() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// minToken is how long a token has to be.
const minToken = 16

// A guard decides who may read.
type guard struct {
	hosts              []string
	wantsToken, usable bool
	token              [sha256.Size]byte
}

// A refusal is why somebody may not read.
type refusal struct {
	status int
	why    string
	// probe says that whether the process is healthy and ready may be told all the same, and nothing else.
	probe bool
}

// refuse returns nil for somebody who may read.
func (g *guard) refuse(req *http.Request) *refusal {
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		return &refusal{status: http.StatusMethodNotAllowed, why: "this can be read only: GET or HEAD"}
	}
	if crossSite(req) {
		return &refusal{status: http.StatusForbidden, why: "pages of other sites may not read this"}
	}
	host := plainHost(req.Host)
	if !g.serves(host) {
		_, err := netip.ParseAddr(host) // no DNS server has made it
		return &refusal{
			http.StatusForbidden,
			"this host is not known by that name or address; the program may allow it by observe.WithHosts", err == nil,
		}
	}
	if g.wantsToken {
		if !g.shown(req.Header.Get("Authorization")) {
			return &refusal{http.StatusUnauthorized, "a token is needed: Authorization: Bearer TOKEN", true}
		}
		return nil
	}
	if !local(req) {
		return &refusal{http.StatusForbidden, "without observe.WithToken only this host may read", true}
	}
	return nil
}

// hostForm is how a Host header is written: an IPv6 address in brackets, or else a name or an IPv4 address; and a port.
var hostForm = regexp.MustCompile(`^(?:\[([0-9a-fA-F:.]+)\]|([-._0-9a-zA-Z]+))(?::[0-9]*)?$`)

// plainHost is the host of a Host header, in lower case and without port, brackets and a dot at its end; "" if it is
// none.
func plainHost(s string) string {
	m := hostForm.FindStringSubmatch(s)
	if m == nil {
		return ""
	}
	if m[1] != "" {
		ip, err := netip.ParseAddr(m[1])
		if err != nil || !ip.Is6() {
			return ""
		}
		return ip.String()
	}
	return strings.ToLower(strings.TrimSuffix(m[2], "."))
}

// serves reports whether this host is known by that name or address.
func (g *guard) serves(host string) bool {
	return host != "" && (host == "localhost" || isLoopback(host) || slices.Contains(g.hosts, host))
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback() && ip.Zone() == ""
}

// crossSite reports whether a browser asks for the sake of another site.
func crossSite(req *http.Request) bool {
	for _, site := range req.Header.Values("Sec-Fetch-Site") {
		if site != "same-origin" && site != "none" {
			return true
		}
	}
	for _, origin := range req.Header.Values("Origin") { // also of browsers that do not send the former
		if u, err := url.Parse(origin); err != nil || u.Host == "" || !strings.EqualFold(u.Host, req.Host) {
			return true
		}
	}
	return false
}

// shown reports whether the header has the token. How long that takes does not depend on how much of it is right.
func (g *guard) shown(header string) bool {
	scheme, token, _ := strings.Cut(header, " ")
	sum := sha256.Sum256([]byte(token))
	return subtle.ConstantTimeCompare(sum[:], g.token[:]) == 1 && strings.EqualFold(scheme, "Bearer") && g.usable
}

// local reports whether somebody on this host asks, and not for somebody else.
func local(req *http.Request) bool {
	for _, forwarded := range []string{"Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via"} {
		if req.Header.Get(forwarded) != "" {
			return false
		}
	}
	if host, _, err := net.SplitHostPort(req.RemoteAddr); err == nil {
		return isLoopback(host)
	}
	at, ok := req.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return ok && at.Network() == "unix"
}
