package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// rawPeer is a peer that does what no socket would, once the handshake is done.
func rawPeer(t *testing.T, endpoint string, cfg zmtp.Config) net.Conn {
	t.Helper()
	var d net.Dialer
	conn, err := d.DialContext(t.Context(), "tcp", strings.TrimPrefix(endpoint, "tcp://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := zmtp.Handshake(t.Context(), conn, cfg); err != nil {
		t.Fatal(err)
	}
	return conn
}

// TestMonitorTrouble: what goes wrong on the far side is seen, and says whose fault it was.
func TestMonitorTrouble(t *testing.T) {
	for _, tc := range []struct {
		name   string
		verb   []string
		peer   zmtp.Config
		bytes  []byte
		events []string
	}{
		{
			"protocol error",
			[]string{"dealer"},
			zmtp.Config{SocketType: zmtp.Dealer},
			zmtp.AppendReady(nil, nil),
			[]string{" peer up DEALER 127.0.0.1:", " protocol error DEALER 127.0.0.1:", "a second READY"},
		},
		{
			"limit hit",
			[]string{"pair"},
			zmtp.Config{SocketType: zmtp.Pair},
			zmtp.AppendHeader(nil, 0, 1<<40),
			[]string{" peer up PAIR 127.0.0.1:", " limit hit PAIR 127.0.0.1:"},
		},
		{
			"limit on topics",
			[]string{"xpub"},
			zmtp.Config{SocketType: zmtp.XSub},
			zmtp.AppendSubscribe(nil, zmtp.Version{Major: 3, Minor: 1}, bytes.Repeat([]byte("x"), 2000)),
			[]string{" subscription refused XSUB 127.0.0.1:", "a topic of 2000 bytes"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			mon := start(t, append(append([]string{"monitor"}, tc.verb...), "--bind", anyPort)...)
			conn := rawPeer(t, mon.endpoint(), tc.peer)
			if _, err := conn.Write(tc.bytes); err != nil {
				t.Fatal(err)
			}
			for _, want := range tc.events {
				mon.stdout.waitFor(t, func(s string) bool { return strings.Contains(s, want) })
			}
			mon.stop()
			mon.exit(0)
		})
	}
}

func TestMonitorDuplicateIdentity(t *testing.T) {
	mon := start(t, "monitor", "router", "--bind", anyPort, "--json")
	one := startInput(t, "x\n", "dealer", "--connect", mon.endpoint(), "--id", "twin")
	mon.stdout.waitFor(t, func(s string) bool { return strings.Contains(s, `"kind":"peer up"`) })
	two := startInput(t, "", "dealer", "--connect", mon.endpoint(), "--id", "twin")
	mon.stdout.waitFor(t, func(s string) bool {
		_, rest, found := strings.Cut(s, `"kind":"duplicate identity"`)
		return found && strings.Contains(rest, `"identity":"twin"`) && strings.Contains(rest, "the identity is in use")
	})
	for _, p := range []*tool{one, two, mon} {
		p.stop()
		p.exit(0)
	}
}

// TestMonitorSlowPeer: a subscriber that does not read, then does.
func TestMonitorSlowPeer(t *testing.T) {
	data := strings.Repeat("x", 100_000)
	mon := start(t, "monitor", "pub", "--bind", anyPort, "--hwm", "1", "--data", data, "--count", "1000", "--linger",
		"20s", "--json")
	conn := rawPeer(t, mon.endpoint(), zmtp.Config{SocketType: zmtp.Sub})
	if _, err := conn.Write(zmtp.AppendSubscribe(nil, zmtp.Version{Major: 3, Minor: 1}, nil)); err != nil {
		t.Fatal(err)
	}
	mon.stdout.waitFor(t, func(s string) bool { return strings.Contains(s, `"kind":"slow peer"`) })
	done := make(chan struct{})
	go func() {
		defer close(done)
		for b := make([]byte, 1<<20); ; {
			if _, err := conn.Read(b); err != nil {
				return
			}
		}
	}()
	mon.exit(0)
	conn.Close()
	<-done
	mon.stdout.waitFor(t, func(s string) bool {
		_, rest, found := strings.Cut(s, `"kind":"dropped"`)
		return found && strings.Contains(rest, `"reason":"queue full","count":`)
	})
}

// TestMonitorTwoWay: messages are thrown away, --data is sent, and the monitor goes on.
func TestMonitorTwoWay(t *testing.T) {
	mon := startInput(t, "not read\n", "monitor", "pair", "--bind", anyPort, "--data", "hello", "--count", "2")
	pair := start(t, "pair", "--connect", mon.endpoint())
	pair.prints("hello\n")
	pair.types("a\nb\n")
	mon.exit(0)
	if s := mon.stdout.String(); strings.Contains(s, "\na\n") || !strings.Contains(s, " peer up PAIR") {
		t.Errorf("stdout %q", s)
	}
}

// TestEventLines: every kind has a name, and all that an event says is in its JSON.
func TestEventLines(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	for kind := socket.Listening; kind <= socket.Missed; kind++ {
		t.Run(kind.String(), func(t *testing.T) {
			if strings.HasPrefix(kind.String(), "event ") {
				t.Error("no name")
			}
			for _, asJSON := range []bool{false, true} {
				var out bytes.Buffer
				s := session{meeting: meeting{app: &app{stdout: &out, json: asJSON}}}
				if err := s.printEvent(socket.Event{Kind: kind, Time: at}); err != nil {
					t.Fatal(err)
				}
				want := "03:04:05.678 " + kind.String() + "\n"
				if asJSON {
					want = `{"time":"2026-01-02T03:04:05.678Z","kind":"` + kind.String() + `"}` + "\n"
				}
				if out.String() != want {
					t.Errorf("printed %q, want %q", out.String(), want)
				}
			}
		})
	}
	line, err := json.Marshal(newEventLine(socket.Event{
		Kind: socket.Dropped, Time: at, Endpoint: "tcp://a:1", Address: "b:2", Err: errors.New("why"),
		Reason: socket.QueueFull,
		Retry:  1500 * time.Millisecond, Count: 7, Peer: &socket.Peer{Type: "SUB", Identity: []byte("me"), Address: "b:2"},
	}))
	want := `{"time":"2026-01-02T03:04:05.678Z","kind":"dropped","endpoint":"tcp://a:1","address":"b:2",` +
		`"peer":{"type":"SUB","identity":"me","address":"b:2"},"error":"why","reason":"queue full","retry":"1.5s","count":7}`
	if err != nil || string(line) != want {
		t.Errorf("%s, %v; want %s", line, err, want)
	}
}
