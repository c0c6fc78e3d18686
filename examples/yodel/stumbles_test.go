package main

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/discovery"
	"github.com/yodel-mq/yodel/socket"
)

// What newcomers stumble over, and what they are told; the numbers are those of the list that was made of it. Number 2
// and 3 are package socket's.

// nobody is where nobody listens, and what the kernel says of it.
const nobody = "tcp://127.0.0.1:1"

func wantMatch(t *testing.T, got, pattern string) {
	t.Helper()
	if !regexp.MustCompile(pattern).MatchString(got) {
		t.Errorf("%q does not match %s", got, pattern)
	}
}

func TestStumble01WhyThereIsNoPeer(t *testing.T) {
	t.Parallel()
	t.Run("refused", func(t *testing.T) {
		p := startInput(t, "", "push", "--connect", nobody, "--data", "hi", "--linger", "1s")
		p.says("push: tcp://127.0.0.1:1: connection refused; still trying (is the other side running?)\n")
		p.exit(1)
		wantMatch(t, p.stderr.String(),
			`\nyodel push: 1 message not delivered: --linger passed: no peer: connection refused \(\d attempts\)\n$`)
	})
	t.Run("another type", func(t *testing.T) {
		pull := startInput(t, "", "pull", "--bind", anyPort)
		sub := startInput(t, "", "sub", "--connect", pull.endpoint())
		sub.says("sub: " + pull.endpoint() + " is a PULL socket; a SUB needs PUB or XPUB\n")
		sub.stop()
		pull.stop()
		sub.exit(0)
		pull.exit(0)
	})
	t.Run("another program's port", func(t *testing.T) {
		ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		go func() {
			for {
				conn, err := ln.Accept()
				if err != nil {
					return
				}
				_, _ = conn.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
				_ = conn.Close()
			}
		}()
		at := "tcp://" + ln.Addr().String()
		push := startInput(t, "x\n", "push", "--connect", at)
		push.says("push: " + at + " accepts connections but does not speak ZMTP (another program's port?)\n")
		push.stop()
		push.exit(1)
	})
	t.Run("too large", func(t *testing.T) {
		pull := startInput(t, "", "pull", "--bind", anyPort)
		push := socket.NewPush(socket.WithLimits(socket.Limits{MaxMessage: -1}))
		defer push.Close()
		if err := push.Connect(pull.endpoint()); err != nil {
			t.Fatal(err)
		}
		if err := push.Send(t.Context(), socket.NewMsg(make([]byte, 70_000_000))); err != nil {
			t.Fatal(err)
		}
		pull.says(" was disconnected: a message of ")
		pull.stop()
		pull.exit(0)
		wantMatch(t, pull.stderr.String(),
			`pull: PUSH 127.0.0.1:\d+ was disconnected: a message of (at least )?70000000 bytes, the limit is 67108864\n`)
	})
}

func TestStumble04DeliveredNotAccepted(t *testing.T) {
	p := startInput(t, "", "push", "--connect", nobody, "--data", "hi", "--linger", "100ms")
	p.exit(1)
	p.says("push: 0 of 1 message delivered; 1 dropped (socket closed)\n")
	if strings.Contains(p.stderr.String(), "sent 1") {
		t.Errorf("it tells of what was never sent: %q", p.stderr)
	}
}

func TestStumble05WildcardsAreTold(t *testing.T) {
	p := startInput(t, "", "pull", "--bind", "tcp://*:0")
	p.says("(every interface; from here ")
	p.stop()
	p.exit(0)
	wantMatch(t, p.stderr.String(),
		`^listening on tcp://(\*|0\.0\.0\.0):\d+ \(every interface; from here tcp://[^ ,]+:\d+`+
			`(, from elsewhere tcp://[^)]+)?\)\n`)
	addrs := []net.Addr{
		&net.IPNet{IP: net.IPv4(127, 0, 0, 1)}, &net.IPNet{IP: net.ParseIP("fe80::1")},
		&net.IPNet{IP: net.IPv4(192, 0, 2, 2)},
	}
	if got, want := elsewhere("tcp", "5951", addrs), ", from elsewhere tcp://192.0.2.2:5951"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := wildcard("tcp://127.0.0.1:5951", []string{"tcp://127.0.0.1:5951"}); got != "tcp://127.0.0.1:5951" {
		t.Errorf("no wildcard, and yet %q", got)
	}
}

func TestStumble06WhyThereIsNoReply(t *testing.T) {
	t.Parallel()
	p := startInput(t, "", "req", "--connect", nobody, "--data", "hi", "--timeout", "1s")
	p.exit(3)
	p.says("yodel req: no reply for 1s: no peer (connection refused)\n")

	rep := socket.NewRep()
	defer rep.Close()
	at, err := rep.Bind(t.Context(), anyPort)
	if err != nil {
		t.Fatal(err)
	}
	p = startInput(t, "", "req", "--connect", at, "--data", "hi", "--timeout", "1s")
	p.exit(3)
	wantMatch(t, p.stderr.String(),
		`\nyodel req: no reply for 1s; REP 127.0.0.1:\d+ has had the request since [\d.]+m?s\n`)
}

func TestStumble07NamesThatNearlyMatch(t *testing.T) {
	t.Parallel()
	group := ownGroup()
	pull := startInput(t, "", "pull", "--announce", "work", "--interface", loopback(t), "--group", group)
	pull.says("announced as work")
	push := startInput(t, "x\n", "push", "--find", "worx", "--interface", loopback(t), "--group", group)
	sub := startInput(t, "", "sub", "--find", "work", "--interface", loopback(t), "--group", group)
	push.says("push: nobody in group " + group + ` announces "worx"; it has: work (PULL)` + "\n")
	sub.says(`sub: "work" is announced by 1 node, as PULL; a SUB needs PUB or XPUB` + "\n")
	for _, p := range []*tool{push, sub, pull} {
		p.stop()
		p.ends()
	}
}

func TestStumble08SlowSubscribers(t *testing.T) {
	var out strings.Builder
	r := &reached{name: "pub", overflow: "drop-newest", con: &console{w: &out}}
	got := r.words(socket.Event{Kind: socket.SlowPeer, Peer: &socket.Peer{Type: "SUB", Address: "127.0.0.1:4"}})
	if want := "SUB 127.0.0.1:4 is too slow, dropping (--overflow block waits for it)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, policy := range []string{"block", "reject", "newest", "oldest", "conflate", "disconnect"} {
		for _, verb := range []string{"pub", "xpub", "router"} {
			p := startInput(t, "", verb, "--bind", ipcEndpoint(t), "--overflow", policy, "--timeout", "10ms", "--data", "x")
			p.ends()
			if strings.Contains(p.stderr.String(), "--overflow") {
				t.Errorf("%s --overflow %s: %s", verb, policy, p.stderr)
			}
		}
	}
}

func TestStumble09TerminalEscapes(t *testing.T) {
	var out strings.Builder
	p := newPrinter(&out, "line", []byte("\t"))
	p.clean = true // as on a terminal
	if err := p.print(socket.Text("\x1b]0;pwned\x07\x1b[31m", "a\tb")); err != nil {
		t.Fatal(err)
	}
	if err := p.flush(); err != nil {
		t.Fatal(err)
	}
	if want := `\x1b]0;pwned\a\x1b[31m` + "\ta\tb\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

func TestStumble10JSONHasText(t *testing.T) {
	pull := startInput(t, "", "pull", "--bind", anyPort, "--format", "json", "--count", "2")
	push := startInput(t, `{"text":["a","ü"]}`+"\n"+`{"frames":["/w=="]}`+"\n", "push", "--connect", pull.endpoint(),
		"--input", "json", "--json")
	push.exit(0)
	pull.exit(0)
	wantMatch(t, pull.stdout.String(),
		`^\{"frames":\["YQ==","w7w="\],"from":"127.0.0.1:\d+","text":\["a","ü"\]\}`+"\n"+
			`\{"frames":\["/w=="\],"from":"127.0.0.1:\d+"\}`+"\n$")
	var sum summaryJSON
	if err := json.Unmarshal([]byte(push.stdout.String()), &sum); err != nil || sum.Event != "summary" ||
		sum.Accepted != 2 || sum.Delivered != 2 || len(sum.Dropped) != 0 {
		t.Errorf("stdout %q", push.stdout)
	}
	push = startInput(t, "", "push", "--connect", nobody, "--data", "x", "--json", "--linger", "0")
	push.exit(1)
	wantMatch(t, push.stdout.String(),
		`^\{"event":"summary","accepted":1,"delivered":0,"dropped":\{"socket closed":1\},"seconds":[\d.]+\}`+"\n$")
}

func TestStumble12HelpHasExamples(t *testing.T) {
	var names []string
	for _, v := range verbs {
		names = append(names, v.name)
	}
	for _, v := range taskVerbs() {
		names = append(names, v.name)
	}
	for _, name := range names {
		if n := strings.Count(examples[name], "\n") + 1; n != 3 {
			t.Errorf("%s has %d examples, want 3", name, n)
		}
		p := startInput(t, "", name, "--help")
		p.exit(0)
		if s := p.stdout.String(); !strings.Contains(s, "Examples:\n"+examples[name]) || strings.Contains(s, findHelp) {
			t.Errorf("the help of %s:\n%s", name, s)
		}
	}
	for _, topic := range []string{"endpoints", "discovery", "exit-status", "formats", "security"} {
		p := startInput(t, "", "help", topic)
		p.exit(0)
		p.prints(topics[topic] + "\n")
	}
}

func TestStumble13Version(t *testing.T) {
	for _, flag := range []string{"--version", "-v", "version"} {
		p := startInput(t, "", flag)
		p.exit(0)
		p.prints(versionLine() + "\n")
	}
}

// TestStumblesOfUsage are 14, 16 and 20: a command line that is wrong is told what would be right.
func TestStumblesOfUsage(t *testing.T) {
	for _, tc := range []struct{ name, args, says string }{
		{"14 help of nothing", "nosuch --help", "yodel: unknown command \"nosuch\"\n"},
		{"14 help for nothing", "help nosuch", "yodel help: unknown command \"nosuch\"\n"},
		{"14 another shell", "completion tcsh", "yodel completion: no completion for tcsh: bash, fish, powershell, zsh\n"},
		{
			"16 endpoint", "push tcp://127.0.0.1:1",
			"yodel push: an endpoint goes to --bind or --connect: yodel push --connect tcp://127.0.0.1:1\n",
		},
		{"16 one dash", "push -connect x", "yodel push: -connect: long flags take two dashes: --connect\n"},
		{"16 no unit", "pull --bind ipc://x --timeout 5", "yodel pull: --timeout \"5\": say the unit: 5s, 500ms, 1m\n"},
		{
			"16 bench", "bench recv",
			"yodel bench recv: bench recv needs an endpoint, such as tcp://127.0.0.1:5557\n",
		},
		{"16 slip", "pul", "yodel: unknown command \"pul\"; did you mean pub or pull?\n"},
		{
			"20 inproc", "pull --bind inproc://x",
			"yodel pull: endpoint \"inproc://x\": inproc is within one process; write it as tcp://host:port or ipc:///path\n",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := startInput(t, "", strings.Fields(tc.args)...)
			p.exit(2)
			if !strings.HasPrefix(p.stderr.String(), tc.says) {
				t.Errorf("stderr %q, want %q", p.stderr, tc.says)
			}
			if p.stdout.String() != "" {
				t.Errorf("stdout %q", p.stdout)
			}
		})
	}
}

func TestStumble15Completion(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ args, want string }{
		{"pull --format ", "line\nquoted\nhex\njson\nraw\n:4\n"},
		{"push --input ", "line\nquoted\nhex\njson\n:4\n"},
		{"pub --overflow ", "block\nconflate\ndisconnect\ndrop-newest\ndrop-oldest\nreject\n:4\n"},
		{"call ", ":4\n"},
		{"call m --connect ", "tcp://\nipc://\n:4\n"},
		{"serve m --bind ", "tcp://\nipc://\n:4\n"},
		{"serve m --announce ", ":4\n"},
		{"publish a --overflow ", "block\nconflate\ndisconnect\ndrop-newest\ndrop-oldest\nreject\n:4\n"},
		{"subscribe a ", ":4\n"},
		{"submit --connect ", "tcp://\nipc://\n:4\n"},
		{"work --announce ", ":4\n"},
		{"proxy --frontend ", "ROUTER\nDEALER\nXSUB\nXPUB\nPULL\nPUSH\n:4\n"},
	} {
		p := startInput(t, "", append([]string{"__complete"}, strings.Split(tc.args, " ")...)...)
		p.exit(0)
		p.prints(tc.want)
	}
	p := startInput(t, "", "__complete", "pull", "--interface", "")
	p.exit(0)
	if !strings.Contains(p.stdout.String(), loopback(t)+"\n") {
		t.Errorf("interfaces: %q", p.stdout)
	}
	group := ownGroup()
	pull := startInput(t, "", "pull", "--announce", "work", "--interface", loopback(t), "--group", group)
	pull.says("announced as work")
	p = startInput(t, "", "__complete", "push", "--interface", loopback(t), "--group", group, "--find", "")
	p.exit(0)
	p.prints("work\n:4\n")
	pull.stop()
	pull.exit(0)
	p = startInput(t, "", "--help")
	p.exit(0)
	if !strings.Contains(p.stdout.String(), "\n  completion ") {
		t.Error("completion is hidden")
	}
}

func TestStumble17Discards(t *testing.T) {
	t.Parallel()
	rep := startInput(t, "", "rep", "--bind", anyPort)
	dealer := startInput(t, "hello\n", "dealer", "--connect", rep.endpoint())
	rep.says("rep: a request without an empty frame in front was discarded" +
		" (a dealer must send one: a line that begins with the delimiter)\n")
	dealer.stop()
	dealer.exit(0)
	rep.stop()
	rep.exit(0)
}

// TestStumble19OneNode: what announces is the node that its sockets show.
func TestStumble19OneNode(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	group := ownGroup()
	cmd := exec.CommandContext(ctx, self, "pull", "--announce", "work", "--interface", loopback(t), "--group", group)
	cmd.Env = append(os.Environ(), asTool+"=1")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait() //nolint:errcheck // it was killed
	defer cancel()
	peers := startInput(t, "", "peers", "--interface", loopback(t), "--group", group, "--json", "--timeout", "20s")
	peers.exit(0)
	var at peerLineJSON
	if err := json.Unmarshal([]byte(peers.stdout.String()), &at); err != nil {
		t.Fatal(err)
	}
	var endpoint string
	for _, e := range at.Endpoints {
		if strings.HasPrefix(e, "ipc://") {
			endpoint = e
		}
	}
	push := socket.NewPush()
	defer push.Close()
	if err := push.Connect(endpoint); err != nil {
		t.Fatal(err)
	}
	if err := push.WaitPeers(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	ev := socket.Event{Kind: socket.PeerUp, Peer: push.Stats().Peers[0].Peer}
	if id := newEventLine(ev).Peer.ID; id != at.Node.String() || discovery.ID(ev.Peer.Node) != at.Node {
		t.Errorf("the socket's node is %s, that which announces %s", id, at.Node)
	}
}
