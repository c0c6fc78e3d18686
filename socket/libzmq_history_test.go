package socket_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/zmtp"
	"github.com/yodel-mq/yodel/transport/zmtp/curve"
)

// TestLibzmqHistory: the security faults that libzmq has had, each under its name. Those that are of CURVE and PLAIN
// alone are with the mechanisms: TestCVE_2014_7202, TestCVE_2014_7203 and TestCVE_2019_13132.
func TestLibzmqHistory(t *testing.T) {
	for _, row := range []struct {
		name, fault string
		run         func(t *testing.T)
	}{
		{"CVE-2014-7202", "an old greeting gets past the mechanism", oldGreetings},
		{"CVE-2014-9721", "so does one of ZMTP 2 with frames behind it", oldGreetings},
		{"CVE-2019-6250", "the size of a frame overflows", hugeSizes},
		{"CVE-2020-15166", "who never shakes hands holds up a CURVE server", silentPeers},
		{"GHSA-qq65-x72m-9wr8, CVE-2021-20236", "long topics overflow the stack", longTopics},
		{"GHSA-4p5v-h92w-6wxw, CVE-2021-20237", "what is sent to a PUB is kept", sentToPub},
		{"GHSA-wfr2-29gj-5w87, CVE-2021-20234", "half a message is kept", halfMessages},
		{"GHSA-fc3w-qxf5-7hp6, CVE-2021-20235", "frames of ZMTP 1 overflow the buffer", framesOfZMTP1},
		{"CVE-2020-36400", "reads overflow the buffer", oddReads},
		{"libzmq#3566", "a malformed HELLO leaks", malformedHellos},
		{"2026, process_pipe_term_ack", "both ends of a pipe that end at once free it twice", endsAtOnce},
		{"2026, GSSAPI", "the verdict on a mechanism that is seldom used is ignored", seldomMechanisms},
		{"2026, WebSockets and UDP", "addresses of transports that are seldom used", seldomTransports},
	} {
		t.Run(row.name+": "+row.fault, func(t *testing.T) {
			t.Parallel()
			row.run(t)
		})
	}
}

// secretPull is a PULL that has CURVE.
func secretPull(t *testing.T) (pull *socket.Pull, at string) {
	t.Helper()
	pull = closing(t, socket.NewPull(socket.WithSecurity(curve.Server(serverKey, curve.Anyone))))
	return pull, bind(t, pull, "tcp://127.0.0.1:*")
}

// secretPush connects a PUSH with a key to it.
func secretPush(t *testing.T, at string) *socket.Push {
	t.Helper()
	push := closing(t, socket.NewPush(socket.WithSecurity(curve.Client(annKey, serverKey.Public()))))
	connect(t, push, at)
	return push
}

// hangsUp sends what a hostile peer says and waits until the socket has ended the connection, and told of it.
func hangsUp(t *testing.T, s anyRole, r *raw, says ...[]byte) {
	t.Helper()
	r.send(says...)
	r.ended()
	eventWhere(t, s, "the end of "+r.name(), func(ev socket.Event) bool { return isEnd(ev, r.name()) })
}

// oldGreeting is that of ZMTP 1 or 2, with an empty identity behind it.
func oldGreeting(revision byte) []byte {
	return []byte{0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0x7F, revision, 8, 0, 0}
}

func oldGreetings(t *testing.T) {
	pull, at := secretPull(t)
	for _, says := range [][]byte{
		[]byte("\x01\x00\x06\x00money"), oldGreeting(0), oldGreeting(1), oldGreeting(2),
		greetingOf("NULL"), greetingOf("PLAIN"),
	} {
		hangsUp(t, pull, rawDial(t, at), says, readyOf("PUSH"), messageOf("money"))
	}
	nothing(t, pull)
	send(t, secretPush(t, at), "good")
	expect(t, pull, "good")
}

func hugeSizes(t *testing.T) {
	pull := closing(t, socket.NewPull())
	at := bind(t, pull, "tcp://127.0.0.1:*")
	for _, size := range []uint64{
		math.MaxUint64, math.MaxUint64 - 1, math.MaxUint64 - zmtp.GreetingSize, 1 << 63, 1<<63 - 1, 1 << 32, 1<<32 - 1,
	} {
		for _, flags := range []byte{0, zmtp.FlagMore, zmtp.FlagCommand} {
			r := rawDial(t, at)
			r.shake("PUSH")
			hangsUp(t, pull, r, claim(flags, size), []byte("money"))
		}
		hangsUp(t, pull, rawDial(t, at), greeting(3, 1), claim(zmtp.FlagCommand, size), []byte("\x05READY"))
	}
	nothing(t, pull)
	push := closing(t, socket.NewPush())
	connect(t, push, at)
	send(t, push, "good")
	expect(t, pull, "good")
}

func silentPeers(t *testing.T) {
	push := closing(t, socket.NewPush(socket.WithSecurity(curve.Server(serverKey, curve.Anyone)), socket.WithSendHWM(10)))
	at := bind(t, push, "tcp://127.0.0.1:*")
	for n := range 60 {
		switch r := rawDial(t, at); n % 3 {
		case 1:
			r.send(greetingOf("CURVE"))
		case 2:
			r.send(greetingOf("CURVE"), zmtp.AppendCommand(nil, "HELLO", make([]byte, 194))[:100])
		}
	}
	pull := closing(t, socket.NewPull(socket.WithSecurity(curve.Client(annKey, serverKey.Public()))))
	connect(t, pull, at)
	for n := range 100 {
		send(t, push, fmt.Sprint(n))
		expect(t, pull, fmt.Sprint(n))
	}
	if n := len(push.Stats().Peers); n != 1 {
		t.Errorf("there are %d peers", n)
	}
}

func longTopics(t *testing.T) {
	pub := closing(t, socket.NewPub())
	at := bind(t, pub, "tcp://127.0.0.1:*")
	sub := closing(t, socket.NewSub())
	connect(t, sub, at)
	const longest = 1024
	topics := make([]string, longest)
	for n := range topics {
		topics[n] = strings.Repeat("a", n+1)
	}
	for _, topic := range topics {
		must(t, sub.Subscribe(topic))
	}
	must(t, pub.WaitSubscribers(within(t), topics[longest-1], 1))
	send(t, pub, topics[longest-1])
	expect(t, sub, topics[longest-1])
	for _, topic := range topics {
		must(t, sub.Unsubscribe(topic))
	}
	waitUntil(t, "all topics are cancelled", func() bool { return len(pub.Topics()) == 0 })
	r := rawDial(t, at)
	r.shake("SUB")
	r.send(zmtp.AppendSubscribe(nil, zmtp.Version{Major: 3, Minor: 1}, bytes.Repeat([]byte("a"), 100_000)))
	eventWhere(t, pub, "a topic of 100,000 bytes", func(ev socket.Event) bool {
		return ev.Kind == socket.LimitHit || isEnd(ev, r.name())
	})
	if topics := pub.Topics(); len(topics) > 0 {
		t.Errorf("there are %d topics", len(topics))
	}
}

func sentToPub(t *testing.T) {
	pub := closing(t, socket.NewPub())
	at := bind(t, pub, "tcp://127.0.0.1:*")
	r := rawDial(t, at)
	r.shake("SUB", zmtp.Property{Name: "X-Long", Value: make([]byte, 1000)})
	for range 100 {
		r.send(bytes.Repeat(messageOf("x", strings.Repeat("y", 1000)), 10))
	}
	sub := closing(t, socket.NewSub(socket.WithSubscription("")))
	connect(t, sub, at)
	must(t, pub.WaitSubscribers(within(t), "", 1))
	send(t, pub, "good")
	expect(t, sub, "good")
	if st := pub.Stats(); st.Unread.Messages != 0 || len(pub.Topics()) != 1 {
		t.Errorf("%v is unread, the topics are %q", st.Unread, pub.Topics())
	}
}

func halfMessages(t *testing.T) {
	pull := closing(t, socket.NewPull())
	at := bind(t, pull, "tcp://127.0.0.1:*")
	half := frameOf(zmtp.FlagMore, strings.Repeat("x", 200))
	for range 100 {
		r := rawDial(t, at)
		r.shake("PUSH")
		r.send(half, half[:50])
		r.Close()
	}
	push := closing(t, socket.NewPush())
	connect(t, push, at)
	send(t, push, "good")
	expect(t, pull, "good")
	waitUntil(t, "the others are gone", func() bool { return len(pull.Stats().Peers) == 1 })
	if st := pull.Stats(); st.Received.Messages != 1 || st.Unread.Messages != 0 {
		t.Errorf("%v was received, %v is unread", st.Received, st.Unread)
	}
}

func framesOfZMTP1(t *testing.T) {
	pull := closing(t, socket.NewPull())
	at := bind(t, pull, "tcp://127.0.0.1:*")
	long := append([]byte{0xFF, 0, 0, 0, 0, 0, 0, 0x20, 1, 0}, make([]byte, 8<<10)...)
	for _, says := range [][][]byte{
		{{1, 0}, long, long},
		{long, long},
		{oldGreeting(0), long, long},
	} {
		hangsUp(t, pull, rawDial(t, at), says...)
	}
	nothing(t, pull)
}

func oddReads(t *testing.T) {
	pull := closing(t, socket.NewPull())
	r := rawDial(t, bind(t, pull, "tcp://127.0.0.1:*"))
	r.shake("PUSH")
	rng := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{0, 1, 254, 255, 256, 4095, 8183, 8191, 8192, 8193, 16_384, 32_759, 32_768, 65_527, 65_537} {
		body := make([]byte, size)
		for i := range body {
			body[i] = byte(rng.Uint32())
		}
		whole := append(messageOf(string(body)), messageOf("behind it")...)
		for _, cut := range []int{1, 2, 9, 10, len(whole) / 2, len(whole) - 11, len(whole) - 1} {
			cut = min(max(cut, 0), len(whole))
			r.send(whole[:cut])
			time.Sleep(time.Millisecond / 4) // so that the parts are read apart, as a rule
			r.send(whole[cut:])
			if m := recv(t, pull); len(m.Frames) != 1 || !bytes.Equal(m.Frames[0], body) {
				t.Fatalf("%d bytes cut at %d have come as %d frames", size, cut, len(m.Frames))
			}
			expect(t, pull, "behind it")
		}
	}
}

func malformedHellos(t *testing.T) {
	pull, at := secretPull(t)
	for size := 0; size < 400; size += 13 {
		hangsUp(t, pull, rawDial(t, at), greetingOf("CURVE"), zmtp.AppendCommand(nil, "HELLO", make([]byte, size)))
	}
	hangsUp(t, pull, rawDial(t, at), greetingOf("CURVE"), zmtp.AppendCommand(nil, "HELLO", make([]byte, 194)))
	if n := len(pull.Stats().Peers); n != 0 {
		t.Errorf("there are %d peers", n)
	}
	send(t, secretPush(t, at), "good")
	expect(t, pull, "good")
}

func endsAtOnce(t *testing.T) {
	for name, endpoint := range transports(t) {
		for range 10 {
			push, pull := socket.NewPush(socket.WithLinger(0)), socket.NewPull()
			link(t, pull, push, endpoint)
			for range 10 {
				send(t, push, "x")
			}
			var ends sync.WaitGroup
			for _, s := range []socket.Socket{push, pull} {
				ends.Go(func() {
					if err := s.Close(); err != nil {
						t.Errorf("%s: %v", name, err)
					}
				})
			}
			ends.Wait()
			balanced(t, push)
			balanced(t, pull)
		}
	}
}

func seldomMechanisms(t *testing.T) {
	pull, at := secretPull(t)
	open := closing(t, socket.NewPull())
	openAt := bind(t, open, "tcp://127.0.0.1:*")
	for _, mechanism := range []string{"GSSAPI", "curve", "CURVE\x00X", "", strings.Repeat("X", 20)} {
		for _, s := range []struct {
			*socket.Pull
			at string
		}{{pull, at}, {open, openAt}} {
			hangsUp(t, s.Pull, rawDial(t, s.at), greetingOf(mechanism), zmtp.AppendCommand(nil, "INITIATE", make([]byte, 8)),
				readyOf("PUSH"), messageOf("money"))
			nothing(t, s.Pull)
		}
	}
}

func seldomTransports(t *testing.T) {
	pull := closing(t, socket.NewPull())
	for _, endpoint := range []string{
		"ws://", "ws://[::1", "ws://127.0.0.1:x/y", "wss://*:*/", "udp://239.0.0.1:5555", "norm://;:1", "tipc://{1,2,",
		"vmci://*:*", "pgm://eth0;239.0.0.1:1", "gssapi://x", "://", "tcp://[fe80::1%:1", "ipc://", "inproc://",
	} {
		if at, err := pull.Bind(within(t), endpoint); err == nil {
			t.Errorf("%q is bound as %q", endpoint, at)
		}
		if err := pull.Connect(endpoint); err == nil {
			t.Errorf("%q is connected to", endpoint)
		}
	}
}
