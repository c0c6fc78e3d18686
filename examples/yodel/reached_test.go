package main

import (
	"context"
	"errors"
	"iter"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// TestNobodyReached: who has no peer is told within a second which endpoint failed and how, and once more at the end.
func TestNobodyReached(t *testing.T) {
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	silent := "tcp://" + taken.Addr().String() // takes connections and says nothing
	t.Cleanup(func() { taken.Close() })
	t.Run("one endpoint spelled twice", func(t *testing.T) {
		rep := startInput(t, "", "rep", "--bind", anyPort)
		req := start(t, "req", "--connect", rep.endpoint(), "--connect", strings.Replace(rep.endpoint(), "tcp", "TCP", 1),
			"--timeout", "2s")
		req.types("a\n")
		req.prints("a\n")
		rep.stop()
		rep.exit(0)
		req.types("b\n")
		req.exit(1)
		req.says("yodel req: ")
		if s := req.stderr.String(); strings.Contains(s, "no answer yet") {
			t.Errorf("stderr %q", s)
		}
	})
	for _, verb := range []string{"push", "pub", "req", "pull", "sub", "dealer"} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			nobody := ipcEndpoint(t)
			p := startInput(t, "x\n", verb, "--connect", nobody, "--connect", "tcp://no-such-host.invalid:1", "--connect",
				silent)
			p.says(verb + ": " + nobody + ": no such file or directory; still trying (is the other side running?)\n")
			p.says(verb + ": tcp://no-such-host.invalid:1: ") // however names are looked up here
			p.says(verb + ": " + silent + ": no answer yet; still trying\n")
			p.stop()
			p.ends()
		})
		t.Run(verb+" in the end", func(t *testing.T) {
			t.Parallel()
			nobody := ipcEndpoint(t)
			p := startInput(t, "x\n", verb, "--connect", nobody, "--timeout", "2s", "--quiet")
			p.exit(3)
			p.says("no such file or directory")
			if verb != "req" {
				p.says("no peer: ")
			}
			if s := p.stderr.String(); strings.Count(s, "\n") != 1 {
				t.Errorf("stderr %q", s)
			}
		})
	}
	t.Run("proxy", func(t *testing.T) {
		nobody := ipcEndpoint(t)
		p := startInput(t, "", "proxy", "--frontend", "PULL", anyPort, "--backend", "PUSH", "connect:"+nobody)
		p.says("proxy: " + nobody + ": no such file or directory; still trying (is the other side running?)\n")
		p.stop()
		p.exit(0)
	})
	t.Run("bench", func(t *testing.T) {
		nobody := ipcEndpoint(t)
		p := startInput(t, "", "bench", "ping", nobody, "--timeout", "2s")
		p.says("bench: " + nobody + ": no such file or directory; still trying (is the other side running?)\n")
		p.exit(3)
		p.says(": no peer: no such file or directory (")
	})
	t.Run("another type", func(t *testing.T) {
		rep := startInput(t, "", "rep", "--bind", anyPort)
		push := startInput(t, "x\n", "push", "--connect", rep.endpoint())
		push.says("push: " + rep.endpoint() + " is a REP socket; a PUSH needs PULL\n")
		rep.says(" could not become a peer at " + rep.endpoint() + ": it is a PUSH socket; a REP needs REQ or DEALER\n")
		push.stop()
		push.exit(1)
		rep.stop()
		rep.exit(0)
	})
}

// TestOldPeersAreNamed: one that speaks an older ZMTP is told as such, by a verb and by monitor.
func TestOldPeersAreNamed(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, bytes, says string }{
		{"1", "\x01\x00", "the peer speaks ZMTP 1.0"},
		{"2", "\xff\x00\x00\x00\x00\x00\x00\x00\x00\x7f\x01\x08\x00\x00", "the peer speaks ZMTP 2.0"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			pull := startInput(t, "", "pull", "--bind", anyPort)
			mon := startInput(t, "", "monitor", "pull", "--bind", anyPort)
			for _, p := range []*tool{pull, mon} {
				conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(p.endpoint(), "tcp://"))
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				if _, err := conn.Write([]byte(tc.bytes)); err != nil {
					t.Fatal(err)
				}
			}
			pull.says(tc.says)
			mon.stdout.waitFor(t, func(s string) bool { return strings.Contains(s, tc.says) })
			for _, p := range []*tool{pull, mon} {
				p.stop()
				p.exit(0)
			}
		})
	}
}

// A story is a socket whose events come at given times.
type story []socket.Event

func (s story) Events(context.Context) iter.Seq[socket.Event] {
	return func(yield func(socket.Event) bool) {
		for _, ev := range s {
			time.Sleep(time.Until(ev.Time))
			if !yield(ev) {
				return
			}
		}
	}
}

func TestWhenItIsSaid(t *testing.T) {
	refused, unknown := errors.New("refused"), errors.New("unknown")
	type at struct {
		ms int
		ev socket.Event
	}
	connect := func(ms int, kind socket.EventKind, err error) at {
		return at{ms, socket.Event{Kind: kind, Endpoint: "there", Err: err}}
	}
	for _, tc := range []struct {
		name string
		all  []at
		want string // when and what
	}{
		{"there at once", []at{connect(10, socket.PeerUp, nil), connect(5000, socket.Closed, nil)}, ""},
		{"just starting", []at{
			connect(1, socket.ConnectFailed, refused), connect(101, socket.ConnectFailed, refused),
			connect(300, socket.PeerUp, nil), connect(5000, socket.Closed, nil),
		}, ""},
		{"never there", []at{
			connect(1, socket.ConnectFailed, refused), connect(700, socket.ConnectFailed, refused),
			connect(20000, socket.ConnectFailed, refused), connect(30000, socket.Closed, nil),
		}, "600ms push: there: refused; still trying\n"},
		{
			"silent",
			[]at{connect(3000, socket.ConnectFailed, unknown), connect(4000, socket.Closed, nil)},
			"600ms push: there: no answer yet; still trying\n3s push: there: unknown; still trying\n",
		},
		{"another reason", []at{
			connect(1, socket.ConnectFailed, unknown), connect(2000, socket.ConnectFailed, refused),
			connect(3000, socket.ConnectFailed, refused), connect(30000, socket.Closed, nil),
		}, "600ms push: there: unknown; still trying\n10.6s push: there: refused; still trying\n"},
		{"lost and found", []at{
			connect(1, socket.PeerUp, nil), connect(1000, socket.PeerDown, unknown),
			connect(1500, socket.PeerUp, nil), connect(5000, socket.Closed, nil),
		}, ""},
		{"lost", []at{
			connect(1, socket.PeerUp, nil), connect(1000, socket.PeerDown, unknown),
			connect(1100, socket.ConnectFailed, refused), connect(5000, socket.Closed, nil),
		}, "1.6s push: there: refused; still trying\n"},
		{"a stranger", []at{
			{1, socket.Event{Kind: socket.Listening, Endpoint: "here"}},
			connect(1, socket.PeerUp, nil),
			{2000, socket.Event{Kind: socket.HandshakeFailed, Endpoint: "here", Address: "afar", Err: unknown}},
			{3000, socket.Event{Kind: socket.HandshakeFailed, Endpoint: "here", Address: "near", Err: unknown}},
			connect(5000, socket.Closed, nil),
		}, "2s push: afar could not become a peer at here: unknown\n"},
		{"a look whether the port is open", []at{
			{1, socket.Event{Kind: socket.Listening, Endpoint: "here"}},
			connect(1, socket.PeerUp, nil),
			{2000, socket.Event{Kind: socket.HandshakeFailed, Endpoint: "here", Address: "afar", Err: zmtp.ErrSilent}},
			connect(5000, socket.Closed, nil),
		}, ""},
		{"closed while it tries", []at{
			connect(1, socket.PeerUp, nil), connect(1000, socket.PeerDown, socket.ErrDisconnected),
			connect(5000, socket.Closed, nil),
		}, ""},
		{"a stranger besides peers", []at{
			{1, socket.Event{Kind: socket.Listening, Endpoint: "here"}},
			connect(1, socket.PeerUp, nil),
			{2, socket.Event{Kind: socket.PeerUp, Endpoint: "here"}},
			{3, socket.Event{Kind: socket.PeerUp, Endpoint: "here"}},
			{4, socket.Event{Kind: socket.PeerDown, Endpoint: "here"}},
			{2000, socket.Event{Kind: socket.HandshakeFailed, Endpoint: "here", Address: "afar", Err: unknown}},
			connect(5000, socket.Closed, nil),
		}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				s := story{{Kind: socket.Connecting, Endpoint: "there", Time: begin}}
				for _, a := range tc.all {
					a.ev.Time = begin.Add(time.Duration(a.ms) * time.Millisecond)
					s = append(s, a.ev)
				}
				out := &stamped{begin: begin}
				a := &app{con: &console{w: out}}
				r := a.watchEndpoints("push", s, []string{"there"})
				<-r.over
				r.end()
				synctest.Wait()
				if got := out.text.String(); got != tc.want {
					t.Errorf("said %q, want %q", got, tc.want)
				}
			})
		})
	}
}

// A stamped puts the time since begin in front of what is written.
type stamped struct {
	text  strings.Builder
	begin time.Time
}

func (s *stamped) Write(b []byte) (int, error) {
	s.text.WriteString(time.Since(s.begin).String() + " ")
	return s.text.Write(b)
}
