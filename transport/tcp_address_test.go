package transport

import (
	"errors"
	"testing"
)

func TestTCPValidate(t *testing.T) {
	const (
		wildcard = "a wildcard can be bound, not connected to; name the peer's host, as in tcp://127.0.0.1:5557"
		aRange   = "a range of ports can be bound, not connected to; write the port that the peer has bound"
		limits   = "write the lower and the upper one, from 1 to 65535, as in tcp://*:5000-5100"
		anyPort  = "(any free one) can be bound, not connected to; write the port that the peer has bound"
	)
	for _, tc := range []struct {
		name, address string
		bind, connect string // "" is valid; else the text after the endpoint
	}{
		{"IPv4", "127.0.0.1:5557", "", ""},
		{"IPv6", "[::1]:5557", "", ""},
		{"IPv6 zone", "[fe80::1%eth0]:5557", "", ""},
		{"host name", "a-b.example_1.org:65535", "", ""},
		{"interface name", "eth0.7:5557", "", ""},
		{"no host", ":5557", "", wildcard},
		{"star", "*:5557", "", wildcard},
		{"IPv4 wildcard", "0.0.0.0:5557", "", wildcard},
		{"IPv6 wildcard", "[::]:5557", "", wildcard},
		{"IPv4 in brackets", "[127.0.0.1]:5557", "", ""},
		{"name in brackets", "[host]:5557", "", ""},
		{"star in brackets", "[*]:*", "", wildcard},
		{"IPv4 wildcard in brackets", "[0.0.0.0]:5557", "", wildcard},
		{
			"source in brackets", "[127.0.0.1]:0;[host]:5",
			"a source address (before ';') is for connecting; write it as tcp://[127.0.0.1]:0", "",
		},
		{"range", "*:5000-5100", "", wildcard},
		{"range of an interface", "eth0:5000-5000", "", aRange},
		{"range to connect to", "127.0.0.1:5000-5100", "", aRange},
		{"range upside down", "h:5001-5000", `"5001-5000" is not a range of ports; ` + limits, aRange},
		{"range from 0", "h:0-9", `"0-9" is not a range of ports; ` + limits, aRange},
		{"range too far", "h:65535-65536", `"65535-65536" is not a range of ports; ` + limits, aRange},
		{"open range", "h:5000-", `"5000-" is not a range of ports; ` + limits, aRange},
		{"range of ranges", "h:1-2-3", `"1-2-3" is not a range of ports; ` + limits, aRange},
		{
			"range in a source", "h:1-2;h:5", "a source address (before ';') is for connecting; write it as tcp://h:1-2",
			"source address: a range of ports can be bound, not connected from; write one port, or 0 for any free one",
		},
		{"port 0", "127.0.0.1:0", "", "port 0 " + anyPort},
		{"port 00", "127.0.0.1:00", "", "port 0 " + anyPort},
		{"port star", "127.0.0.1:*", "", "port * " + anyPort},
		{
			"source", "127.0.0.1:0;10.0.0.1:5", "a source address (before ';') is for connecting; write it as tcp://127.0.0.1:0",
			"",
		},
		{"source star", "*:*;h:5", "a source address (before ';') is for connecting; write it as tcp://*:*", ""},
		{
			"bad source", "1.2.3:0;h:5", "a source address (before ';') is for connecting; write it as tcp://1.2.3:0",
			`source address: "1.2.3" is not an IPv4 address; write four numbers from 0 to 255, as in tcp://127.0.0.1:5557`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for use, want := range map[Use]string{ForBind: tc.bind, ForConnect: tc.connect} {
				checkValidate(t, NewTCP(), tc.address, use, want)
			}
		})
	}
}

// Wrong for either use, with the same words.
func TestTCPValidateBad(t *testing.T) {
	const example = "write it as in tcp://127.0.0.1:5557"
	for _, tc := range []struct{ name, address, want string }{
		{"empty", "", "no host and no port; write it as tcp://host:port"},
		{"no port", "127.0.0.1", "no port; add one, as in tcp://127.0.0.1:5557"},
		{"empty port", "127.0.0.1:", "no port; add one, as in tcp://127.0.0.1:5557"},
		{"no port, v6", "[::1]", "no port; add one, as in tcp://[::1]:5557"},
		{"port too large", "h:65536", `port "65536" is not a number from 0 to 65535; ` + example},
		{"negative port", "h:-1", `port "-1" is not a number from 0 to 65535; ` + example},
		{"plus sign", "h:+1", `port "+1" is not a number from 0 to 65535; ` + example},
		{"service name", "h:http", `port "http" is not a number from 0 to 65535; ` + example},
		{"path", "h:5/x", `port "5/x" is not a number from 0 to 65535; ` + example},
		{"v6 without brackets", "::1", "IPv6 address without brackets and no port; write it as tcp://[::1]:5557"},
		{
			"v6 without brackets, port", "fe80:::5",
			"more than one ':' outside brackets; write an IPv6 address as tcp://[fe80::]:5",
		},
		{"open bracket", "[::1:5", "no ']' after the IPv6 address; write it as in tcp://[::1]:5557"},
		{
			"nothing in brackets", "[]:5",
			"no host in the brackets; write it as in tcp://[::1]:5557, or tcp://*:5557 for every address",
		},
		{"brackets in brackets", "[[::1]]:5", `"]:5" after the ']'; write it as in tcp://[[::1]:5557`},
		{"not IPv6 in brackets", "[fe80::zz]:5", `"fe80::zz" is not an IPv6 address; write it as in tcp://[::1]:5557`},
		{
			"IPv4 out of range in brackets", "[127.0.0.300]:5",
			`"127.0.0.300" is not an IPv4 address; write four numbers from 0 to 255, as in tcp://127.0.0.1:5557`,
		},
		{"after the bracket", "[::1]5", `"5" after the ']'; write it as in tcp://[::1]:5557`},
		{
			"IPv4 out of range", "127.0.0.300:5",
			`"127.0.0.300" is not an IPv4 address; write four numbers from 0 to 255, as in tcp://127.0.0.1:5557`,
		},
		{
			"short IPv4", "127.1:5",
			`"127.1" is not an IPv4 address; write four numbers from 0 to 255, as in tcp://127.0.0.1:5557`,
		},
		{"user", "me@h:5", `'@' in the host; write it as in tcp://host:port`},
		{"space", "a b:5", `' ' in the host; write it as in tcp://host:port`},
		{"slash", "/x:5", `'/' in the host; write it as in tcp://host:port`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			checkValidate(t, NewTCP(), tc.address, ForBind, tc.want)
			checkValidate(t, NewTCP(), tc.address, ForConnect, tc.want)
		})
	}
}

// checkValidate compares the whole message; want "" means valid.
func checkValidate(t *testing.T, tr Transport, address string, use Use, want string) {
	t.Helper()
	err := tr.Validate(address, use)
	if want == "" {
		if err != nil {
			t.Errorf("%s: %v", use, err)
		}
		return
	}
	want = `transport: endpoint "` + tr.Scheme() + "://" + address + `": ` + want
	if err == nil || err.Error() != want {
		t.Errorf("%s: got  %v\nwant %s", use, err, want)
	}
	if !errors.Is(err, ErrAddress) {
		t.Errorf("%s: not an ErrAddress", use)
	}
}

func TestTCPCanonical(t *testing.T) {
	for _, tc := range []struct {
		name, want string
		use        Use
		spellings  []string
	}{
		{"IPv4", "127.0.0.1:5557", ForConnect, []string{"[127.0.0.1]:5557", "127.0.0.1:05557"}},
		{"IPv6", "[::1]:5557", ForConnect, []string{"[0:0:0:0:0:0:0:1]:5557", "[::0001]:5557"}},
		{"zone", "[fe80::1%Eth0]:5", ForConnect, []string{"[FE80:0::1%Eth0]:5"}},
		{"host", "host.example:5557", ForConnect, []string{"Host.Example:5557", "[host.EXAMPLE]:05557"}},
		{"source", "Eth0:*;host:5", ForConnect, []string{"Eth0:0;HOST:5", "[Eth0]:*;[host]:5"}},
		{"every address", "*:5557", ForBind, []string{":5557", "[*]:5557"}},
		{"any port", "[::1]:*", ForBind, []string{"[::1]:0", "[0::1]:*"}},
		{"range", "*:5000-5100", ForBind, []string{":05000-05100", "*:5000-5100"}},
		{"range of one", "*:5000", ForBind, []string{"*:5000-5000"}},
		{"interface", "Eth0:5557", ForBind, []string{"[Eth0]:5557"}},
		{"nonsense", "x", ForBind, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, s := range append(tc.spellings, tc.want) {
				if got := NewTCP().Canonical(s, tc.use); got != tc.want {
					t.Errorf("%s: got %s, want %s", s, got, tc.want)
				}
			}
		})
	}
}
