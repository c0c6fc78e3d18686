package main

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestUsage(t *testing.T) {
	for _, tc := range []struct {
		name   string
		args   string
		status int
		says   string
	}{
		{"nothing", "", 2, "a command is missing"},
		{"unknown verb", "surf --bind ipc://x", 2, `unknown command "surf"`},
		{"key without a file", "keygen", 2, "accepts 1 arg"},
		{"certificate without a name", "keygen --tls= f", 2, "--tls is empty"},
		{"slip", "pish", 2, "did you mean push?"},
		{"no endpoint", "push", 2, "--bind or --connect"},
		{"unknown flag", "push --bind ipc://x --nope", 2, "unknown flag: --nope"},
		{"flag of another verb", "push --bind ipc://x --format hex", 2, "unknown flag: --format"},
		{"argument", "push ipc://x", 2, "ipc://x"},
		{"no scheme", "push --connect localhost:5555", 2, "tcp://localhost:5555"},
		{"unknown scheme", "push --connect udp://localhost:5555", 2, "udp"},
		{"no port", "push --connect tcp://localhost", 2, "no port"},
		{"wildcard connected to", "pull --connect tcp://127.0.0.1:*", 2, "can be bound, not connected to"},
		{"bad duration", "pull --bind ipc://x --timeout 5parsecs", 2, "5parsecs"},
		{"negative count", "pull --bind ipc://x --count -1", 2, "--count is negative"},
		{"negative timeout", "pull --bind ipc://x --timeout -1s", 2, "--timeout is negative"},
		{"bad format", "pull --bind ipc://x --format xml", 2, "line, quoted, hex, json, raw"},
		{"bad input form", "dealer --bind ipc://x --input raw", 2, "line, quoted, hex, json"},
		{"two-way, no endpoint", "router", 2, "--bind or --connect"},
		{"two-way, flag of another", "pair --bind ipc://x --topic t", 2, "unknown flag: --topic"},
		{"json against format", "pull --bind ipc://x --json --format raw", 2, "contradict"},
		{"bad escape", `push --bind ipc://x --delim \q`, 2, `--delim "\\q"`},
		{"data and file", "push --bind ipc://x --data a --file b", 2, "exclude each other"},
		{"echo and exec", "rep --bind ipc://x --echo --exec cat", 2, "exclude each other"},
		{
			"bad overflow", "push --bind ipc://x --overflow never", 2,
			"block, conflate, disconnect, drop-newest, drop-oldest, reject",
		},
		{"overflow of a spool", "push --bind ipc://x --spool d --overflow conflate", 2, "block drop-oldest reject"},
		{"empty dedup", "pull --bind ipc://x --dedup=", 2, "--dedup is empty"},
		{"subscriber without notes", "sub --bind ipc://x --subscriber n", 2, "--subscriber is for --dedup"},
		{"empty subscriber", "sub --bind ipc://x --dedup d --subscriber=", 2, "--subscriber \"\": it must have 1 to 200"},
		{
			"long subscriber", "sub --bind ipc://x --dedup d --subscriber " + strings.Repeat("x", 201), 2,
			"it must have 1 to 200",
		},
		{"subscriber of a pull", "pull --bind ipc://x --dedup d --subscriber n", 2, "unknown flag: --subscriber"},
		{"subscriber of an xsub", "xsub --bind ipc://x --subscriber n", 2, "unknown flag: --subscriber"},
		{"spool of an xpub", "xpub --bind ipc://x --spool d", 2, "unknown flag: --spool"},
		{"overflow of a kept topic", "pub --bind ipc://x --spool d --overflow disconnect", 2, "block drop-oldest reject"},
		{"spool-max without spool", "push --bind ipc://x --spool-max 1048576", 2, "--spool-max is for --spool"},
		{"small spool", "push --bind ipc://x --spool d --spool-max 1000", 2, "at least 1048576 bytes"},
		{"empty spool", "push --bind ipc://x --spool=", 2, "--spool is empty"},
		{"spool that is none", "push --bind ipc://x --spool /dev/null", 1, "/dev/null"},
		{"overflow of a receiver", "pull --bind ipc://x --overflow block", 2, "unknown flag: --overflow"},
		{"time limit for nothing", "rep --bind ipc://x --exec-timeout 1s", 2, "--exec-timeout is for --exec"},
		{"negative time limit", "rep --bind ipc://x --exec cat --exec-timeout -1s", 2, "--exec-timeout is negative"},
		{"empty exec", "rep --bind ipc://x --exec=", 2, "--exec is empty"},
		{"long id", "req --connect ipc://x --id " + strings.Repeat("x", 256), 2, "1 to 255 bytes"},
		{"bench unknown transport", "bench recv udp://localhost:1", 2, "no such transport"},
		{"bench alone", "bench", 2, "ping, publish"},
		{"bench unknown", "bench swim", 2, `unknown command "swim"`},
		{"bench no endpoint", "bench recv", 2, "bench recv needs an endpoint, such as tcp://127.0.0.1:5557\n"},
		{"bench count", "bench inproc --count 0", 2, "--count 0"},
		{"bench size", "bench inproc --size -1", 2, "--size"},
		{"bench endpoint", "bench send localhost:1", 2, "tcp://localhost:1"},
		{"bench curve", "bench recv ipc://x --curve-key k", 2, "--curve-key needs --curve-server-key"},
		{"bench curve inproc", "bench inproc --curve-server --curve-key k", 2, "within one process"},
		{"two mechanisms", "pull --bind ipc://x --plain u:p --curve-server --curve-key k", 2, "one mechanism"},
		{"plain without a colon", "push --connect ipc://x --plain sesame", 2, "--plain: it must be USER:PASS"},
		{"both ends of plain", "push --connect ipc://x --plain u:p --plain-server f", 2, "one is for a client"},
		{"both ends of curve", "push --connect ipc://x --curve-server --curve-key k --curve-server-key z", 2, "one is for a"},
		{"server without a key", "pull --bind ipc://x --curve-server", 2, "--curve-server needs --curve-key"},
		{"list for nobody", "pull --bind ipc://x --curve-allow f", 2, "--curve-allow is for --curve-server"},
		{"bad key", "push --connect ipc://x --curve-server-key abc", 2, "want the 40 of a key"},
		{"no key file", "pull --bind ipc://x --curve-server --curve-key /no/such/file", 1, "/no/such/file"},
		{"no list of users", "pull --bind ipc://x --plain-server /no/such/file", 1, "/no/such/file"},
		{"empty plain server", "pull --bind ipc://x --plain-server=", 2, "--plain-server is empty"},
		{"half a certificate", "push --connect tls://h:1 --tls-cert f", 2, "belong together"},
		{"tls bound with nothing", "pull --bind tls://*:1", 2, "needs --tls-cert"},
		{"tls bound for nobody", "pull --bind tls://*:1 --tls-cert c --tls-key k", 2, "--tls-any-client"},
		{"tls for nothing", "push --connect tcp://h:1 --tls-ca f", 2, "of which there is none"},
		{"bad pin", "push --connect tls://h:1 --tls-pin abc", 2, "not the hash of a key"},
		{"pins twice", "push --connect tls://h:1 --tls-pin abc --tls-pins f", 2, "exclude each other"},
		{"tls without a port", "push --connect tls://h", 2, "tls://h:5557"},
		{"service name", "pull --announce My_Service", 2, `--announce "My_Service": it must have 1 to 63`},
		{"empty service", "push --find=", 2, `--find ""`},
		{"long group", "push --find x --group " + strings.Repeat("g", 64), 2, "--group"},
		{"peers argument", "peers work", 2, "work"},
		{"peers group", "peers --group=", 2, `--group ""`},
		{"peers timeout", "peers --timeout -1s", 2, "--timeout is negative"},
		{"monitor alone", "monitor", 2, "pub, pull"},
		{"monitor flags", "monitor pull", 2, "--bind or --connect"},
		{"version argument", "version now", 2, "now"},
		{"call without a method", "call --connect ipc://x", 2, "a METHOD is missing: yodel call METHOD"},
		{"call an endpoint", "call ipc://x", 2, "an endpoint goes to --connect"},
		{"call, too many", "call m n --connect ipc://x", 2, `unexpected argument "n"`},
		{"call nowhere", "call m", 2, "no endpoint: give --connect, or --find, at least once"},
		{"call does not bind", "call m --bind ipc://x", 2, "--bind is not for call: it has --connect"},
		{"call is not announced", "call m --announce x", 2, "--announce is not for call: it has --find"},
		{"call with no JSON", "call m --connect ipc://x --data a", 2, "write a text as"},
		{"call once with an empty key", "call m --connect ipc://x --once=", 2, "--once \"\""},
		{"call a stream once", "call m --connect ipc://x --once k --stream", 2, "a stream is not tried again"},
		{"call with a stream once", "call m --connect ipc://x --once k --stream-input", 2, "a stream is not tried again"},
		{"negative hedge", "call m --connect ipc://x --hedge -1s", 2, "--hedge is negative"},
		{"method of ours", "serve yodel.ping --bind ipc://x --exec cat", 2, "the service's own"},
		{"long method", "serve " + strings.Repeat("m", 256) + " --bind ipc://x --exec cat", 2, "1 to 255 bytes"},
		{"serve nothing", "serve m --bind ipc://x", 2, "--exec is missing"},
		{"serve does not find", "serve m --find x --exec cat", 2, "--find is not for serve: it has --announce"},
		{"serve nowhere", "serve m --exec cat", 2, "give --bind or --connect, or --announce, at least once"},
		{"serve by none", "serve m --bind ipc://x --exec cat --parallel 0", 2, "--parallel 0"},
		{"no list of callers", "serve m --bind ipc://x --exec cat --plain-server /no/such/file", 1, "/no/such/file"},
		{"publish nothing", "publish --bind ipc://x", 2, "a SUBJECT is missing: yodel publish SUBJECT"},
		{"publish to a pattern", "publish a.* --bind ipc://x", 2, `SUBJECT "a.*"`},
		{"publish an endpoint", "publish ipc://x", 2, "an endpoint goes to --bind"},
		{"publish does not connect", "publish a --connect ipc://x", 2, "--connect is not for publish: it has --bind"},
		{"publish with a bad overflow", "publish a --bind ipc://x --overflow never", 2, "block, conflate"},
		{"publish to a small spool", "publish a --bind ipc://x --spool d --spool-max 1000", 2, "at least 1048576 bytes"},
		{"publish, overflow of a spool", "publish a --bind ipc://x --spool d --overflow conflate", 2, "block drop-oldest"},
		{"publish and reject", "publish a --bind ipc://x --spool d --overflow reject", 2, "takes [block drop-oldest]"},
		{"subscribe to nothing", "subscribe --connect ipc://x", 2, "a PATTERN is missing: yodel subscribe PATTERN..."},
		{"subscribe to no pattern", "subscribe a a..b --connect ipc://x", 2, `PATTERN "a..b"`},
		{"subscribe does not bind", "subscribe a --bind ipc://x", 2, "--bind is not for subscribe: it has --connect"},
		{"empty group of subscribers", "subscribe a --connect ipc://x --queue-group=", 2, "--queue-group \"\""},
		{"group and past", "subscribe a --connect ipc://x --queue-group g --last", 2, "--queue-group excludes --last"},
		{"subscribe, no name", "subscribe a --connect ipc://x --subscriber=", 2, "--subscriber \"\": it must have 1 to 200"},
		{"subscribe, two names", "subscribe a --connect ipc://x --subscriber n --queue-group g", 2, "--subscriber excludes"},
		{"submit an argument", "submit a --bind ipc://x", 2, `unexpected argument "a"`},
		{"submit nowhere", "submit", 2, "give --bind or --connect, or --announce or --find, at least once"},
		{"submit no JSON", "submit --bind ipc://x --data a", 2, "write a text as"},
		{"submit with an empty key", "submit --bind ipc://x --key=", 2, "--key \"\""},
		{"submit without attempts", "submit --bind ipc://x --max-attempts 0", 2, "--max-attempts 0"},
		{"submit, printing twice", "submit --bind ipc://x --wait --confirm", 2, "--wait and --confirm exclude each other"},
		{"submit to no spool", "submit --bind ipc://x --spool=", 2, "--spool is empty"},
		{"submit to a limit alone", "submit --bind ipc://x --spool-max 1048576", 2, "--spool-max is for --spool"},
		{"submit to what is no spool", "submit --bind ipc://x --spool /dev/null", 1, "/dev/null"},
		{"work on nothing", "work --bind ipc://x", 2, "--exec is missing"},
		{"work for an endpoint", "work ipc://x --exec cat", 2, "an endpoint goes to --bind or --connect"},
		{"work with a time of no unit", "work --bind ipc://x --exec cat --retry-after 5", 2, "say the unit"},
		{"cannot bind", "pull --bind ipc:///no/such/directory/s", 1, "/no/such/directory/s"},
		{"no such file", "push --connect ipc://x --file /no/such/file", 1, "/no/such/file"},
		{"no name to look up", "push --bind tcp://no-such-host.invalid:1", 1, "no-such-host.invalid"},
		{"help", "--help", 0, ""},
		{"help of a verb", "sub --help", 0, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := startInput(t, "", strings.Fields(tc.args)...)
			p.exit(tc.status)
			if !strings.Contains(p.stderr.String(), tc.says) {
				t.Errorf("stderr %q lacks %q", p.stderr, tc.says)
			}
			if tc.status != 0 && p.stdout.String() != "" {
				t.Errorf("stdout %q", p.stdout)
			}
		})
	}
}

func TestHelpNamesEveryVerb(t *testing.T) {
	p := startInput(t, "", "--help")
	p.exit(0)
	for _, verb := range []string{
		"push", "pull", "pub", "sub", "req", "rep", "pair", "dealer", "router", "xpub", "xsub", "proxy", "bench", "monitor",
		"peers", "call", "serve", "publish", "subscribe", "submit", "work",
		"spool", "keygen", "version",
	} {
		if !strings.Contains(p.stdout.String(), "\n  "+verb+" ") {
			t.Errorf("the help lacks %s:\n%s", verb, p.stdout)
		}
	}
}

func TestVersion(t *testing.T) {
	p := startInput(t, "", "version")
	p.exit(0)
	if !strings.HasPrefix(p.stdout.String(), "yodel ") || !strings.Contains(p.stdout.String(), "ZMTP 3.1") {
		t.Errorf("stdout %q", p.stdout)
	}
	p = startInput(t, "", "version", "--json")
	p.exit(0)
	var v map[string]string
	if err := json.Unmarshal([]byte(p.stdout.String()), &v); err != nil || v["version"] == "" {
		t.Errorf("stdout %q: %v", p.stdout, err)
	}
}

func TestUnescape(t *testing.T) {
	for _, tc := range []struct {
		name, in, want string
		bad            bool
	}{
		{name: "empty"},
		{name: "plain", in: "|", want: "|"},
		{name: "two", in: "::", want: "::"},
		{name: "tab", in: `\t`, want: "\t"},
		{name: "nul", in: `\x00`, want: "\x00"},
		{name: "high byte", in: `\xff`, want: "\xff"},
		{name: "rune", in: `\u00e9`, want: "é"},
		{name: "unicode", in: "→", want: "→"},
		{name: "quotes", in: `"'`, want: `"'`},
		{name: "backslash", in: `\\`, want: `\`},
		{name: "lone backslash", in: `\`, bad: true},
		{name: "unknown", in: `\q`, bad: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := unescape(tc.in)
			if (err != nil) != tc.bad || string(got) != tc.want {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}
