//go:build unix

package interop

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/spool"
)

// quick makes a socket come back soon.
func quick() socket.Option { return socket.WithReconnect(20*time.Millisecond, 100*time.Millisecond) }

// TestLibzmqPullRestarts kills a bound PULL in the middle of a stream that is more than the kernel takes. What had
// not been written by then must reach the next process, in order and from the first of it.
func TestLibzmqPullRestarts(t *testing.T) {
	for _, transport := range []string{"tcp", "ipc"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			z := startPeer(t)
			pull := z.socket(t, "PULL", opts{"RCVHWM": 10})
			endpoint := pull.bind(fresh(t, transport))
			push := closing(t, socket.NewPush(quick(), socket.WithSendHWM(0), socket.WithSendHWMBytes(0)))
			defer sample(t, push)()
			connect(t, push, endpoint)
			waitPeers(t, push, 1)
			const n, size, early = 2000, 16 << 10, 100
			for i := range n {
				send(t, push, numbered(i, size))
			}
			if got := pull.numbers(early - 1).wait(t); got.First != 0 || got.Count != early {
				t.Fatalf("the first process received %d from number %d on; want %d from 0 on", got.Count, got.First, early)
			}
			z.Kill()
			waitEvent(t, push, socket.PeerDown, 1)
			l := checked(t, push).Ledger
			written := int(l.Delivered.Messages)
			if l.Queued.Messages == 0 {
				t.Fatal("all of it was written before the peer was killed; the test needs more")
			}
			if written < early || l.Accepted.Messages != n {
				t.Errorf("accepted %v, delivered %v; the peer had %d", l.Accepted, l.Delivered, early)
			}

			z = startPeer(t)
			pull = z.socket(t, "PULL", nil)
			pull.bind(endpoint)
			got := pull.numbers(n - 1).wait(t)
			if got.First != written || got.Count != n-written {
				t.Errorf("the second process received %d from number %d on; want %d from %d on", got.Count, got.First, n-written,
					written)
			}
			if l := delivered(t, push); l.Delivered.Messages != n || len(l.Dropped) != 0 {
				t.Errorf("delivered %v, dropped %v; want %d messages delivered", l.Delivered, l.Dropped, n)
			}
		})
	}
}

// TestLibzmqPubRestarts kills a bound publisher twice; each time the Sub must tell the next one all 20,000
// subscriptions, and not those it gave up in the meantime.
func TestLibzmqPubRestarts(t *testing.T) {
	for _, transport := range []string{"tcp", "ipc"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			const n = 20_000
			var want []string
			sub := closing(t, socket.NewSub(quick()))
			for i := range n + 1 {
				topic := fmt.Sprintf("topic %06d", i)
				must(t, sub.Subscribe(topic))
				want = append(want, topic)
			}
			endpoint := fresh(t, transport)
			for i := range 3 {
				z := startPeer(t)
				xpub := z.socket(t, "XPUB", nil)
				endpoint = xpub.bind(endpoint)
				connect(t, sub, endpoint) // changes nothing after the first time
				got := xpub.subscriptions(len(want)).wait(t)
				if got.Count != len(want) || got.Hash != hashOf(want) {
					t.Errorf("round %d: %d subscriptions with hash %.8s; want %d with %.8s", i, got.Count, got.Hash, len(want),
						hashOf(want))
				}
				xpub.send(want[len(want)-1], "news")
				wantFrames(t, asStrings(recv(t, sub).Frames), want[len(want)-1], "news")
				z.Kill()
				waitEvent(t, sub, socket.PeerDown, i+1)
				must(t, sub.Unsubscribe(want[0]))
				want = want[1:]
				checked(t, sub)
			}
		})
	}
}

// hashOf is what the script computes over subscriptions.
func hashOf(topics []string) string {
	sum := sha256.Sum256([]byte(strings.Join(slices.Sorted(slices.Values(topics)), "\n")))
	return hex.EncodeToString(sum[:])
}

// TestLibzmqRepRestarts loses a request to a REP that is killed: Recv says so and names it, and the next request is
// answered by the next process. With a retry the first request is.
func TestLibzmqRepRestarts(t *testing.T) {
	t.Parallel()
	for _, retries := range []int{0, 1} {
		t.Run(fmt.Sprint("retries-", retries), func(t *testing.T) {
			t.Parallel()
			z := startPeer(t)
			rep := z.socket(t, "REP", nil)
			endpoint := rep.bind(fresh(t, "tcp"))
			req := closing(t, socket.NewReq(quick(), socket.WithRetry(retries)))
			connect(t, req, endpoint)
			send(t, req, socket.Text("lost"))
			wantFrames(t, rep.recv(), "lost")
			z.Kill()
			if retries == 0 {
				_, err := req.Recv(within(t))
				if !errors.Is(err, socket.ErrPeerLost) || !strings.Contains(err.Error(), endpoint) {
					t.Fatalf("Recv returned %v; want an error that names the lost peer", err)
				}
				send(t, req, socket.Text("again"))
			}
			z = startPeer(t)
			rep = z.socket(t, "REP", nil)
			rep.bind(endpoint)
			rep.echo(1).wait(t)
			want := "again"
			if retries > 0 {
				want = "lost"
			}
			wantFrames(t, asStrings(recv(t, req).Frames), want)
			checked(t, req)
		})
	}
}

// TestSpooledRequestLibzmqRepRestarts asks again what a REP that is killed was asked, of the next process, in the same
// life of the requester and in the next.
func TestSpooledRequestLibzmqRepRestarts(t *testing.T) {
	t.Parallel()
	for _, requesterEnds := range []bool{false, true} {
		t.Run(fmt.Sprint("requester ends ", requesterEnds), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			open := func() (*socket.Req, *spool.Spool) {
				q, err := spool.Open(dir, spool.Options{})
				if err != nil {
					t.Fatal(err)
				}
				return socket.NewReq(quick(), socket.WithSpool(q)), q
			}
			end := func(req *socket.Req, q *spool.Spool) {
				if err := req.Close(); err != nil {
					t.Error(err)
				}
				if err := q.Close(); err != nil {
					t.Error(err)
				}
			}
			z := startPeer(t)
			rep := z.socket(t, "REP", nil)
			endpoint := rep.bind(fresh(t, "tcp"))
			req, q := open()
			defer func() { end(req, q) }()
			connect(t, req, endpoint)
			send(t, req, socket.Text("first"))
			wantFrames(t, rep.recv(), "first")
			if requesterEnds {
				end(req, q)
				req, q = open()
				connect(t, req, endpoint)
			}
			z.Kill()
			z = startPeer(t)
			rep = z.socket(t, "REP", nil)
			rep.bind(endpoint)
			echoes := rep.echo(2)
			if requesterEnds {
				for p, err := range req.Pending(within(t)) {
					if err != nil {
						t.Fatal(err)
					}
					wantFrames(t, asStrings(p.Reply.Frames), "first")
					break
				}
			} else {
				wantFrames(t, asStrings(recv(t, req).Frames), "first")
			}
			m, err := req.Do(within(t), socket.Text("second"))
			if err != nil {
				t.Fatal(err)
			}
			wantFrames(t, asStrings(m.Frames), "second")
			echoes.wait(t)
			if n := q.Stats().Cursors[0].Lag.Messages; n != 0 {
				t.Errorf("%d requests are left in the spool", n)
			}
			if err := req.Stats().Check(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestYodelRestarts closes and replaces a bound socket of ours, in the middle of traffic, under libzmq peers that
// connected to it. They come back only if they never saw a protocol error.
func TestYodelRestarts(t *testing.T) {
	z := sharedPeer(t)
	const rounds = 3
	for _, role := range []struct {
		name, libzmq string
		test         func(t *testing.T, endpoint string, z *zsock, round int) (bound string, s yodel)
	}{
		{"pull", "PUSH", restartPull},
		{"push", "PULL", restartPush},
		{"pub", "SUB", restartPub},
		{"sub", "PUB", restartSub},
		{"rep", "REQ", restartRep},
		{"req", "REP", restartReq},
	} {
		for _, transport := range []string{"tcp", "ipc"} {
			t.Run(role.name+"/"+transport, func(t *testing.T) {
				t.Parallel()
				peer := z.socket(t, role.libzmq, opts{"RECONNECT_IVL": 20, "SNDHWM": 0}) // a PUB would drop
				peer.monitor()
				endpoint := fresh(t, transport)
				for round := range rounds {
					var s yodel
					endpoint, s = role.test(t, endpoint, peer, round)
					if err := s.Close(); err != nil {
						t.Error(err)
					}
					checked(t, s)
					peer.waitEvent("DISCONNECTED", round+1)
				}
			})
		}
	}
}

// connectOnce connects the libzmq peer in the first round, and waits until it is there.
func connectOnce(t *testing.T, s yodel, endpoint string, z *zsock, round int) (bound string) {
	t.Helper()
	bound = bind(t, s, endpoint)
	if round == 0 {
		z.connect(bound)
	}
	waitPeers(t, s, 1)
	return bound
}

func restartPull(t *testing.T, endpoint string, z *zsock, round int) (string, yodel) {
	pull := closing(t, socket.NewPull())
	bound := connectOnce(t, pull, endpoint, z, round)
	const n = 1000
	sending := z.sendMany(mixed, n) // what is still on its way when we close is lost or comes to the next one
	for range n / 2 {
		recv(t, pull)
	}
	sending.wait(t)
	return bound, pull
}

func restartPush(t *testing.T, endpoint string, z *zsock, round int) (string, yodel) {
	push := closing(t, socket.NewPush())
	bound := connectOnce(t, push, endpoint, z, round)
	const n = 1000
	got := z.recvMany(n)
	sent := sendAll(t, push, mixed, n)
	// Shutdown delivers all of it, even to a peer that is slower than us.
	if l := delivered(t, push); l.Delivered.Messages != n {
		t.Errorf("delivered %v; want %d messages", l.Delivered, n)
	}
	sameStream(t, sent, got.wait(t).stream())
	return bound, push
}

func restartPub(t *testing.T, endpoint string, z *zsock, round int) (string, yodel) {
	if round == 0 {
		z.subscribe("a", "b")
	}
	pub := closing(t, socket.NewPub(socket.WithOverflow(socket.Block)))
	bound := connectOnce(t, pub, endpoint, z, round)
	subscribed(t, pub, z, "a")
	subscribed(t, pub, z, "b")
	for _, topic := range []string{"a", "c", "b"} {
		send(t, pub, socket.Text(topic, fmt.Sprint(round)))
	}
	wantFrames(t, z.recv(), "a", fmt.Sprint(round))
	wantFrames(t, z.recv(), "b", fmt.Sprint(round))
	return bound, pub
}

func restartSub(t *testing.T, endpoint string, z *zsock, round int) (string, yodel) {
	sub := closing(t, socket.NewSub(socket.WithSubscription("")))
	bound := connectOnce(t, sub, endpoint, z, round)
	syncSub(t, sub, z)
	const n = 1000
	sending := z.sendMany(mixed, n)
	for range n / 4 {
		recv(t, sub)
	}
	sending.wait(t)
	return bound, sub
}

func restartRep(t *testing.T, endpoint string, z *zsock, round int) (string, yodel) {
	rep := closing(t, socket.NewRep())
	bound := connectOnce(t, rep, endpoint, z, round)
	const n = 100
	asking := z.askMany(mixed, n)
	answerAll(t, rep, n)
	asking.wait(t)
	return bound, rep
}

func restartReq(t *testing.T, endpoint string, z *zsock, round int) (string, yodel) {
	req := closing(t, socket.NewReq())
	bound := connectOnce(t, req, endpoint, z, round)
	const n = 100
	echo := z.echo(n)
	for i := range n {
		if _, err := req.Do(within(t), mixed.message(i)); err != nil {
			t.Fatal(err)
		}
	}
	echo.wait(t)
	// Leave with a request that will be answered to nobody.
	send(t, req, socket.Text("never mind"))
	wantFrames(t, z.recv(), "never mind")
	z.send("too late")
	return bound, req
}

// TestShutdownDelivers closes with all of a stream still to go, to a libzmq PULL that is slow to receive: nothing may
// be lost between our Shutdown and its application.
func TestShutdownDelivers(t *testing.T) {
	z := sharedPeer(t)
	eachSide(t, func(t *testing.T, s side) {
		push := closing(t, socket.NewPush(socket.WithSendHWM(0), socket.WithSendHWMBytes(0)))
		pull := z.socket(t, "PULL", opts{"RCVHWM": 10})
		link(t, push, pull, s)
		const n = 2000
		sent := sendAll(t, push, sizes{{10_000}, {3, 0}}, n)
		got := pull.recvMany(n)
		delivered(t, push)
		sameStream(t, sent, got.wait(t).stream())
	})
}

// TestLibzmqLingers has a libzmq process send, close and end its context at once: all of it must arrive, and the end
// of the context, which waits for that, must not hang. What we have not read yet is held by the peer's kernel, which
// throws it away as soon as anything of ours arrives for the socket that is closed: so we must not say a word
// meanwhile.
func TestLibzmqLingers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		ours  []socket.PullOption
		pause time.Duration // in the middle of receiving
	}{
		{"fast", nil, 0},
		{"slow", nil, 300 * time.Millisecond},
		{
			"heartbeat",
			[]socket.PullOption{socket.WithHeartbeat(100*time.Millisecond, 20*time.Second, 20*time.Second)},
			300 * time.Millisecond,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachSide(t, func(t *testing.T, s side) {
				t.Parallel()
				z := startPeer(t)
				pull := closing(t, socket.NewPull(append(c.ours, socket.WithRecvHWM(10))...))
				push := z.socket(t, "PUSH", opts{"SNDHWM": 0})
				link(t, pull, push, s)
				const n = 2000
				sending := push.sendMany(mixed, n)
				closed := push.start("close", map[string]any{"linger": -1})
				sent := sending.wait(t).stream()
				closed.wait(t)
				ended := pending{z.Send("term", 0, nil)}
				received, err := tryRecvAll(within(t), pull, n/2)
				stay(t, pull, c.pause)
				for err == nil && received.Count < n {
					var m socket.Msg
					if m, err = pull.Recv(within(t)); err == nil {
						received.add(m.Frames)
					}
				}
				if err != nil {
					t.Fatalf("after %d of %d messages: %v; events: %v", received.Count, n, err, eventsOf(pull))
				}
				sameStream(t, sent, received)
				ended.wait(t)
				down := waitEvent(t, pull, socket.PeerDown, 1)
				if !errors.Is(down.Err, io.EOF) {
					t.Errorf("the peer went down by %v; want io.EOF", down.Err)
				}
				sameCount(t, "handed", checked(t, pull).Handed, sent)
			})
		})
	}
}
