package socket_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/yodel-mq/yodel/socket"
)

func TestPushGoesRoundRobin(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		push := closing(t, socket.NewPush())
		at := bind(t, push, endpoint)
		pulls := make([]*socket.Pull, 5)
		for i := range pulls {
			pulls[i] = closing(t, socket.NewPull())
			connect(t, pulls[i], at)
			waitPeers(t, push, i+1)
		}
		for i := range 50 {
			send(t, push, fmt.Sprint(i))
		}
		first := make([]string, 0, 5)
		for i, pull := range pulls {
			for k := range 10 {
				got := string(recv(t, pull).Frames[0])
				if k == 0 {
					first = append(first, got)
				}
				if n := atoi(t, []byte(got)); n != atoi(t, []byte(first[i]))+5*k {
					t.Fatalf("peer %d got %s as its message %d after %s", i, got, k, first[i])
				}
			}
			nothing(t, pull)
		}
		slices.Sort(first)
		if want := []string{"0", "1", "2", "3", "4"}; !slices.Equal(first, want) {
			t.Fatalf("the first messages were %v, want %v", first, want)
		}
	})
}

func TestPullIsFair(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		pull := closing(t, socket.NewPull())
		at := bind(t, pull, endpoint)
		const peers, each = 5, 20
		for i := range peers {
			push := closing(t, socket.NewPush())
			connect(t, push, at)
			for k := range each {
				send(t, push, fmt.Sprint(i), fmt.Sprint(k))
			}
		}
		waitPeers(t, pull, peers) // over inproc, messages are there before their peer's turn is
		waitUnread(t, pull, peers*each)
		// With all five queues full, every five messages come from five peers, each in its own order.
		for k := range each {
			from := make(map[string]bool)
			for range peers {
				m := recv(t, pull)
				from[string(m.Frames[0])] = true
				if string(m.Frames[1]) != fmt.Sprint(k) {
					t.Fatalf("round %d: got %s", k, m)
				}
			}
			if len(from) != peers {
				t.Fatalf("round %d came from %d peers, want %d", k, len(from), peers)
			}
		}
	})
}

// waitUnread waits until n messages wait to be received. There is no event for that, so it looks often.
func waitUnread(t testing.TB, s socket.Socket, n uint64) {
	t.Helper()
	waitUntil(t, fmt.Sprintf("%d messages unread", n), func() bool { return s.Stats().Unread.Messages >= n })
}

func TestPushWithoutPeer(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		t.Run("bound", func(t *testing.T) {
			push := closing(t, socket.NewPush())
			at := bind(t, push, endpoint)
			blocked(t, push)
			if err := push.TrySend(socket.Text("x")); !errors.Is(err, socket.ErrWouldBlock) {
				t.Fatalf("TrySend: %v, want ErrWouldBlock", err)
			}
			if err := push.TrySend(socket.Text("x")); !errors.Is(err, socket.ErrNoPeers) {
				t.Fatalf("TrySend: %v, want ErrNoPeers", err)
			}
			if got := push.Stats().Accepted.Messages; got != 0 {
				t.Fatalf("accepted %d messages, want none", got)
			}
			pull := closing(t, socket.NewPull())
			done := make(chan error, 1)
			go func() { done <- push.Send(within(t), socket.Text("late")) }()
			connect(t, pull, at)
			expect(t, pull, "late")
			must(t, <-done)
		})
		t.Run("connecting", func(t *testing.T) {
			at := unused(t, endpoint)
			push := closing(t, socket.NewPush(socket.WithSendHWM(10)))
			connect(t, push, at)
			for i := range 10 {
				send(t, push, fmt.Sprint(i))
			}
			blocked(t, push)
			if got := push.Stats().Queued.Messages; got != 10 {
				t.Fatalf("queued %d, want 10", got)
			}
			pull := closing(t, socket.NewPull())
			bind(t, pull, at)
			for i := range 10 {
				expect(t, pull, fmt.Sprint(i))
			}
			balanced(t, push)
		})
		t.Run("two dead endpoints, the second comes alive", func(t *testing.T) {
			dead, alive := unused(t, endpoint), unused(t, endpoint+"2")
			push := closing(t, socket.NewPush())
			connect(t, push, dead)
			connect(t, push, alive)
			for i := range 10 {
				send(t, push, fmt.Sprint(i))
			}
			pull := closing(t, socket.NewPull())
			bind(t, pull, alive)
			for i := range 10 {
				expect(t, pull, fmt.Sprint(i))
			}
		})
	})
}

// unused returns an endpoint like the given one that can be bound later.
func unused(t testing.TB, endpoint string) string {
	t.Helper()
	if strings.HasPrefix(endpoint, "inproc://") {
		return endpoint + "/unused"
	}
	if strings.HasPrefix(endpoint, "ipc://") {
		return fmt.Sprintf("ipc://%s/%d.sock", t.TempDir(), len(endpoint))
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer ln.Close()
	return "tcp://" + ln.Addr().String()
}

func TestPushRequeuesWhatADeadPeerDidNotGet(t *testing.T) {
	// A raw peer that completes the handshake and then reads nothing: the kernel takes some, the rest queues.
	push := closing(t, socket.NewPush(socket.WithSendHWM(0), socket.WithSendHWMBytes(0)))
	at := bind(t, push, "tcp://127.0.0.1:*")
	raw := rawPeer(t, at, "PULL")
	waitPeers(t, push, 1)
	body := strings.Repeat("x", 4<<10)
	const n = 5000
	for i := range n {
		send(t, push, fmt.Sprint(i), body)
	}
	before := push.Stats()
	if before.Queued.Messages == 0 {
		t.Fatal("the kernel took everything; nothing was left to requeue")
	}
	must(t, raw.Close())
	event(t, push, socket.PeerDown)
	balanced(t, push)

	pull := closing(t, socket.NewPull())
	connect(t, pull, at)
	got := int(push.Stats().Delivered.Messages)
	next := atoi(t, recv(t, pull).Frames[0])
	for i := next + 1; i < n; i++ {
		expect(t, pull, fmt.Sprint(i), body)
	}
	if lost := next; lost > got+1 {
		t.Fatalf("messages up to %d did not arrive, but only %d were delivered to the transport", next, got)
	}
	after := push.Stats()
	if after.Delivered.Messages != n {
		t.Fatalf("delivered %d, want %d", after.Delivered.Messages, n)
	}
}

func TestPeerLeavingIsAnEventNotAnError(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		pull := closing(t, socket.NewPull())
		at := bind(t, pull, endpoint)
		ctx := within(t)
		got := make(chan string)
		go func() {
			defer close(got)
			for m, err := range pull.Messages(ctx) {
				if err != nil {
					t.Errorf("Messages: %v", err)
					return
				}
				got <- string(m.Frames[0])
			}
		}()
		for i := range 3 {
			push := socket.NewPush()
			connect(t, push, at)
			send(t, push, fmt.Sprint(i))
			if m := <-got; m != fmt.Sprint(i) {
				t.Fatalf("received %q, want %d", m, i)
			}
			must(t, push.Close())
		}
		downs := 0
		for ev := range pull.Events(ctx) {
			if ev.Kind == socket.PeerDown {
				if !errors.Is(ev.Err, io.EOF) || ev.Peer.Type != "PUSH" {
					t.Errorf("event %v, want the peer's close", ev)
				}
				if downs++; downs == 3 {
					break
				}
			}
		}
		must(t, pull.Close())
		if m, ok := <-got; ok {
			t.Fatalf("received %q after the end", m)
		}
	})
}

func TestManyEndpointsOnOneSocket(t *testing.T) {
	pull := closing(t, socket.NewPull())
	var ats []string
	for _, endpoint := range transports(t) {
		ats = append(ats, bind(t, pull, endpoint), bind(t, pull, endpoint+otherName(endpoint)))
	}
	push := closing(t, socket.NewPush())
	for _, at := range ats {
		connect(t, push, at)
	}
	waitPeers(t, push, len(ats))
	from := make(map[string]int)
	for range 10 * len(ats) {
		send(t, push, "x")
	}
	for range 10 * len(ats) {
		from[recv(t, pull).From.Endpoint]++
	}
	for _, at := range ats {
		if from[at] != 10 {
			t.Errorf("%d messages came by %s, want 10: %v", from[at], at, from)
		}
	}
}

func otherName(endpoint string) string {
	if strings.HasPrefix(endpoint, "inproc://") {
		return "/other"
	}
	return ""
}

func TestHundredGoroutinesOnOneSocket(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		push, pull := closing(t, socket.NewPush()), closing(t, socket.NewPull())
		link(t, pull, push, endpoint)
		const workers, each = 100, 50
		ctx := within(t)
		var wg sync.WaitGroup
		for w := range workers {
			wg.Go(func() {
				for i := range each {
					id := fmt.Sprint(w, "/", i)
					if err := push.Send(ctx, socket.Text(id, "", id, strings.Repeat("z", i*10), id)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		var mu sync.Mutex
		seen := make(map[string]bool)
		for range workers {
			wg.Go(func() {
				for range each {
					m, err := pull.Recv(ctx)
					if err != nil {
						t.Error(err)
						return
					}
					id := string(m.Frames[0])
					if len(m.Frames) != 5 || string(m.Frames[2]) != id || string(m.Frames[4]) != id {
						t.Errorf("frames of several messages in one: %s", m)
					}
					mu.Lock()
					seen[id] = true
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if len(seen) != workers*each {
			t.Fatalf("received %d different messages, want %d", len(seen), workers*each)
		}
	})
}

func TestHighWaterMarkBothSides(t *testing.T) {
	t.Run("inproc is the sum of both", func(t *testing.T) {
		for _, c := range []struct{ send, recv, want int }{{1, 1, 2}, {1000, 1000, 2000}, {3, 7, 10}} {
			push := closing(t, socket.NewPush(socket.WithSendHWM(c.send)))
			pull := closing(t, socket.NewPull(socket.WithRecvHWM(c.recv)))
			link(t, pull, push, fmt.Sprintf("inproc://sum/%d", c.want))
			n := 0
			for push.TrySend(socket.Text("x")) == nil {
				n++
			}
			if n != c.want {
				t.Errorf("%d + %d took %d messages, want %d", c.send, c.recv, n, c.want)
			}
			for range c.want / 2 { // opens again at half
				recv(t, pull)
			}
			if err := push.TrySend(socket.Text("x")); err != nil {
				t.Errorf("%d + %d: not open again at half: %v", c.send, c.recv, err)
			}
		}
	})
	t.Run("recv mark holds the reader", func(t *testing.T) {
		push, pull := closing(t, socket.NewPush()), closing(t, socket.NewPull(socket.WithRecvHWM(7)))
		link(t, pull, push, "tcp://127.0.0.1:*")
		for i := range 100 {
			send(t, push, fmt.Sprint(i))
		}
		waitUnread(t, pull, 7)
		for i := range 100 {
			if got := pull.Stats().Unread.Messages; got > 7 {
				t.Fatalf("%d unread, the mark is 7", got)
			}
			expect(t, pull, fmt.Sprint(i))
		}
	})
	t.Run("bytes", func(t *testing.T) {
		push := closing(t, socket.NewPush(socket.WithSendHWMBytes(1000)))
		connect(t, push, unused(t, "tcp://"))
		n := 0
		for push.TrySend(socket.Text(strings.Repeat("x", 300))) == nil {
			n++
		}
		if n != 4 { // the fourth goes over it, the fifth finds it full
			t.Fatalf("took %d messages of 300 bytes, want 4", n)
		}
	})
}

func TestPushOverflow(t *testing.T) {
	for _, c := range []struct {
		name    string
		policy  socket.Overflow
		dropped uint64
		left    []string
	}{
		{"reject", socket.Reject, 0, []string{"0", "1", "2"}},
		{"drop newest", socket.DropNewest, 3, []string{"0", "1", "2"}},
		{"drop oldest", socket.DropOldest, 3, []string{"3", "4", "5"}},
		{"conflate", socket.Conflate, 5, []string{"5"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			at := unused(t, "ipc://")
			hwm := map[bool]int{true: 1, false: 3}[c.policy == socket.Conflate]
			push := closing(t, socket.NewPush(socket.WithSendHWM(hwm), socket.WithOverflow(c.policy)))
			connect(t, push, at)
			var refused int
			for i := range 6 {
				err := push.Send(within(t), socket.Text(fmt.Sprint(i)))
				switch {
				case errors.Is(err, socket.ErrWouldBlock):
					refused++
				case err != nil:
					t.Fatal(err)
				}
			}
			if want := map[bool]int{true: 3}[c.policy == socket.Reject]; refused != want {
				t.Fatalf("%d sends refused, want %d", refused, want)
			}
			if got := push.Stats().Dropped[socket.QueueFull].Messages; got != c.dropped {
				t.Fatalf("%d dropped, want %d", got, c.dropped)
			}
			pull := closing(t, socket.NewPull())
			bind(t, pull, at)
			for _, want := range c.left {
				expect(t, pull, want)
			}
			balanced(t, push)
		})
	}
}

func TestSendChecksItsMessage(t *testing.T) {
	push := closing(t, socket.NewPush(socket.WithLimits(socket.Limits{MaxMessage: 100, MaxFrames: 3})))
	connect(t, push, unused(t, "ipc://"))
	for _, c := range []struct {
		name string
		m    socket.Msg
		want error
	}{
		{"no frames", socket.Msg{}, socket.ErrNoFrames},
		{"too many bytes", socket.Text(strings.Repeat("x", 60), strings.Repeat("x", 41)), socket.ErrTooLarge},
		{"too many frames", socket.Text("", "", "", ""), socket.ErrTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := push.Send(t.Context(), c.m); !errors.Is(err, c.want) {
				t.Fatalf("Send: %v, want %v", err, c.want)
			}
		})
	}
	if got := push.Stats().Accepted.Messages; got != 0 {
		t.Fatalf("accepted %d", got)
	}
}
