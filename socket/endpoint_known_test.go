package socket_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/simnet"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// An oldPeer speaks ZMTP 2.0, as libzmq 3 and JeroMQ 0.3 do: it sends a signature, its version when it has seen one,
// and hangs up on more than the twelve bytes of its own greeting.
func oldPeer(conn net.Conn) {
	defer conn.Close()
	if _, err := conn.Write([]byte{0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f}); err != nil {
		return
	}
	got := make([]byte, 64)
	if n, err := io.ReadAtLeast(conn, got, 10); err != nil || n > 12 {
		return
	}
	_, _ = conn.Write([]byte{1, 8}) // ZMTP 2.0, PUSH
	_, _ = io.Copy(io.Discard, conn)
}

// TestOldPeerIsNamed: what an old peer speaks is in the event of its second connection at the latest, whichever side
// connects.
func TestOldPeerIsNamed(t *testing.T) {
	named := func(ev socket.Event) bool {
		return ev.Kind == socket.HandshakeFailed && errors.Is(ev.Err, zmtp.ErrVersion) &&
			strings.Contains(ev.String(), "ZMTP 2.0")
	}
	t.Run("it listens", func(t *testing.T) {
		old := rawListen(t)
		go func() {
			for {
				conn, err := old.Accept()
				if err != nil {
					return
				}
				oldPeer(conn)
			}
		}()
		pull := closing(t, socket.NewPull(socket.WithReconnect(time.Millisecond, time.Millisecond)))
		connect(t, pull, old.endpoint())
		first := event(t, pull, socket.HandshakeFailed)
		if !strings.Contains(first.String(), "ZMTP 2.0") {
			t.Errorf("the first event does not think of an old peer: %v", first)
		}
		eventWhere(t, pull, "the version of the old peer", named)
		n := 0
		for ev := range pull.Events(within(t)) { // from the second connection on it is in every event
			if ev.Kind != socket.HandshakeFailed {
				continue
			}
			if n++; n == 10 {
				break
			}
			if n > 1 && !named(ev) {
				t.Fatalf("connection %d: %v", n, ev)
			}
		}
	})
	t.Run("it connects", func(t *testing.T) {
		pull := closing(t, socket.NewPull())
		at := bind(t, pull, "tcp://127.0.0.1:*")
		oldPeer(rawDial(t, at).Conn)
		event(t, pull, socket.HandshakeFailed)
		oldPeer(rawDial(t, at).Conn)
		eventWhere(t, pull, "the version of the old peer", named)
	})
	t.Run("good ones beside it", func(t *testing.T) {
		pull := closing(t, socket.NewPull())
		at := bind(t, pull, "tcp://127.0.0.1:*")
		for range 3 {
			oldPeer(rawDial(t, at).Conn)
			push := closing(t, socket.NewPush())
			connect(t, push, at)
			send(t, push, "x")
			expect(t, pull, "x")
		}
	})
}

// TestHealthChecks: a connection that ends without a byte is logged for debugging only, and its event can be told from
// others.
func TestHealthChecks(t *testing.T) {
	for name, end := range map[string]func(*net.TCPConn) error{
		"closed": (*net.TCPConn).Close,
		"reset": func(c *net.TCPConn) error {
			return errors.Join(c.SetLinger(0), c.Close())
		},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			pull := socket.NewPull(
				socket.WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))))
			at := bind(t, pull, "tcp://127.0.0.1:*")
			must(t, end(rawDial(t, at).Conn.(*net.TCPConn)))
			ev := event(t, pull, socket.HandshakeFailed)
			if !errors.Is(ev.Err, zmtp.ErrSilent) {
				t.Errorf("%v, want one that matches zmtp.ErrSilent", ev)
			}
			stranger := rawDial(t, at)
			stranger.send([]byte("GET / HTTP/1.1\r\n\r\n"))
			stranger.ended()
			eventWhere(t, pull, "a stranger", func(ev socket.Event) bool {
				return ev.Kind == socket.HandshakeFailed && errors.Is(ev.Err, zmtp.ErrNotZMTP)
			})
			must(t, pull.Close())
			var debug, warn int
			for line := range strings.Lines(log.String()) {
				if strings.Contains(line, "handshake failed") {
					debug += strings.Count(line, "level=DEBUG")
					warn += strings.Count(line, "level=WARN")
				}
			}
			if debug != 1 || warn != 1 {
				t.Errorf("%d lines for debugging and %d warnings, want one of each:\n%s", debug, warn, log.String())
			}
		})
	}
}

// TestPeerThatCannotStandHeartbeats: one that says it speaks ZMTP 3.1 and hangs up on its first PING, as chumak does,
// is sent none on its next connection, and is not dropped for its silence.
func TestPeerThatCannotStandHeartbeats(t *testing.T) {
	// hangsUp plays such a peer until it is sent a PING, which it returns, or quiet has passed.
	hangsUp := func(r *raw, quiet time.Duration, last []byte) bool {
		r.shake("PULL", zmtp.Property{Name: "Identity"}, zmtp.Property{Name: "Resource"})
		_ = r.SetReadDeadline(time.Now().Add(quiet))
		n, err := r.Read(make([]byte, 100))
		if n > 0 {
			r.send(last)
		}
		r.Close()
		return n > 0 && err == nil
	}
	for side, last := range map[string][]byte{
		"it connects":                   nil,
		"it listens":                    nil,
		"it listens and sends an ERROR": zmtp.AppendError(nil, "unknown command"),
	} {
		t.Run(side, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				network := simnet.New(simnet.Config{Latency: 10 * time.Millisecond})
				push := closing(t, socket.NewPush(on(network, "us")))
				events := record(push, nil)
				theirs := network.Host("them")
				var next func() *raw
				if side == "it connects" {
					_, err := push.Bind(t.Context(), "sim://us")
					must(t, err)
					next = func() *raw {
						conn, err := theirs.Dial(t.Context(), "us")
						must(t, err)
						return newRaw(t, conn)
					}
				} else {
					ln, err := theirs.Listen(t.Context(), "them")
					must(t, err)
					t.Cleanup(func() { ln.Close() })
					connect(t, push, "sim://them")
					next = func() *raw {
						conn, err := ln.Accept()
						must(t, err)
						return newRaw(t, conn)
					}
				}
				if !hangsUp(next(), time.Hour, last) {
					t.Fatal("it was sent no PING")
				}
				synctest.Wait()
				time.Sleep(time.Second)
				if offs := events.of(socket.HeartbeatOff); len(offs) != 1 || !errors.Is(offs[0].Err, socket.ErrNoHeartbeat) ||
					offs[0].Peer == nil {
					t.Fatalf("events %v, want one HeartbeatOff", offs)
				}
				for range 3 {
					if hangsUp(next(), time.Hour, last) {
						t.Fatal("it was sent another PING")
					}
					time.Sleep(time.Second)
				}
				if offs := events.of(socket.HeartbeatOff); len(offs) != 1 {
					t.Errorf("events %v, want no more than the first", offs)
				}
				for _, ev := range events.losses() {
					if errors.Is(ev.Err, socket.ErrHeartbeat) {
						t.Errorf("dropped for its silence: %v", ev)
					}
				}
			})
		})
	}
}

// TestPeersThatStandHeartbeats: who leaves for reasons of its own goes on to be sent PINGs.
func TestPeersThatStandHeartbeats(t *testing.T) {
	bye := func(r *raw) {
		r.frame()
		r.Close()
	}
	answers := func(r *raw) {
		r.frame()
		r.send(zmtp.AppendPong(nil, nil))
	}
	asks := func(r *raw) {
		r.send(zmtp.AppendPing(nil, 0, nil))
		r.frame()
	}
	for _, tt := range []struct {
		name  string
		first []func(r *raw) // what the peer does on its first connections
		says  string         // a property that it sends on those alone; none if empty
	}{
		{"it answers, and leaves at the next", []func(*raw){func(r *raw) { answers(r); bye(r) }}, ""},
		{"it leaves some time after a PING", []func(*raw){func(r *raw) {
			r.frame()
			time.Sleep(3 * time.Second)
			r.Close()
		}}, ""},
		{"it has answered on an earlier connection", []func(*raw){func(r *raw) { answers(r); r.Close() }, bye}, ""},
		{"it sends PINGs itself, and leaves at ours", []func(*raw){func(r *raw) { asks(r); bye(r) }}, ""},
		{"it was spared, and sends PINGs all the same", []func(*raw){bye, func(r *raw) { asks(r); r.Close() }}, ""},
		{"another implementation on its host has left at one", []func(*raw){bye}, "Resource"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				network := simnet.New(simnet.Config{Latency: 10 * time.Millisecond})
				push := closing(t, socket.NewPush(on(network, "srv")))
				bindAt(t, push)
				for _, f := range tt.first {
					r := rawSim(t, network, "them")
					if tt.says == "" {
						r.shake("PULL")
					} else {
						r.shake("PULL", zmtp.Property{Name: tt.says})
					}
					f(r)
					time.Sleep(time.Second)
				}
				r := rawSim(t, network, "them")
				r.shake("PULL")
				_ = r.SetReadDeadline(time.Now().Add(time.Hour))
				if _, err := r.Read(make([]byte, 100)); err != nil {
					t.Fatalf("no PING: %v", err)
				}
			})
		})
	}
}
