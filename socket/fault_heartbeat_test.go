package socket_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/simnet"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// TestHeartbeatIdle: an idle connection between two healthy sockets stays up, whatever the latency. Each side hears
// from the other at least every interval or so.
func TestHeartbeatIdle(t *testing.T) {
	for _, latency := range []time.Duration{0, time.Millisecond, 100 * time.Millisecond, time.Second} {
		for _, role := range roles {
			t.Run(fmt.Sprintf("%v/%s", latency, role.name), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					net := simnet.New(simnet.Config{Latency: latency})
					a, b := role.open(on(net, "srv")), role.good(on(net, "cli"))
					defer shut(t, a)
					defer shut(t, b)
					seenA, seenB := record(a, nil), record(b, nil)
					bindAt(t, a)
					must(t, b.Connect(server))
					time.Sleep(10 * time.Minute) // 120 intervals
					seenA.wantNoLoss(t)
					seenB.wantNoLoss(t)
					role.talk(t, a, b)
				})
			})
		}
	}
}

// TestHeartbeatPing: PING goes out each interval of silence, exactly, and carries the TTL; whatever comes takes its
// place.
func TestHeartbeatPing(t *testing.T) {
	const interval = 5 * time.Second
	// pings lists when PINGs came in the given time, for a REP under the given traffic.
	pings := func(t *testing.T, for_ time.Duration, o []socket.Option, traffic func(*raw)) (at []time.Duration) {
		net := simnet.New(simnet.Config{})
		rep := newRep(append(o, on(net, "srv"))...)
		defer shut(t, rep)
		seen := record(rep, nil)
		bindAt(t, rep)
		r := rawSim(t, net, "cli")
		r.shake("REQ", yodelProperty)
		go func() {
			for m, err := range rep.(*socket.Rep).Messages(t.Context()) {
				if err == nil {
					_ = rep.(*socket.Rep).Send(aDay(t), m) // fails when the test is over
				}
			}
		}()
		start := time.Now()
		must(t, r.SetReadDeadline(start.Add(for_)))
		if traffic != nil {
			var sending sync.WaitGroup
			defer sending.Wait()
			sending.Go(func() { traffic(r) })
		}
		for {
			f, err := r.readFrame()
			if err != nil {
				seen.wantNoLoss(t)
				return at
			}
			if f.command() != zmtp.CommandPing {
				continue
			}
			at = append(at, time.Since(start))
			if ttl, context, err := zmtp.ParsePing(f.body[5:]); err != nil || ttl != 15*time.Second || len(context) != 0 {
				t.Errorf("PING with TTL %v and context %q, %v; want 15s and none", ttl, context, err)
			}
			r.send(zmtp.AppendPong(nil, nil))
		}
	}
	every := func(r *raw, pause time.Duration, b []byte) {
		for range 100 {
			time.Sleep(pause)
			r.send(b)
		}
	}
	bubbled := func(name string, f func(t *testing.T)) { t.Run(name, func(t *testing.T) { bubble(t, f) }) }

	wantEach := func(t *testing.T, at []time.Duration, count int) {
		if len(at) != count {
			t.Errorf("%d PINGs, want %d: %v", len(at), count, at)
		}
		for i, d := range at {
			if want := time.Duration(i+1) * interval; d != want {
				t.Errorf("PING %d after %v, want %v", i, d, want)
			}
		}
	}
	bubbled("idle", func(t *testing.T) { wantEach(t, pings(t, time.Minute+time.Second, nil, nil), 12) })
	bubbled("peer sends only", func(t *testing.T) {
		at := pings(t, time.Minute+time.Second, nil, func(r *raw) {
			every(r, 700*time.Millisecond, zmtp.AppendPong(nil, nil))
		})
		wantEach(t, at, 0) // that it lives is known; to write could cost what it sent last (see link_heartbeat.go)
	})
	bubbled("both send", func(t *testing.T) {
		at := pings(t, time.Minute, nil, func(r *raw) { every(r, 700*time.Millisecond, messageOf("", "hello")) })
		wantEach(t, at, 0)
	})
	bubbled("peer sends PING", func(t *testing.T) {
		at := pings(t, time.Minute, nil, func(r *raw) {
			every(r, 700*time.Millisecond, zmtp.AppendPing(nil, 3*time.Second, nil))
		})
		wantEach(t, at, 0)
	})
	bubbled("peer sends PING with a long TTL", func(t *testing.T) {
		at := pings(t, time.Minute+time.Second, nil, func(r *raw) {
			time.Sleep(time.Second)
			r.send(zmtp.AppendPing(nil, time.Minute, nil))
		})
		for i, d := range at {
			if i > 0 && d-at[i-1] > interval || d > time.Duration(i+2)*interval {
				t.Errorf("PING %d after %v, which leaves the peer alone for longer than %v: %v", i, d, interval, at)
			}
		}
		if len(at) < 10 {
			t.Errorf("%d PINGs in a minute, want one each %v: %v", len(at), interval, at)
		}
	})
	bubbled("off", func(t *testing.T) {
		wantEach(t, pings(t, time.Hour, []socket.Option{socket.WithHeartbeat(0, 0, 0)}, nil), 0)
	})
}

// TestHeartbeatsTogether: peers that came at different times get their PINGs at a few points in time, so that an idle
// process wakes up for many at once, and none waits for longer than the interval.
func TestHeartbeatsTogether(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const interval, peers = 5 * time.Second, 50
		net := simnet.New(simnet.Config{Latency: time.Millisecond})
		pull := newPull(on(net, "srv"))
		defer shut(t, pull)
		bindAt(t, pull)
		var mu sync.Mutex
		points := map[time.Time]int{}
		var reading sync.WaitGroup
		defer reading.Wait()
		end := time.Now().Add(5 * time.Minute)
		for range peers {
			time.Sleep(113 * time.Millisecond)
			r := rawSim(t, net, "cli")
			r.shake("PUSH", yodelProperty)
			must(t, r.SetReadDeadline(end))
			reading.Go(func() {
				last := time.Now()
				for {
					f, err := r.readFrame()
					if err != nil { // it is the end
						return
					}
					if f.command() != zmtp.CommandPing {
						continue
					}
					if d := time.Since(last); d > interval+10*time.Millisecond { // the latency comes on top
						t.Errorf("%v without a PING", d)
					}
					last = time.Now()
					mu.Lock()
					points[last]++
					mu.Unlock()
					r.send(zmtp.AppendPong(nil, nil))
				}
			})
		}
		start := time.Now()
		time.Sleep(time.Until(end))
		reading.Wait()
		all, late := 0, 0
		for at, n := range points {
			if all += n; at.After(start) {
				late++
			}
		}
		intervals := int(end.Sub(start) / interval)
		if least := peers * intervals * 9 / 10; all < least {
			t.Errorf("%d PINGs, want at least %d", all, least)
		}
		if most := 8*intervals + 8; late > most {
			t.Errorf("PINGs went at %d points in time, want at most %d", late, most)
		}
	})
}

// TestHeartbeatTTL: a peer that asked to be dropped after a time, by the TTL of its PING, and then falls silent is
// dropped at exactly that time, or at our own timeout if that is earlier.
func TestHeartbeatTTL(t *testing.T) {
	type ping struct{ at, ttl time.Duration }
	const s = time.Second
	standard := []socket.Option{} // 5 s, 15 s
	brisk := []socket.Option{socket.WithHeartbeat(s, 3*s, 3*s)}
	off := []socket.Option{socket.WithHeartbeat(0, 0, 0)}
	for _, tt := range []struct {
		name  string
		opts  []socket.Option
		minor byte
		pings []ping
		want  time.Duration // 0 for never
	}{
		{"no PING", standard, 1, nil, 15 * s},
		{"shorter than the interval", standard, 1, []ping{{s, 2 * s}}, 3 * s},
		{"as long as the interval", standard, 1, []ping{{s, 5 * s}}, 6 * s},
		{"between interval and timeout", standard, 1, []ping{{s, 7 * s}}, 8 * s},
		{"as long as the timeout", standard, 1, []ping{{s, 15 * s}}, 16 * s},
		{"longer than the timeout", standard, 1, []ping{{s, 60 * s}}, 16 * s},
		{"none", standard, 1, []ping{{s, 0}}, 16 * s},
		{"tenths", standard, 1, []ping{{s, 300 * time.Millisecond}}, 1300 * time.Millisecond},
		{"longer later", standard, 1, []ping{{s, 2 * s}, {2 * s, 10 * s}}, 12 * s},
		{"shorter later", standard, 1, []ping{{s, 10 * s}, {2 * s, 2 * s}}, 4 * s},
		{"taken back", standard, 1, []ping{{s, 2 * s}, {2 * s, 0}}, 17 * s},
		{"the same, late", standard, 1, []ping{{s, 10 * s}, {9 * s, 10 * s}}, 19 * s},
		{"long, again and again", standard, 1, []ping{{s, 60 * s}, {10 * s, 61 * s}, {20 * s, 62 * s}}, 35 * s},
		{"brisk, long TTL", brisk, 1, []ping{{2 * s, 60 * s}}, 5 * s},
		{"brisk, short TTL", brisk, 1, []ping{{2 * s, 200 * time.Millisecond}}, 2200 * time.Millisecond},
		{"heartbeat off", off, 1, []ping{{s, 2 * s}}, 3 * s},
		{"heartbeat off, long TTL", off, 1, []ping{{s, 60 * s}}, 61 * s},
		{"heartbeat off, none", off, 1, []ping{{s, 0}}, 0},
		{"heartbeat off, taken back", off, 1, []ping{{s, 2 * s}, {2 * s, 0}}, 0},
		{"3.0 peer", standard, 0, []ping{{s, 2 * s}}, 3 * s},
		{"3.0 peer, none", standard, 0, []ping{{s, 0}}, 0},
		{"3.0 peer, silent", standard, 0, nil, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				net := simnet.New(simnet.Config{})
				pull := newPull(append(tt.opts, on(net, "srv"))...)
				defer shut(t, pull)
				seen := record(pull, nil)
				bindAt(t, pull)
				r := rawSim(t, net, "cli")
				r.shakeAs(3, tt.minor, "PUSH", yodelProperty)
				start := time.Now()
				for _, p := range tt.pings {
					time.Sleep(time.Until(start.Add(p.at)))
					r.send(zmtp.AppendPing(nil, p.ttl, nil))
				}
				time.Sleep(time.Hour)
				if tt.want == 0 {
					seen.wantNoLoss(t)
					return
				}
				seen.wantLoss(t, start, tt.want, silence)
			})
		})
	}
}

// TestHeartbeat30: to a peer that speaks ZMTP 3.0 no command is ever sent, and its silence means nothing.
func TestHeartbeat30(t *testing.T) {
	for _, role := range roles {
		t.Run(role.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				net := simnet.New(simnet.Config{})
				s := role.open(on(net, "srv"), socket.WithHeartbeat(time.Second, 3*time.Second, 3*time.Second))
				defer shut(t, s)
				seen := record(s, nil)
				bindAt(t, s)
				r := rawSim(t, net, "cli")
				r.shakeAs(3, 0, role.peer)
				must(t, r.SetReadDeadline(time.Now().Add(time.Hour)))
				for {
					f, err := r.readFrame()
					if err != nil {
						break
					}
					if f.command() != "" || role.name != "SUB" && role.name != "XSUB" { // these send their subscription, as a message
						t.Errorf("frame %x %q sent to a 3.0 peer", f.flags, f.body)
					}
				}
				time.Sleep(time.Hour)
				seen.wantNoLoss(t)
				if pull, ok := s.(*socket.Pull); ok {
					r.send(messageOf("still here"))
					expect(t, pull, "still here")
				}
			})
		})
	}
}

// TestHalfOpen: a peer that vanishes without a word is found out at exactly the timeout after its last byte, whether
// this side is idle or stuck in a write.
func TestHalfOpen(t *testing.T) {
	const last = 7 * time.Second // when the peer's last byte comes
	t.Run("idle", func(t *testing.T) {
		for _, role := range roles {
			t.Run(role.name, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					net := simnet.New(simnet.Config{})
					s := role.open(on(net, "srv"))
					defer shut(t, s)
					seen := record(s, nil)
					bindAt(t, s)
					r := rawSim(t, net, "cli")
					r.shake(role.peer, yodelProperty)
					start := time.Now()
					time.Sleep(last)
					r.send(zmtp.AppendPong(nil, nil))
					time.Sleep(time.Second)
					net.Vanish("cli")
					time.Sleep(time.Hour)
					seen.wantLoss(t, start, last+15*time.Second, silence)
				})
			})
		}
	})
	t.Run("in the middle of a frame", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			net := simnet.New(simnet.Config{})
			pull := newPull(on(net, "srv"))
			defer shut(t, pull)
			seen := record(pull, nil)
			bindAt(t, pull)
			r := rawSim(t, net, "cli")
			r.shake("PUSH", yodelProperty)
			start := time.Now()
			time.Sleep(last)
			r.send(claim(0, 1<<20), make([]byte, 50_000))
			net.Vanish("cli")
			time.Sleep(time.Hour)
			seen.wantLoss(t, start, last+15*time.Second, silence)
		})
	})
	t.Run("stuck in a write", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			net := simnet.New(simnet.Config{Window: 2000})
			push := socket.NewPush(on(net, "srv"))
			defer shut(t, push)
			seen := record(push, nil)
			bindAt(t, push)
			r := rawSim(t, net, "cli")
			r.shake("PULL", yodelProperty)
			start := time.Now()
			count := fill(t, push, 100)
			sent := make(chan error, 1)
			go func() { sent <- push.Send(aDay(t), numbered(count, 100)) }()
			time.Sleep(last)
			r.send(zmtp.AppendPong(nil, nil))
			net.Vanish("cli")
			time.Sleep(time.Hour)
			seen.wantLoss(t, start, last+15*time.Second, silence)
			balanced(t, push)
			gone := int(push.Stats().Delivered.Messages)
			if gone == 0 || gone > 20 {
				t.Errorf("%d messages of 100 bytes delivered into a window of 2000", gone)
			}
			// What had not left goes to the next peer, in order; then the one that Send waits with.
			pull := socket.NewPull(on(net, "cli"))
			defer shut(t, pull)
			must(t, pull.Connect(server))
			wantNumbers(t, drainAll(t, pull), gone, count+1-gone)
			must(t, <-sent)
		})
	})
	t.Run("two sockets", func(t *testing.T) {
		for _, writing := range []bool{false, true} {
			t.Run(fmt.Sprintf("writing %v", writing), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					net := simnet.New(simnet.Config{Latency: 3 * time.Millisecond, Window: 10_000})
					push, pull := socket.NewPush(on(net, "srv")), socket.NewPull(on(net, "cli"), socket.WithRecvHWM(10))
					defer shut(t, push)
					defer shut(t, pull)
					seen, gone := record(push, nil), record(pull, nil)
					bindAt(t, push)
					must(t, pull.Connect(server))
					must(t, push.WaitPeers(within(t), 1))
					count := 0
					if writing {
						count = fill(t, push, 100)
					}
					time.Sleep(40 * time.Second)
					seen.wantNoLoss(t)
					vanished := time.Now()
					net.Partition("cli")
					net.Vanish("cli")
					time.Sleep(time.Hour)
					lost := seen.losses()
					if len(lost) != 1 {
						t.Fatalf("lost %v, want one loss", lost)
					}
					wantEnd(t, lost[0], silence)
					// Signs of life come every 10 s at least, so the last one is at most that old when the peer
					// vanishes.
					if d := lost[0].Time.Sub(vanished); d < 5*time.Second || d > 15*time.Second {
						t.Errorf("found out after %v, want 5s to 15s", d)
					}
					if n := len(gone.losses()); n != 1 {
						t.Errorf("the vanished socket lost %d peers, want 1", n)
					}
					balanced(t, push)
					balanced(t, pull)
					net.Heal()
					left := int(push.Stats().Queued.Messages)
					got := drainAll(t, pull)
					if len(got) < left || len(got) > count || writing && got[len(got)-1] != count-1 {
						t.Errorf("%d messages were sent, %d were left, %d came", count, left, len(got))
					}
					for i := range got {
						if i > 0 && got[i] <= got[i-1] {
							t.Fatalf("message %d came after %d", got[i], got[i-1])
						}
					}
				})
			})
		}
	})
}
