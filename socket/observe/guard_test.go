package observe

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"strings"
	"testing"
)

const testToken = "0123456789abcdef"

// ask is a request as somebody on this host makes it, but for what else is said: "METHOD", "Host: x", "from: address"
// or any header.
func ask(path string, but ...string) *http.Request {
	req := httptest.NewRequest(http.MethodGet, path, nil)
	req.Host, req.RemoteAddr = "127.0.0.1:8080", "127.0.0.1:5000"
	for _, line := range but {
		name, value, header := strings.Cut(line, ": ")
		switch {
		case !header:
			req.Method = line
		case name == "Host":
			req.Host = value
		case name == "from":
			req.RemoteAddr = value
		default:
			req.Header.Add(name, value)
		}
	}
	return req
}

func answered(h http.Handler, req *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return w
}

// Who may read what is there, and who may not.
func TestGuard(t *testing.T) {
	bearer := "Authorization: Bearer " + testToken
	open, closed := []HandlerOption{nil}, []HandlerOption{WithToken(testToken)}
	hosts := []HandlerOption{WithHosts("Yodel.example.", "10.0.0.1"), WithToken(testToken)}
	for _, c := range []struct {
		name string
		opts []HandlerOption
		but  []string
		want int
		// probe is whether readyz and healthz are answered.
		probe bool
	}{
		{"by address", open, nil, 200, true},
		{"HEAD", open, []string{"HEAD"}, 200, true},
		{"localhost", open, []string{"Host: LOCALHOST.:80"}, 200, true},
		{"no port", open, []string{"Host: localhost"}, 200, true},
		{"IPv6", open, []string{"Host: [::1]:8080", "from: [::1]:5000"}, 200, true},
		{"IPv6, no port", open, []string{"Host: [::1]"}, 200, true},
		{"another loopback", open, []string{"Host: 127.0.0.2"}, 200, true},
		{"typed into a browser", open, []string{"Sec-Fetch-Site: none"}, 200, true},
		{"its own page", open, []string{"Sec-Fetch-Site: same-origin", "Origin: http://127.0.0.1:8080"}, 200, true},

		{"POST", open, []string{"POST"}, 405, false},
		{"OPTIONS", open, []string{"OPTIONS"}, 405, false},
		{"rebound name", open, []string{"Host: evil.example:8080"}, 403, false},
		{"loopback in a name", open, []string{"Host: 127.0.0.1.evil.example"}, 403, false},
		{"localhost in a name", open, []string{"Host: localhost.evil.example"}, 403, false},
		{"below localhost", open, []string{"Host: evil.localhost"}, 403, false},
		{"user", open, []string{"Host: localhost@evil.example"}, 403, false},
		{"no host", open, []string{"Host: "}, 403, false},
		{"a port that is none", open, []string{"Host: localhost:evil"}, 403, false},
		{"brackets in brackets", open, []string{"Host: [[::1]]"}, 403, false},
		{"a name in brackets", open, []string{"Host: [localhost]:80"}, 403, false},
		{"IPv4 in brackets", open, []string{"Host: [127.0.0.1]"}, 403, false},
		{"a dot in brackets", open, []string{"Host: [::1.]"}, 403, false},
		{"two dots", open, []string{"Host: localhost.."}, 403, false},
		{"IPv6 in full", open, []string{"Host: [0:0:0:0:0:0:0:1]:80"}, 200, true},
		{"another address of ours", open, []string{"Host: 10.0.0.1:8080"}, 403, true},
		{"another site", open, []string{"Sec-Fetch-Site: cross-site"}, 403, false},
		{"another port", open, []string{"Sec-Fetch-Site: same-site"}, 403, false},
		{"two answers", open, []string{"Sec-Fetch-Site: none", "Sec-Fetch-Site: cross-site"}, 403, false},
		{"another origin", open, []string{"Origin: http://evil.example"}, 403, false},
		{"another port's origin", open, []string{"Origin: http://127.0.0.1:3000"}, 403, false},
		{"no origin", open, []string{"Origin: null"}, 403, false},
		{"another host", open, []string{"from: 10.0.0.9:5000"}, 403, true},
		{"an address that is none", open, []string{"from: x"}, 403, true},
		{"by a proxy", open, []string{"X-Forwarded-For: 10.0.0.9"}, 403, true},
		{"by another proxy", open, []string{"Forwarded: for=10.0.0.9"}, 403, true},

		{"token", closed, []string{bearer}, 200, true},
		{"lower case", closed, []string{"Authorization: bearer " + testToken}, 200, true},
		{"token, from elsewhere", closed, []string{bearer, "from: 10.0.0.9:5000"}, 200, true},
		{"no token", closed, nil, 401, true},
		{"wrong token", closed, []string{bearer + "0"}, 401, true},
		{"part of the token", closed, []string{bearer[:len(bearer)-1]}, 401, true},
		{"another scheme", closed, []string{"Authorization: Basic " + testToken}, 401, true},
		{"no scheme", closed, []string{"Authorization: " + testToken}, 401, true},
		{"token, foreign name", closed, []string{bearer, "Host: evil.example"}, 403, false},
		{"token, another site", closed, []string{bearer, "Sec-Fetch-Site: cross-site"}, 403, false},
		{"token in the URL", closed, []string{"X-Token: " + testToken}, 401, true},

		{"too short a token", []HandlerOption{WithToken("short")}, []string{"Authorization: Bearer short"}, 401, true},
		{"an empty token", []HandlerOption{WithToken("")}, []string{"Authorization: Bearer "}, 401, true},
		{"an empty token, none shown", []HandlerOption{WithToken("")}, nil, 401, true},

		{"a name of ours", hosts, []string{bearer, "Host: yodel.example:80"}, 200, true},
		{"a listed address", hosts, []string{bearer, "Host: 10.0.0.1"}, 200, true},
		{"loopback beside them", hosts, []string{bearer}, 200, true},
		{"IPv6 that is listed", []HandlerOption{WithHosts("FD00::1")}, []string{"Host: [fd00:0::1]:80"}, 200, true},
		{"another name", hosts, []string{bearer, "Host: yodel.example.org"}, 403, false},
		{"no name in the list", []HandlerOption{WithHosts("")}, []string{"Host: "}, 403, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := exemplary().Handler(c.opts...)
			for _, path := range []string{"/v1/snapshot", "/v1/events", "/metrics", "/", "/nothing"} {
				want := c.want
				if path == "/nothing" && want == 200 {
					want = 404
				}
				w := answered(h, ask(path, c.but...))
				if w.Code != want {
					t.Errorf("%s: status %d, want %d: %s", path, w.Code, want, w.Body)
				}
				if w.Header().Get("Access-Control-Allow-Origin") != "" || w.Header().Get("Cache-Control") != "no-store" {
					t.Errorf("%s: %v", path, w.Header())
				}
				if want >= 400 && strings.Contains(w.Body.String(), "news") {
					t.Errorf("%s: refused and told all the same: %s", path, w.Body)
				}
			}
			w := answered(h, ask("/healthz", c.but...))
			if (w.Code == 200) != c.probe {
				t.Errorf("healthz: status %d", w.Code)
			}
			if c.want != 200 && strings.Contains(answered(h, ask("/readyz", c.but...)).Body.String(), "refused") {
				t.Error("readyz says more than whether it is ready")
			}
		})
	}
}

// Over a unix socket there are no names of hosts in which to trust, but no other hosts either.
func TestLocal(t *testing.T) {
	req := ask("/", "from: @")
	for _, c := range []struct {
		at   net.Addr
		want bool
	}{
		{&net.UnixAddr{Net: "unix", Name: "/x"}, true},
		{&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, false},
	} {
		if got := local(req.WithContext(context.WithValue(req.Context(), http.LocalAddrContextKey, c.at))); got != c.want {
			t.Errorf("at %s: %v", c.at, got)
		}
	}
}

func TestNewToken(t *testing.T) {
	a, b := NewToken(), NewToken()
	if a == b || !regexp.MustCompile(`^[-_a-zA-Z0-9]{22}$`).MatchString(a) {
		t.Errorf("%q and %q", a, b)
	}
	h := New().Handler(WithToken(a))
	if w := answered(h, ask("/metrics", "Authorization: Bearer "+a)); w.Code != 200 {
		t.Errorf("its own token: status %d", w.Code)
	}
}

var portOf = regexp.MustCompile(`:[0-9]*$`)

// No request that names another host, or comes from one, or is made for another site, is answered.
func FuzzGuard(f *testing.F) {
	f.Add("127.0.0.1:80", "127.0.0.1:1", "same-origin", "http://127.0.0.1:80", "")
	f.Add("[::1%25lo]:80", "[::1]:1", "", "", "Bearer "+testToken)
	f.Add("localhost.:", "@", "none", "null", "bearer  "+testToken)
	f.Add("evil.example\x00.localhost", "10.0.0.1:1", "cross-site", "http://", "Bearer")
	f.Add("[localhost]:80", "[::ffff:7f00:2]:1", "", "", "")
	f.Add("[::1.]", "127.0.0.1.:1", "", "", "")
	f.Add("LOCALHOST:99999", "[::ffff:127.0.0.1]:1", "", "http://localhost", testToken)
	f.Fuzz(func(t *testing.T, host, from, site, origin, authorization string) {
		req := ask("/", "from: "+from)
		req.Host = host
		for name, value := range map[string]string{
			"Sec-Fetch-Site": site, "Origin": origin, "Authorization": authorization,
		} {
			if value != "" {
				req.Header.Set(name, value)
			}
		}
		open := new(guard)
		secret := new(guard)
		WithToken(testToken).guard(secret)
		read := open.refuse(req) == nil
		name := strings.TrimSuffix(portOf.ReplaceAllString(host, ""), ".")
		if at, err := netip.ParseAddr(strings.Trim(name, "[]")); (read || secret.refuse(req) == nil) &&
			!strings.EqualFold(name, "localhost") && (err != nil || !at.Unmap().IsLoopback()) {
			t.Fatalf("Host %q is taken for this one", host)
		}
		remote, _, err := net.SplitHostPort(from)
		if at, addrErr := netip.ParseAddr(remote); read && (err != nil || addrErr != nil || !at.Unmap().IsLoopback()) {
			t.Fatalf("%q is taken for this host", from)
		}
		if site != "" && site != "none" && site != "same-origin" && (read || secret.refuse(req) == nil) {
			t.Fatalf("site %q may read", site)
		}
		if secret.refuse(req) == nil && !strings.HasSuffix(authorization, " "+testToken) {
			t.Fatalf("%q is taken for the token", authorization)
		}
	})
}
