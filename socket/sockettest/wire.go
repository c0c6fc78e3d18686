package sockettest

import (
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

var errTimeout = os.ErrDeadlineExceeded

// wire is what peers may send that are old, new, broken or hostile (RFC 37). After each of them a good peer must find
// the socket as if nothing had happened.
func wire() []behaviour {
	on := func(name string, run func(p *pairing)) behaviour {
		return behaviour{name: name, needs: []Capability{RawPeers}, run: run}
	}
	return []behaviour{
		on("silence-blocks-nobody", func(p *pairing) {
			pull := p.local("PULL")
			at := pull.bind()
			for range 20 {
				p.dial(at)
			}
			p.dial(at).write(greeting(zmtp31)[:30])
			p.dial(at).write(greeting(zmtp31))
			good(p, pull, at)
		}),
		on("half-a-handshake-ends", func(p *pairing) {
			pull := p.local("PULL", Options{Handshake: 500 * time.Millisecond})
			at := pull.bind()
			through := p.greeted(at, "PUSH", zmtp31)
			var stuck []*raw
			for _, b := range [][]byte{
				nil, greeting(zmtp31)[:30], greeting(zmtp31), append(greeting(zmtp31), ready("PUSH")[:10]...),
			} {
				r := p.dial(at)
				r.write(b)
				stuck = append(stuck, r)
			}
			for i, r := range stuck {
				r.refused(fmt.Sprintf("a peer that goes on no further, number %d", i))
			}
			through.write(frames("still there"))
			pull.expect("still there")
		}),
		on("not-a-peer", func(p *pairing) {
			pull := p.local("PULL")
			at := pull.bind()
			plain := zmtp.AppendGreeting(nil, zmtp.Greeting{Mechanism: "PLAIN"})
			v2 := append([]byte{0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 1, 8}, 0, 0)
			for name, b := range map[string][]byte{
				"http": []byte(
					"GET / HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\nUser-Agent: a browser of some kind\r\n\r\n"),
				"tls":             append([]byte{0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3}, make([]byte, 80)...),
				"zmtp 1":          append([]byte{1, 0, 6, 0}, "hello"...),
				"zmtp 2":          v2,
				"other mechanism": plain,
			} {
				r := p.dial(at)
				r.write(b)
				r.refused(name)
				good(p, pull, at)
			}
		}),
		on("bad-handshakes", func(p *pairing) {
			pull := p.local("PULL")
			at := pull.bind()
			property := func(name, value string) []byte {
				b := append([]byte{byte(len(name))}, name...)
				return append(binary.BigEndian.AppendUint32(b, uint32(len(value))), value...)
			}
			whole := property(zmtp.PropertySocketType, "PUSH")
			for name, b := range map[string][]byte{
				"no socket type":      zmtp.AppendCommand(nil, "READY"),
				"empty socket type":   ready(""),
				"unknown socket type": ready("STREAM"),
				"wrong socket type":   ready("SUB"),
				"name cut short":      zmtp.AppendCommand(nil, "READY", whole, []byte{20, 'x'}),
				"length cut short":    zmtp.AppendCommand(nil, "READY", whole, []byte{1, 'x', 0}),
				"value cut short":     zmtp.AppendCommand(nil, "READY", whole[:len(whole)-1]),
				"endless value":       zmtp.AppendCommand(nil, "READY", append([]byte("\x01x"), 0xff, 0xff, 0xff, 0xff)),
				"huge READY":          {zmtp.FlagCommand | zmtp.FlagLong, 0, 4, 0, 0, 0, 0, 0, 0},
				"message first":       frames("hello"),
				"another command":     zmtp.AppendCommand(nil, "PING", []byte{0, 0}),
				"no command name":     {zmtp.FlagCommand, 1, 0},
				"refusal":             zmtp.AppendError(nil, "no"),
			} {
				r := p.dial(at)
				r.write(greeting(zmtp31), b)
				r.refused(name)
				good(p, pull, at)
			}
		}),
		on("bad-traffic", func(p *pairing) {
			pull := p.local("PULL")
			at := pull.bind()
			for name, b := range map[string][]byte{
				"63 bits of size":        {zmtp.FlagLong, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
				"64 bits of size":        {zmtp.FlagLong, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
				"huge command":           {zmtp.FlagLong | zmtp.FlagCommand, 0, 0, 1, 0, 0, 0, 0, 0},
				"second READY":           ready("PUSH"),
				"ERROR":                  zmtp.AppendError(nil, "I do not like you"),
				"command without a name": {zmtp.FlagCommand, 1, 0},
				"name past the end":      {zmtp.FlagCommand, 2, 9, 'x'},
			} {
				r := p.greeted(at, "PUSH", zmtp31)
				r.write(frames("good"), b)
				pull.expect("good")
				r.refused(name)
				good(p, pull, at)
			}
		}),
		on("long-form-of-short-sizes", func(p *pairing) {
			pull := p.local("PULL")
			r := p.greeted(pull.bind(), "PUSH", zmtp31)
			r.write([]byte{zmtp.FlagLong, 0, 0, 0, 0, 0, 0, 0, 2, 'h', 'i'})
			pull.expect("hi")
		}),
		on("unknown-metadata", func(p *pairing) {
			pull := p.local("PULL")
			r := p.dial(pull.bind())
			r.write(greeting(zmtp31), zmtp.AppendReady(nil, zmtp.Metadata{
				{Name: "X-Something", Value: []byte("new")},
				{Name: "socket-type", Value: []byte("PUSH")},
				{Name: "Resource", Value: nil},
			}), frames("hi"))
			pull.expect("hi")
		}),
		on("metadata-of-the-application", func(p *pairing) {
			want := map[string]string{"X-Colour": "green", "X-Bytes": "\x00\xff"}
			r := p.dial(p.local("PULL", Options{Metadata: want, Identity: "me"}).bind())
			r.write(greeting(zmtp31))
			r.take(zmtp.GreetingSize)
			_, data := r.command()
			told, err := zmtp.ParseMetadata(data)
			if err != nil {
				p.Fatal(err)
			}
			want[zmtp.PropertySocketType] = "PULL"
			for name, value := range want {
				if got, ok := told.Get(name); !ok || string(got) != value {
					p.Errorf("the peer is told that %s is %q (%v), want %q", name, got, ok, value)
				}
			}
		}),
		on("later-versions", func(p *pairing) {
			pull := p.local("PULL")
			at := pull.bind()
			for _, v := range []zmtp.Version{
				{Major: 3, Minor: 0}, {Major: 3, Minor: 1}, {Major: 3, Minor: 9}, {Major: 4, Minor: 0},
			} {
				p.greeted(at, "PUSH", v).write(frames("from", v.String()))
				pull.expect("from", v.String())
			}
		}),
		on("unknown-commands", func(p *pairing) {
			pull := p.local("PULL")
			r := p.greeted(pull.bind(), "PUSH", zmtp31)
			r.write(frames("1"), zmtp.AppendCommand(nil, "X-WHATEVER", []byte("data")),
				zmtp.AppendCommand(nil, "JOIN", []byte("group")), frames("2"))
			pull.expect("1")
			pull.expect("2")
		}),
		on("commands-inside-a-message", func(p *pairing) {
			pull := p.local("PULL")
			r := p.greeted(pull.bind(), "PUSH", zmtp31)
			r.write(more("a"), zmtp.AppendPing(nil, 0, []byte("in between")), more("b"), zmtp.AppendCommand(nil, "X-WHATEVER"),
				frames("c"))
			pull.expect("a", "b", "c")
			if got := string(zmtp.ParsePong(r.awaitCommand(zmtp.CommandPong))); got != "in between" {
				p.Errorf("PONG %q, want the context of the PING", got)
			}
		}),
		on("half-a-message", func(p *pairing) {
			pull := p.local("PULL")
			at := pull.bind()
			for _, b := range [][]byte{more("first", "second"), frames("a whole one cut short")[:10], {zmtp.FlagLong, 0, 0}} {
				r := p.greeted(at, "PUSH", zmtp31)
				r.write(frames("whole"), b)
				pull.expect("whole")
				r.bye()
				good(p, pull, at) // and not what came before
			}
		}),
		on("size-over-all-frames", func(p *pairing) {
			pull := p.local("PULL", Options{MaxMessage: 1000})
			at := pull.bind()
			part := strings.Repeat("x", 400)
			r := p.greeted(at, "PUSH", zmtp31)
			r.write(frames(part, part, part[:200]))
			pull.expect(part, part, part[:200])
			r.write(frames(part, part, part[:201]))
			r.refused("one byte over the limit")
			good(p, pull, at)
		}),
		on("subscriptions-in-both-forms", func(p *pairing) {
			for _, v := range []zmtp.Version{zmtp30, zmtp31} {
				pub := p.local("XPUB")
				r := p.greeted(pub.bind(), "SUB", v)
				r.write(zmtp.AppendSubscribe(nil, zmtp30, []byte("A")))
				pub.expect("\x01A")
				r.write(zmtp.AppendSubscribe(nil, zmtp31, []byte("B")))
				pub.expect("\x01B")
				pub.send("A", "1")
				pub.send("B", "2")
				for _, want := range []string{"A", "1", "B", "2"} {
					if body := r.message(); body != want {
						p.Fatalf("ZMTP %s: got %q, want %q", v, body, want)
					}
				}
				r.write(zmtp.AppendCancel(nil, zmtp30, []byte("B")))
				pub.expect("\x00B")
				r.write(zmtp.AppendCancel(nil, zmtp31, []byte("A")))
				pub.expect("\x00A")
			}
		}),
		on("subscriptions-as-the-peer-wants-them", func(p *pairing) {
			for _, v := range []zmtp.Version{zmtp30, zmtp31} {
				sub := p.local("SUB")
				r := p.greeted(sub.bind(), "PUB", v)
				for _, topic := range []string{"A", strings.Repeat("long", 100), ""} {
					sub.subscribe(topic)
					r.told(v, true, topic)
					sub.unsubscribe(topic)
					r.told(v, false, topic)
				}
			}
		}),
		on("endless-frames", func(p *pairing) {
			pull := p.local("PULL", Options{MaxMessage: 1 << 20})
			at := pull.bind()
			r := p.greeted(at, "PUSH", zmtp31)
			r.write(more(strings.Split(strings.Repeat(",", 100_000), ",")...))
			r.refused("100,000 empty frames in one message")
			good(p, pull, at)
		}),
	}
}

// told checks how the peer hears of a subscription or its end.
func (r *raw) told(v zmtp.Version, add bool, topic string) {
	r.p.Helper()
	h, body := r.frame()
	for h.Command() && strings.HasPrefix(string(body), "\x04PING") {
		h, body = r.frame()
	}
	var want string
	switch {
	case v.HasCommands() && add:
		want = "\x09SUBSCRIBE" + topic
	case v.HasCommands():
		want = "\x06CANCEL" + topic
	case add:
		want = "\x01" + topic
	default:
		want = "\x00" + topic
	}
	if string(body) != want || h.Command() != v.HasCommands() {
		r.p.Fatalf("a ZMTP %s peer is told %.40q (command: %v), want %.40q", v, body, h.Command(), want)
	}
}

// good has a proper peer send a message.
func good(p *pairing, pull *end, at string) {
	p.Helper()
	r := p.greeted(at, "PUSH", zmtp31)
	n := fmt.Sprintf("%p", r)
	r.write(frames("good", n))
	pull.expect("good", n)
	r.bye()
}
