package transport

import (
	"errors"
	"strings"
	"testing"
)

func TestParseEndpoint(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		want     Endpoint
	}{
		{"tcp", "tcp://127.0.0.1:5557", Endpoint{"tcp", "127.0.0.1:5557"}},
		{"tcp v6", "tcp://[::1]:5557", Endpoint{"tcp", "[::1]:5557"}},
		{"tcp wildcard", "tcp://*:*", Endpoint{"tcp", "*:*"}},
		{"tcp source", "tcp://eth0:0;host:5", Endpoint{"tcp", "eth0:0;host:5"}},
		{"upper-case scheme", "TCP://Host:5", Endpoint{"tcp", "Host:5"}},
		{"ipc", "ipc:///run/a b", Endpoint{"ipc", "/run/a b"}},
		{"ipc abstract", "ipc://@name", Endpoint{"ipc", "@name"}},
		{"ipc wildcard", "ipc://*", Endpoint{"ipc", "*"}},
		{"inproc", "inproc://größe", Endpoint{"inproc", "größe"}},
		{"unknown scheme", "x-1.y+z://a", Endpoint{"x-1.y+z", "a"}},
		{"separator in the address", "inproc://a://b", Endpoint{"inproc", "a://b"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := ParseEndpoint(tc.in)
			if err != nil || got != tc.want {
				t.Fatalf("got %+v, %v; want %+v", got, err, tc.want)
			}
			if again, err := ParseEndpoint(got.String()); err != nil || again != got {
				t.Fatalf("parsing %q again: %+v, %v", got, again, err)
			}
		})
	}
}

func TestParseEndpointErrors(t *testing.T) {
	const scheme = "write a letter, then letters, digits, '+', '-' or '.', as in tcp://host:port"
	for _, tc := range []struct{ name, in, want string }{
		{"empty", "", `transport: endpoint "": it is empty; write it as tcp://host:port, ipc:///path or inproc://name`},
		{"no scheme", "127.0.0.1:5", `transport: endpoint "127.0.0.1:5": no scheme; write it as tcp://127.0.0.1:5`},
		{"no scheme, v6", "[::1]:5", `transport: endpoint "[::1]:5": no scheme; write it as tcp://[::1]:5`},
		{"no scheme, name", "host:5", `transport: endpoint "host:5": no scheme; write it as tcp://host:5`},
		{"no scheme, path", "/run/x", `transport: endpoint "/run/x": no scheme; write it as ipc:///run/x`},
		{"no scheme, abstract", "@x", `transport: endpoint "@x": no scheme; write it as ipc://@x`},
		{
			"no scheme, word", "x", `transport: endpoint "x": no scheme; write it as tcp://host:port, ipc:///path or inproc://x`,
		},
		{"empty scheme", "://h:5", `transport: endpoint "://h:5": no scheme; write it as tcp://h:5`},
		{
			"only the separator", "://",
			`transport: endpoint "://": no scheme and no address; write it as tcp://host:port, ipc:///path or inproc://name`,
		},
		{"one slash", "tcp:/x", `transport: endpoint "tcp:/x": no "://" after the scheme; write it as tcp://x`},
		{
			"one slash, upper case", "TCP:/h:5",
			`transport: endpoint "TCP:/h:5": no "://" after the scheme; write it as tcp://h:5`,
		},
		{
			"one slash, ipc", "ipc:/run/x",
			`transport: endpoint "ipc:/run/x": no "://" after the scheme; write it as ipc:///run/x`,
		},
		{
			"one slash, foreign scheme", "sim:/x",
			`transport: endpoint "sim:/x": no "://" after the scheme; write it as sim://x`,
		},
		{"no slash", "tcp:h:5", `transport: endpoint "tcp:h:5": no "://" after the scheme; write it as tcp://h:5`},
		{
			"no slash, nothing", "inproc:",
			`transport: endpoint "inproc:": no "://" after the scheme; write it as inproc://name`,
		},
		{"no address", "tcp://", `transport: endpoint "tcp://": no address; write it as tcp://host:port`},
		{"no address, ipc", "ipc://", `transport: endpoint "ipc://": no address; write it as ipc:///path`},
		{"no address, inproc", "inproc://", `transport: endpoint "inproc://": no address; write it as inproc://name`},
		{"no address, foreign", "SIM://", `transport: endpoint "SIM://": no address; write it as sim://address`},
		{
			"bad scheme", "t_p://x",
			`transport: endpoint "t_p://x": '_' in the scheme; ` + scheme,
		},
		{
			"scheme is a number", "1://x",
			`transport: endpoint "1://x": scheme "1" does not begin with a letter; ` + scheme,
		},
		{"space in front", " tcp://h:5", `transport: endpoint " tcp://h:5": white space around it; write it as tcp://h:5`},
		{"line end", "tcp://h:5\n", `transport: endpoint "tcp://h:5\n": white space around it; write it as tcp://h:5`},
		{"control character", "ipc:///a\x00b", `transport: endpoint "ipc:///a\x00b": control character '\x00'; remove it`},
		{"not UTF-8", "ipc:///\xff", `transport: endpoint "ipc:///\xff": it is not valid UTF-8; write it in UTF-8`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := ParseEndpoint(tc.in)
			if err == nil || err.Error() != tc.want {
				t.Fatalf("got %v\nwant %s", err, tc.want)
			}
			if got != (Endpoint{}) {
				t.Errorf("endpoint %+v beside an error", got)
			}
			if !errors.Is(err, ErrAddress) {
				t.Error("not an ErrAddress")
			}
		})
	}
}

func TestUseString(t *testing.T) {
	if got := ForBind.String() + " " + ForConnect.String(); got != "bind connect" {
		t.Errorf("got %q", got)
	}
}

func FuzzParseEndpoint(f *testing.F) {
	for _, s := range []string{
		"", "tcp://127.0.0.1:5557", "TCP://[::1]:0", "tcp://*:*", "tcp://a:1;b:2", "tcp:/x", "tcp:x", "ipc:///run/x",
		"ipc://@x", "ipc://*",
		"inproc://a://b", "://", "x://", "127.0.0.1:5", "tcp://[", "tcp://[]:1", "tcp://::1:5", "\x00", "\xff://a",
		" tcp://a:1", "K://a",
	} {
		f.Add(s)
	}
	transports := []Transport{NewTCP(), NewIPC(), NewInproc()}
	f.Fuzz(func(t *testing.T, s string) {
		e, err := ParseEndpoint(s)
		if err != nil {
			if !errors.Is(err, ErrAddress) || !strings.HasPrefix(err.Error(), "transport: endpoint ") {
				t.Fatalf("%q: odd error %v", s, err)
			}
			return
		}
		if e.Scheme == "" || e.Address == "" || e.Scheme != strings.ToLower(e.Scheme) {
			t.Fatalf("%q: odd endpoint %+v", s, e)
		}
		if again, err := ParseEndpoint(e.String()); err != nil || again != e {
			t.Fatalf("%q: %+v became %+v, %v", s, e, again, err)
		}
		for _, tr := range transports {
			for _, use := range []Use{ForBind, ForConnect} {
				if err := tr.Validate(e.Address, use); err != nil && !errors.Is(err, ErrAddress) {
					t.Fatalf("%s, %s: odd error %v", tr.Scheme(), use, err)
				}
			}
		}
	})
}
