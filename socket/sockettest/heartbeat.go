package sockettest

import (
	"fmt"
	"strings"
	"time"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// heartbeats is PING and PONG (RFC 37). Times are short so that the tests are; none is measured.
func heartbeats() []behaviour {
	const beat = 20 * time.Millisecond
	on := func(name string, run func(p *pairing)) behaviour {
		return behaviour{name: name, needs: []Capability{RawPeers}, run: run}
	}
	return []behaviour{
		on("ping-is-answered", func(p *pairing) {
			r := p.greeted(p.local("PULL").bind(), "PUSH", zmtp31)
			// A PONG without a context may come unasked, as a sign of life.
			answer := func() string {
				for {
					if got := zmtp.ParsePong(r.awaitCommand(zmtp.CommandPong)); len(got) > 0 {
						return string(got)
					}
				}
			}
			r.write(zmtp.AppendPing(nil, 0, nil))
			r.awaitCommand(zmtp.CommandPong)
			for _, context := range []string{"x", "sixteen bytes..."} {
				r.write(zmtp.AppendPing(nil, 0, []byte(context)))
				if got := answer(); got != context {
					p.Errorf("PONG %q, want the context %q of the PING", got, context)
				}
			}
			r.write(zmtp.AppendCommand(nil, zmtp.CommandPing, []byte{0, 0}, []byte("longer than sixteen bytes")))
			if got := answer(); got != "longer than sixt" {
				p.Errorf("PONG %q, want the first sixteen bytes of the context", got)
			}
		}),
		on("short-ping", func(p *pairing) {
			pull := p.local("PULL")
			at := pull.bind()
			for n := range 2 {
				r := p.greeted(at, "PUSH", zmtp31)
				r.write(zmtp.AppendCommand(nil, zmtp.CommandPing, make([]byte, n)))
				r.refused(fmt.Sprintf("a PING with %d bytes for its TTL", n))
				good(p, pull, at)
			}
		}),
		on("silent-peer-is-dropped", func(p *pairing) {
			pull := p.local("PULL", Options{Heartbeat: beat, Timeout: 3 * beat})
			at := pull.bind()
			p.greeted(at, "PUSH", zmtp31).refused("a peer that is silent for longer than the timeout")
		}),
		on("any-byte-is-a-sign-of-life", func(p *pairing) {
			// The peer answers no PING but sends a large message slowly.
			pull := p.local("PULL", Options{Heartbeat: 10 * beat, Timeout: 50 * beat})
			r := p.greeted(pull.bind(), "PUSH", zmtp31)
			tick := time.NewTicker(3 * beat / 2)
			defer tick.Stop()
			body := strings.Repeat("x", 40)
			for _, b := range frames(body) {
				r.write([]byte{b})
				<-tick.C
			}
			pull.expect(body)
		}),
		on("ttl-of-the-peer", func(p *pairing) {
			r := p.greeted(p.local("PULL").bind(), "PUSH", zmtp31)
			r.write(zmtp.AppendPing(nil, 100*time.Millisecond, nil))
			r.refused("a peer that is silent for longer than it said")
		}),
		on("longest-ttl-of-the-peer", func(p *pairing) {
			// 65,535 tenths of a second must not be taken for a few milliseconds.
			pull := p.local("PULL")
			r := p.greeted(pull.bind(), "PUSH", zmtp31)
			for _, ttl := range []string{"\xff\xff", "\x02\x90"} {
				r.write(zmtp.AppendCommand(nil, zmtp.CommandPing, []byte(ttl)))
				r.awaitCommand(zmtp.CommandPong)
				pull.nothing() // for a moment
				r.write(frames("still there"))
				pull.expect("still there")
			}
		}),
		on("ttl-fits-libzmq", func(p *pairing) {
			// libzmq takes more than 655 tenths of a second for next to nothing, and hangs up.
			for _, ttl := range []time.Duration{100 * time.Millisecond, time.Minute, 2 * time.Minute, 100 * time.Hour} {
				r := p.greeted(p.local("PULL", Options{Heartbeat: beat, Timeout: 100 * beat, TTL: ttl}).bind(), "PUSH", zmtp31)
				got, _, err := zmtp.ParsePing(r.awaitCommand(zmtp.CommandPing))
				if err != nil || got != min(ttl, zmtp.MaxPingTTL) {
					p.Errorf("PING with a TTL of %v, %v; want %v", got, err, min(ttl, zmtp.MaxPingTTL))
				}
			}
		}),
		on("no-ping-for-zmtp-3.0", func(p *pairing) {
			push := p.local("PUSH", Options{Heartbeat: beat / 4, Timeout: beat})
			r := p.greeted(push.bind(), "PULL", zmtp30)
			for range 3 {
				push.nothingComes(r, 10*beat/4)
			}
			push.send("still there") // though it was silent for many heartbeats
			if h, body := r.frame(); h.Command() || string(body) != "still there" {
				p.Fatalf("got %q (command: %v), want the message and no PING", body, h.Command())
			}
		}),
		on("application-behind", func(p *pairing) {
			// The application does not receive, the socket stops reading; a peer that has been heard to send PINGs
			// gets signs of life all the same, and in the end everything is there.
			const hwm = 10
			pull := p.local("PULL", Options{RecvHWM: hwm})
			r := p.greeted(pull.bind(), "PUSH", zmtp31)
			tick := time.NewTicker(beat)
			defer tick.Stop()
			for range 3 {
				r.write(zmtp.AppendPing(nil, 0, []byte("answered")))
				r.awaitCommand(zmtp.CommandPong)
				<-tick.C
			}
			for i := range 4 * hwm {
				r.write(frames(fmt.Sprint(i)))
			}
			for range 5 {
				r.awaitCommand(zmtp.CommandPong)
			}
			for i := range 4 * hwm {
				pull.expect(fmt.Sprint(i))
			}
			r.write(frames("end"))
			pull.expect("end")
		}),
		on("stalled-reader", func(p *pairing) {
			// The peer reads nothing, and so sees and answers no PING, for longer than the timeout: it is slow, not
			// dead.
			push := p.local("PUSH", Options{SendHWM: 2, Heartbeat: 5 * beat, Timeout: 15 * beat})
			r := p.greeted(push.bind(), "PULL", zmtp31)
			n := 0
			for push.takes(fmt.Sprint(n), big) {
				n++
			}
			for range 10 {
				push.full("no room", big)
			}
			for i := range n {
				r.write(zmtp.AppendPong(nil, nil))
				if body := r.message(); body != fmt.Sprint(i) {
					p.Fatalf("got %.40q, want message %d", body, i)
				}
				r.message()
			}
		}),
		{name: "healthy-peers-stay", run: func(p *pairing) {
			// Both sides beat; an idle connection and one whose application is behind last.
			o := Options{Heartbeat: beat, Timeout: 200 * beat, TTL: 200 * beat}
			for _, roles := range [][2]string{
				{"PUSH", "PULL"},
				{"PULL", "PUSH"},
				{"DEALER", "ROUTER"},
				{"ROUTER", "DEALER"},
				{"PAIR", "PAIR"},
				{"REQ", "REP"},
				{"REP", "REQ"},
				{"PUB", "SUB"},
				{"SUB", "PUB"},
			} {
				local, remote := p.local(roles[0], o), p.remote(roles[1], o)
				p.link(remote, local)
				local.stays(10 * beat)
			}
		}},
	}
}

// nothingComes checks that a raw peer receives nothing for a while.
func (e *end) nothingComes(r *raw, d time.Duration) {
	e.p.Helper()
	_ = r.SetReadDeadline(time.Now().Add(d))
	b := make([]byte, 64)
	if n, err := r.Read(b); n > 0 || err == nil {
		e.p.Fatalf("%s sent % x, want nothing", e.who, b[:n])
	}
}

// stays checks that the one peer there is has not been lost for a while.
func (e *end) stays(d time.Duration) {
	e.p.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	<-timer.C
	s, ok := e.Socket.(Ledgered)
	if ok && len(s.Stats().Peers) != 1 {
		e.p.Fatalf("%s lost its peer while both sides beat", e.who)
	}
}
