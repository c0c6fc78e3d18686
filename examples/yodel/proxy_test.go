package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// proxyEndpoint waits until a side of a proxy listens and returns where.
func (p *tool) proxyEndpoint(side string) string {
	p.t.Helper()
	re := regexp.MustCompile(`(?m)^` + side + ` [A-Z]+ listening on (.+)$`)
	return re.FindStringSubmatch(p.stderr.waitFor(p.t, re.MatchString))[1]
}

func TestProxy(t *testing.T) {
	t.Run("requests", func(t *testing.T) {
		proxy := start(t, "proxy", "--frontend", "ROUTER", anyPort, "--backend", "DEALER", anyPort)
		startInput(t, "", "rep", "--connect", proxy.proxyEndpoint("backend"), "--exec", "tr a-z A-Z")
		req := startInput(t, "one\ntwo\n", "req", "--connect", proxy.proxyEndpoint("frontend"))
		req.exit(0)
		req.prints("ONE\nTWO\n")
		proxy.stop()
		proxy.exit(0)
		proxy.says("proxy: forwarded 2 messages, ")
		proxy.says(" to the backend and 2 messages, ")
		proxy.says("interrupted")
	})
	t.Run("publishers", func(t *testing.T) {
		proxy := start(t, "proxy", "--frontend", "xsub", anyPort, "--backend", "xpub", anyPort)
		sub := startInput(t, "", "sub", "--connect", proxy.proxyEndpoint("backend"), "--topic", "we", "--count", "1")
		// waits for the subscription
		pub := startInput(t, "weather\tfine\n", "pub", "--connect", proxy.proxyEndpoint("frontend"))
		pub.exit(0)
		sub.exit(0)
		sub.prints("weather\tfine\n")
		proxy.stop()
		proxy.exit(0)
	})
	t.Run("publishers, other way round", func(t *testing.T) {
		proxy := start(t, "proxy", "--backend=XSUB", anyPort, "--frontend=XPUB", ipcEndpoint(t))
		sub := startInput(t, "", "sub", "--connect", proxy.proxyEndpoint("frontend"), "--count", "1")
		startInput(t, "x\n", "pub", "--connect", proxy.proxyEndpoint("backend")).exit(0)
		sub.exit(0)
		proxy.stop()
		proxy.exit(0)
	})
	t.Run("work", func(t *testing.T) {
		proxy := start(t, "proxy", "--frontend", "PULL", anyPort, "--backend", "PUSH", anyPort)
		push := startInput(t, "a\tb\nc\n", "push", "--connect", proxy.proxyEndpoint("frontend"))
		push.exit(0)
		pull := startInput(t, "", "pull", "--connect", proxy.proxyEndpoint("backend"), "--count", "2") // starts late
		pull.exit(0)
		pull.prints("a\tb\nc\n")
		proxy.stop()
		proxy.exit(0)
		proxy.says("forwarded 2 messages, 3 B to the backend and 0 messages, 0 B to the frontend")
	})
	t.Run("chain by connecting", func(t *testing.T) {
		first := start(t, "proxy", "--frontend", "PULL", anyPort, "--backend", "PUSH", anyPort)
		pull := startInput(t, "", "pull", "--bind", anyPort, "--count", "1")
		second := start(t, "proxy", "--frontend", "PULL", "connect:"+first.proxyEndpoint("backend"), "--backend", "PUSH",
			"connect:"+pull.endpoint())
		startInput(t, "x\n", "push", "--connect", first.proxyEndpoint("frontend")).exit(0)
		pull.exit(0)
		for _, p := range []*tool{first, second} {
			p.stop()
			p.exit(0)
		}
	})
}

// TestProxyCapture: a copy of what goes in either direction.
func TestProxyCapture(t *testing.T) {
	proxy := start(t, "proxy", "--frontend", "ROUTER", anyPort, "--backend", "DEALER", anyPort, "--capture", anyPort,
		"--stats", "5ms")
	sub := start(t, "sub", "--connect", proxy.proxyEndpoint("capture"), "--format", "quoted")
	router := start(t, "router", "--connect", proxy.proxyEndpoint("backend"), "--format", "quoted", "--input", "quoted")
	dealer := start(t, "dealer", "--connect", proxy.proxyEndpoint("frontend"), "--id", "D")
	proxy.says("ledger PUB: 1 peer")
	for i := range 100 { // the subscription is there soon, but nothing says when
		ask, answer := fmt.Sprintf("ask %d", i), fmt.Sprintf("answer %d", i)
		dealer.types(ask + "\n")
		asked := router.stdout.waitFor(t, func(s string) bool { return strings.HasSuffix(s, `"`+ask+`"`+"\n") })
		last := strings.Split(strings.TrimSuffix(asked, "\n"), "\n")[i]
		router.types(strings.Replace(last, ask, answer, 1) + "\n")
		dealer.stdout.waitFor(t, func(s string) bool { return strings.HasSuffix(s, answer+"\n") })
		if sub.stdout.String() != "" {
			sub.stdout.waitFor(t, func(s string) bool { return strings.HasSuffix(s, `"D"`+"\t"+`"`+answer+`"`+"\n") })
			break
		}
	}
	if !strings.Contains(sub.stdout.String(), `"D"`) {
		t.Error("no copy came in 100 rounds")
	}
	proxy.stop()
	proxy.exit(0)
	proxy.says("interrupted")
}

func TestProxyEnds(t *testing.T) {
	t.Parallel()
	t.Run("nothing to forward", func(t *testing.T) {
		p := startInput(t, "", "proxy", "--frontend", "PULL", anyPort, "--backend", "PUSH", anyPort, "--timeout", "50ms")
		p.exit(3)
		p.says("nothing forwarded for 50ms")
	})
	t.Run("nothing more to forward", func(t *testing.T) {
		p := startInput(t, "", "proxy", "--frontend", "PULL", anyPort, "--backend", "PUSH", anyPort, "--timeout", "700ms")
		pull := startInput(t, "", "pull", "--connect", p.proxyEndpoint("backend"), "--count", "1")
		startInput(t, "", "push", "--connect", p.proxyEndpoint("frontend"), "--data", "x").exit(0)
		pull.exit(0)
		p.exit(0)
	})
	t.Run("messages left", func(t *testing.T) {
		p := start(t, "proxy", "--frontend", "PULL", anyPort, "--backend", "PUSH", "connect:"+ipcEndpoint(t), "--linger",
			"50ms", "--stats", "5ms")
		startInput(t, "a\nb\n", "push", "--connect", p.proxyEndpoint("frontend")).exit(0)
		p.says("ledger PUSH: 0 peers; out: accepted 2")
		p.stop()
		p.exit(1)
		p.says("2 messages not delivered: --linger passed")
		p.says("PUSH dropped 2 (socket closed)")
	})
	t.Run("drains", func(t *testing.T) {
		// Nobody takes anything until Ctrl-C; then all that has been received still goes out.
		at := ipcEndpoint(t)
		p := start(t, "proxy", "--frontend", "PULL", anyPort, "--backend", "PUSH", "connect:"+at, "--linger", "20s", "--hwm",
			"1", "--stats", "5ms")
		push := startInput(t, "a\nb\nc\n", "push", "--connect", p.proxyEndpoint("frontend"))
		push.exit(0)
		p.stderr.waitFor(t, func(s string) bool {
			return strings.Contains(s, "ledger PULL: 0 peers; out: accepted 0, delivered 0, queued 0; in: received 3")
		})
		p.stop()
		pull := startInput(t, "", "pull", "--bind", at, "--count", "3")
		pull.exit(0)
		pull.prints("a\nb\nc\n")
		p.exit(0)
	})
	t.Run("cannot bind", func(t *testing.T) {
		p := startInput(t, "", "proxy", "--frontend", "PULL", anyPort, "--backend", "PUSH", "ipc:///no/such/directory/s")
		p.exit(1)
		p.says("/no/such/directory/s")
	})
	t.Run("quiet", func(t *testing.T) {
		p := startInput(t, "", "--quiet", "proxy", "--frontend", "PULL", anyPort, "--backend", "PUSH", anyPort, "--stats",
			"5ms")
		p.says("ledger PUSH")
		p.stop()
		p.exit(0)
		if s := p.stderr.String(); strings.Contains(s, "listening") || strings.Contains(s, "forwarded") {
			t.Errorf("stderr %q", s)
		}
	})
}

func TestProxyUsage(t *testing.T) {
	for _, tc := range []struct{ name, args, says string }{
		{"nothing", "", "needs --frontend TYPE ENDPOINT and --backend TYPE ENDPOINT"},
		{"one side", "--frontend ROUTER ipc://x", "needs --frontend"},
		{"no endpoint", "--frontend ROUTER --backend DEALER ipc://x", "a socket type and one endpoint"},
		{"no type", "--frontend ipc://x --backend DEALER ipc://y", "a socket type and one endpoint"},
		{"nothing after", "--backend DEALER ipc://x --frontend", "needs --frontend"},
		{"two endpoints", "--frontend ROUTER ipc://x ipc://y --backend DEALER ipc://z", "a socket type and one endpoint"},
		{"unknown type", "--frontend REQ ipc://x --backend REP ipc://y", "a proxy has no REQ side"},
		{"no pair", "--frontend ROUTER ipc://x --backend PUSH ipc://y", "cannot join ROUTER with PUSH"},
		{"same", "--frontend PULL ipc://x --backend PULL ipc://y", "cannot join PULL with PULL"},
		{"bad endpoint", "--frontend ROUTER localhost:5 --backend DEALER ipc://y", "tcp://localhost:5"},
		{
			"wildcard connected to", "--frontend ROUTER connect:tcp://127.0.0.1:* --backend DEALER ipc://y",
			"can be bound, not connected to",
		},
		{"bad capture", "--frontend ROUTER ipc://x --backend DEALER ipc://y --capture z", "z"},
		{"argument", "now --frontend ROUTER ipc://x --backend DEALER ipc://y", "now"},
		{"negative", "--frontend ROUTER ipc://x --backend DEALER ipc://y --linger -1s", "negative"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := startInput(t, "", append([]string{"proxy"}, strings.Fields(tc.args)...)...)
			p.exit(2)
			p.says(tc.says)
		})
	}
}

func TestJoinSides(t *testing.T) {
	for _, tc := range []struct{ name, args, want string }{
		{"both", "proxy --frontend A B --backend C D", "proxy|--frontend=A B|--backend=C D"},
		{"equals", "proxy --frontend=A B --json", "proxy|--frontend=A B|--json"},
		{"flags around", "--json proxy --hwm 5 --backend C D --capture E", "--json|proxy|--hwm|5|--backend=C D|--capture|E"},
		{"nothing after", "proxy --frontend", "proxy|--frontend="},
		{"another verb", "push --frontend A B", "push|--frontend|A|B"},
		{"no verb", "--json", "--json"},
		{"none", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := strings.Join(joinSides(strings.Fields(tc.args)), "|"); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
	if got := joinSides([]string{"proxy", "--frontend", "A B", "--quiet"}); !slices.Equal(got,
		[]string{"proxy", "--frontend=A B", "--quiet"}) {
		t.Errorf("one word: %q", got)
	}
}
