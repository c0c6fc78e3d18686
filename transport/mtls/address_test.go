package mtls

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/transport"
)

func TestAddresses(t *testing.T) {
	for _, tt := range []struct {
		name, address string
		use           transport.Use
		says          string // empty if it is right
	}{
		{"host and port", "127.0.0.1:5557", transport.ForConnect, ""},
		{"wildcard", "*:*", transport.ForBind, ""},
		{"wildcard connected to", "*:5557", transport.ForConnect, "as in tls://127.0.0.1:5557"},
		{"no port", "host", transport.ForConnect, "tls://host:5557"},
		{"source", "127.0.0.1:0;host:5557", transport.ForConnect, ""},
		{"source bound", "127.0.0.1:0;host:5557", transport.ForBind, "tls://127.0.0.1:0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := New().Validate(tt.address, tt.use)
			if tt.says == "" {
				must(t, err)
				return
			}
			if !errors.Is(err, transport.ErrAddress) || !strings.Contains(err.Error(), tt.says) ||
				strings.Contains(err.Error(), "tcp://") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestHost(t *testing.T) {
	for address, want := range map[string]string{
		"host.test:5557": "host.test", "127.0.0.1:0;host.test:1": "host.test", "[::1]:5": "::1", "sim": "sim",
	} {
		if got := host(address); got != want {
			t.Errorf("%s: got %s", address, got)
		}
	}
}

func TestTaken(t *testing.T) {
	l := listen(t, binding(), "127.0.0.1:0")
	_, err := binding().Listen(t.Context(), l.Address())
	if !errors.Is(err, transport.ErrAddressInUse) || !strings.Contains(err.Error(), "tls://"+l.Address()) {
		t.Errorf("got %v", err)
	}
	if !l.(transport.NamedListener).Named(l.Address()) {
		t.Error("it does not know its own name")
	}
	must(t, l.Close())
	if _, err := connecting().Dial(within(t), l.Address()); err == nil || strings.Contains(err.Error(), "tcp://") {
		t.Errorf("got %v", err)
	}
	if _, err := l.Accept(); err == nil || strings.Contains(err.Error(), "tcp://") {
		t.Errorf("got %v", err)
	}
}

func TestKeyHash(t *testing.T) {
	k := ours().key
	digits, base64 := hex.EncodeToString(k[:]), strings.TrimPrefix(k.String(), "sha256//")
	for name, text := range map[string]string{
		"as printed": k.String(), "Base64": base64, "digits": digits, "capitals": strings.ToUpper(digits),
		"openssl": "sha256:" + digits,
	} {
		if got, err := ParseKeyHash(text); err != nil || got != k {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
	for name, text := range map[string]string{
		"empty": "", "prefix alone": "sha256//", "short": base64[:40], "other hash": "sha512//" + base64,
		"blank":              " " + base64,
		"digits with a slip": "g" + digits[1:], "line break": base64[:20] + "\n" + base64[20:], "twice": base64 + base64,
	} {
		if got, err := ParseKeyHash(text); !errors.Is(err, ErrKeyHash) || got != (KeyHash{}) {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
}

// FuzzKeyHash: what is accepted comes back as it was, whichever way it was written.
func FuzzKeyHash(f *testing.F) {
	f.Add("sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	f.Add("sha256:" + strings.Repeat("0a", 32))
	f.Add("sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=")
	f.Fuzz(func(t *testing.T, s string) {
		k, err := ParseKeyHash(s)
		if err != nil {
			if !errors.Is(err, ErrKeyHash) || k != (KeyHash{}) {
				t.Fatalf("%v, %v", k, err)
			}
			return
		}
		if again, err := ParseKeyHash(k.String()); err != nil || again != k {
			t.Fatalf("%v, %v", again, err)
		}
	})
}

// FuzzPins: a list has no more keys than lines, and each of them is in it as text.
func FuzzPins(f *testing.F) {
	f.Add([]byte("# remark\n\nsha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= me\r\n"))
	f.Add([]byte("x"))
	f.Fuzz(func(t *testing.T, text []byte) {
		pins, err := parsePins(text)
		if err != nil && pins != nil {
			t.Fatal("half a list")
		}
		if len(pins) > strings.Count(string(text), "\n")+1 {
			t.Fatalf("%d keys", len(pins))
		}
	})
}

// FuzzAddress: no address makes it panic; what is valid has a canonical form that is valid and its own; what is not
// says so of a tls:// endpoint.
func FuzzAddress(f *testing.F) {
	for _, s := range []string{"127.0.0.1:5557", "*:*", "[::1]:1", "a:1;b:2", "tcp://x:1", ";", "eth0:5000-5100"} {
		f.Add(s, true)
		f.Add(s, false)
	}
	tr := New()
	f.Fuzz(func(t *testing.T, s string, bind bool) {
		use := transport.ForConnect
		if bind {
			use = transport.ForBind
		}
		if err := tr.Validate(s, use); err != nil {
			bad, ok := errors.AsType[*transport.AddressError](err)
			if !ok || !strings.HasPrefix(bad.Endpoint, "tls://") {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		canonical := tr.Canonical(s, use)
		if err := tr.Validate(canonical, use); err != nil || tr.Canonical(canonical, use) != canonical {
			t.Fatalf("%q has the form %q: %v", s, canonical, err)
		}
		_ = host(canonical)
	})
}
