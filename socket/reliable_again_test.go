package socket_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/spool"
	"github.com/yodel-mq/yodel/transport/simnet"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// patterned is the n-th message of a test, of a size and with bytes that tell whether it is whole and nobody else's.
func patterned(n, size int) socket.Msg {
	m := numbered(n, 0)
	m.Frames = append(m.Frames, nil, bytes.Repeat([]byte{byte('a' + n%26)}, size))
	return m
}

func wantPatterned(t *testing.T, m socket.Msg) (n int) {
	t.Helper()
	f := m.Frames
	if n = number(socket.Msg{Frames: f[:1]}); len(f) != 3 || len(f[1]) != 0 ||
		len(bytes.Trim(f[2], string(rune('a'+n%26)))) > 0 {
		t.Fatalf("%q is not as message %d was sent", f, n)
	}
	return n
}

// A judge settles the messages that a socket receives, in an order of its own: it gives some back, and refuses some.
type judge struct {
	from    deliverer
	rnd     *rand.Rand
	hand    []*socket.Delivery
	back    []int // how often each was given back
	over    []bool
	refused uint64
}

// run goes on until all messages are settled.
func (j *judge) run(t *testing.T, total int) {
	j.back, j.over = make([]int, total), make([]bool, total)
	for left := total; left > 0; {
		if len(j.hand) < left && (len(j.hand) == 0 || len(j.hand) < 6 && j.rnd.IntN(2) == 0) {
			d, err := j.from.Next(aDay(t))
			if err != nil {
				t.Errorf("%d are left: %v", left, err)
				return
			}
			n := wantPatterned(t, d.Msg)
			if j.over[n] || d.Redelivered != (j.back[n] > 0) || d.Attempts < j.back[n] {
				t.Errorf("message %d: attempts %d, redelivered %v; given back %d times, settled %v", n, d.Attempts,
					d.Redelivered, j.back[n], j.over[n])
				return
			}
			j.hand = append(j.hand, d)
			continue
		}
		i := j.rnd.IntN(len(j.hand))
		d := j.hand[i]
		j.hand = append(j.hand[:i], j.hand[i+1:]...)
		n := number(socket.Msg{Frames: d.Frames[:1]})
		switch j.rnd.IntN(8) {
		case 0, 1:
			must(t, d.Nak(time.Duration(j.rnd.IntN(3))*time.Millisecond))
			j.back[n]++
			continue
		case 2:
			must(t, d.Term("no"))
			j.refused++
		default:
			must(t, d.Ack())
		}
		j.over[n] = true
		left--
	}
}

// TestGivenBackManyCuts: connection after connection is cut at random bytes while receivers settle messages in any
// order, give some back and refuse some. Each is settled once; what comes again says so; and the sender knows what was
// received and what was refused, whatever was lost with a connection.
func TestGivenBackManyCuts(t *testing.T) {
	byHand, ever := socket.WithManualAck(), socket.WithMaxAttempts(-1)
	for name, pair := range map[string]func(a, b socket.Option) (x, y speaker){
		"push to pull": func(a, b socket.Option) (x, y speaker) {
			return socket.NewPush(a, ever, socket.WithReliable()), socket.NewPull(b, byHand)
		},
		"dealer to dealer": func(a, b socket.Option) (x, y speaker) {
			return socket.NewDealer(a, ever, socket.WithReliable(), byHand),
				socket.NewDealer(b, ever, socket.WithReliable(), byHand)
		},
	} {
		t.Run(name, func(t *testing.T) {
			cuts := uint64(0)
			for seed := range uint64(20) {
				bubble(t, func(t *testing.T) {
					net := simnet.New(simnet.Config{
						Latency: time.Millisecond, Jitter: time.Millisecond, Seed: seed, CutPerKiB: 0.4, Window: 512,
					})
					x, y := pair(on(net, "cli"), on(net, "srv"))
					defer shut(t, x)
					defer shut(t, y)
					bindAt(t, y)
					must(t, x.Connect(server))
					var all sync.WaitGroup
					all.Go(func() { judgedTrade(t, x, y, seed) })
					if name == "dealer to dealer" {
						all.Go(func() { judgedTrade(t, y, x, seed+1000) })
					}
					all.Wait()
					cuts += net.Stats().Cuts
				})
				if t.Failed() {
					t.Fatalf("^ seed %d", seed)
				}
			}
			if t.Logf("%d cuts", cuts); cuts < 100 {
				t.Error("that is not enough to show anything")
			}
		})
	}
}

// judgedTrade has one socket send messages that another one judges, and looks what the sender makes of it.
func judgedTrade(t *testing.T, from, to speaker, seed uint64) {
	const total = 150
	j := &judge{from: to.(deliverer), rnd: rand.New(rand.NewPCG(seed, 1))}
	var all sync.WaitGroup
	all.Go(func() { j.run(t, total) })
	for n := range total {
		must(t, from.(socket.Sender).Send(aDay(t), patterned(n, n*7%90)))
		balanced(t, from)
	}
	all.Wait()
	for range 100 {
		time.Sleep(time.Second)
		if st := from.Stats(); st.Unacknowledged.Messages+st.Queued.Messages == 0 {
			break
		}
	}
	balanced(t, from)
	st := from.Stats()
	if st.Delivered.Messages != total-j.refused || st.Dropped[socket.Rejected].Messages != j.refused {
		t.Errorf("%d of %d were refused, and the sender counts %v", j.refused, total, st.Ledger)
	}
	nothing(t, to.(socket.Receiver))
}

// TestTermEveryCut cuts the connection at every byte while a message is refused: it counts as refused, whether the
// sender has heard of it at once or over the next connection.
func TestTermEveryCut(t *testing.T) {
	for name, spooled := range map[string]bool{"from memory": false, "from a spool": true} {
		t.Run(name, func(t *testing.T) {
			everyCut(t, handshakeBytes, func(t *testing.T, net *simnet.Network) bool {
				why, opts := socket.Rejected, []socket.PushOption{on(net, "cli"), socket.WithReliable()}
				if spooled {
					q := onMedium(t, newMedium(), spool.Options{})
					defer func() { must(t, q.Close()) }()
					why, opts = socket.DeadLettered, append(opts, socket.WithSpool(q))
				}
				push, pull := socket.NewPush(opts...), manualPull(t, net)
				defer shut(t, push)
				defer shut(t, pull)
				must(t, push.Connect(server))
				for n := range 3 {
					must(t, push.Send(aDay(t), numbered(n, 0)))
				}
				for range 3 {
					d, err := pull.Next(aDay(t))
					must(t, err)
					if number(d.Msg) == 1 {
						must(t, d.Term("no"))
					} else {
						must(t, d.Ack())
					}
				}
				time.Sleep(10 * time.Second)
				nothing(t, pull)
				if st := push.Stats(); st.Delivered.Messages != 2 || st.Dropped[why].Messages != 1 {
					t.Errorf("PUSH counts %v", st.Ledger)
				}
				return net.Stats().Cuts == 1
			})
		})
	}
}

// TestTermIsSaidAgain: byte by byte, a refusal is said over the next connections, too, until the sender says that the
// message is settled.
func TestTermIsSaidAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{Latency: time.Millisecond})
		pull := manualPull(t, net)
		r := openTo(t, net, "cli", "PUSH", aStream(7))
		r.send(messageOf("1"), messageOf("2"), messageOf("3"))
		held := nextDelivery(t, pull, "1")
		must(t, nextDelivery(t, pull, "2").Term("poison"))
		r.Close()
		time.Sleep(time.Second)
		must(t, nextDelivery(t, pull, "3").Term("worse"))
		open := aStream(7)
		for link, low := range []uint64{1, 1, 3} {
			open.Link, open.Next, open.Low = uint64(link)+2, 4, low
			r = openTo(t, net, "cli", "PUSH", open)
			if low == 1 {
				r.wantSaid(saying{name: "TERM", at: 1, reason: "poison"})
				r.wantSaid(saying{name: "TERM", at: 2, reason: "worse"})
			} else {
				r.wantSaid(saying{name: "TERM", at: 1, reason: "worse"})
			}
			r.Close()
			time.Sleep(time.Second)
		}
		open.Link++
		r = openTo(t, net, "cli", "PUSH", open)
		r.wantSaid(saying{name: "TERM", at: 1, reason: "worse"})
		r.send(zmtp.AppendLow(nil, 1, zmtp.Range{From: 3, To: 4}))
		must(t, held.Ack())
		r.wantSaid(saying{name: "ACK", at: 2})
		r.Close()
		time.Sleep(time.Second)
		open.Link++
		r = openTo(t, net, "cli", "PUSH", open)
		r.send(messageOf("4"))
		must(t, nextDelivery(t, pull, "4").Ack())
		r.wantSaid(saying{name: "ACK", at: 1})
		must(t, pull.Close())
	})
}

// TestReassignedSaysSo: what a lost receiver was sent and has not acknowledged says so when another one gets it; what
// was never written does not.
func TestReassignedSaysSo(t *testing.T) {
	push := closing(t, socket.NewPush(socket.WithReliable(), socket.WithReassign(time.Millisecond)))
	at := bind(t, push, "tcp://127.0.0.1:*")
	r := joinReliably(t, at, zmtp.Opened{Next: 1, Floor: 1})
	for n := range 3 {
		send(t, push, fmt.Sprint(n+1))
		r.wantMessages(t, n+1)
	}
	r.send(zmtp.AppendAck(nil, 1))
	waitUntil(t, "one is delivered", func() bool { return push.Stats().Delivered.Messages == 1 })
	r.Close()
	event(t, push, socket.PeerDown)
	r = joinReliablyAs(t, at, 8, zmtp.Opened{Next: 1, Floor: 1})
	for n := 2; n <= 3; n++ {
		r.wantNext(t, zmtp.Next{Number: uint64(n) - 1, Attempts: 1, Redelivered: true}, fmt.Sprint(n))
	}
	send(t, push, "4")
	r.wantMessages(t, 4)
	r.send(zmtp.AppendAck(nil, 3))
	waitUntil(t, "all is delivered", func() bool { return push.Stats().Delivered.Messages == 4 })
	balanced(t, push)
}

// TestGivenBackAreForgotten: a receiver that gives many messages back is told now and then which numbers do not come
// again, or it would remember all of them.
func TestGivenBackAreForgotten(t *testing.T) {
	push := closing(t, socket.NewPush(socket.WithReliable(), socket.WithMaxAttempts(-1)))
	r := joinReliably(t, bind(t, push, "tcp://127.0.0.1:*"), zmtp.Opened{Next: 1, Floor: 1})
	send(t, push, "1")
	send(t, push, "2")
	r.wantMessages(t, 1, 2)
	for n := uint64(1); ; n++ {
		r.send(zmtp.AppendNak(nil, n, 0))
		f := r.frame()
		_, data, err := zmtp.ParseCommand(f.body)
		must(t, err)
		if f.command() == zmtp.CommandLow {
			low, settled, err := zmtp.ParseLow(data, nil)
			must(t, err)
			if want := (zmtp.Range{From: 2, To: n + 2}); low != 1 || len(settled) != 1 || settled[0] != want {
				t.Errorf("LOW is %d and %v, want 1 and %v", low, settled, want)
			}
			break
		}
		next, err := zmtp.ParseNext(data)
		must(t, err)
		if want := (zmtp.Next{Number: n + 2, Attempts: uint16(n), Redelivered: true}); next != want || n > 5000 {
			t.Fatalf("%+v came, want %+v", next, want)
		}
		if m := r.message(); m[0] != "2" {
			t.Fatalf("%q came", m)
		}
	}
}

// TestMemoryOfSettledWrites: a message that waits for its acknowledgement stays as it was while later ones are
// acknowledged, and others are sent in the memory that those took.
func TestMemoryOfSettledWrites(t *testing.T) {
	push := closing(t, socket.NewPush(socket.WithReliable()))
	at := bind(t, push, "tcp://127.0.0.1:*")
	r := joinReliably(t, at, zmtp.Opened{Next: 1, Floor: 1})
	send(t, push, "1")
	r.wantMessages(t, 1)
	const others = 40
	for range others { // each is written by itself, the first ones behind "1" in the same memory
		send(t, push, string(bytes.Repeat([]byte{'?'}, 4<<10)))
		r.message()
	}
	r.send(zmtp.AppendAck(nil, 0, zmtp.Range{From: 1, To: 1 + others}))
	waitUntil(t, "the later ones are delivered", func() bool { return push.Stats().Delivered.Messages == others })
	for range 20 {
		other, pull := closing(t, socket.NewPush(socket.WithReliable())), closing(t, socket.NewPull())
		connect(t, other, bind(t, pull, "tcp://127.0.0.1:*"))
		send(t, other, string(bytes.Repeat([]byte{'!'}, 4<<10)))
		expect(t, pull, string(bytes.Repeat([]byte{'!'}, 4<<10)))
	}
	r.Close()
	r = joinReliably(t, at, zmtp.Opened{Known: 2, Next: 1, Floor: 1, Done: []zmtp.Range{{From: 2, To: 2 + others}}})
	r.wantMessages(t, 1)
}

// TestTTLIsTrueWhenWritten: how long a message is still worth something is said as of when it is written, though it has
// waited behind others since it was taken from the spool.
func TestTTLIsTrueWhenWritten(t *testing.T) {
	bubble(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC))) // a spool's times begin with 2026
		net := simnet.New(simnet.Config{Latency: time.Millisecond, Window: 512})
		q := onMedium(t, newMedium(), spool.Options{MaxAge: 10 * time.Second})
		push := socket.NewPush(on(net, "srv"), socket.WithSpool(q), socket.WithHeartbeat(0, 0, 0))
		bindAt(t, push)
		r := answerOpen(t, rawSim(t, net, "cli"), zmtp.Opened{Next: 1, Floor: 1})
		must(t, push.Send(aDay(t), socket.NewMsg(make([]byte, 4<<10))))
		time.Sleep(time.Millisecond)
		must(t, push.Send(aDay(t), socket.Text("second")))
		time.Sleep(3 * time.Second)
		if f := r.frame(); f.command() != zmtp.CommandNext {
			t.Fatalf("%x %q came, want NEXT", f.flags, f.body)
		}
		r.message()
		_, data, err := zmtp.ParseCommand(r.frame().body)
		must(t, err)
		next, err := zmtp.ParseNext(data)
		must(t, err)
		if next.Number != 2 || next.TTL < 6*time.Second || next.TTL > 8*time.Second { // in whole seconds on disk
			t.Errorf("NEXT is %+v, want a TTL of 7 s", next)
		}
		if m := r.message(); m[0] != "second" {
			t.Errorf("%q came", m)
		}
		must(t, push.Close())
		must(t, q.Close())
	})
}

// TestExpiryOfLostMessage: what NEXT says of a message that is lost with its connection, or that is there already, is
// not said of the one that comes then.
func TestExpiryOfLostMessage(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{Latency: time.Millisecond})
		pull := manualPull(t, net)
		r := openTo(t, net, "cli", "PUSH", aStream(7))
		r.send(messageOf("1"), zmtp.AppendNext(nil, zmtp.Next{Number: 2, TTL: time.Second}))
		must(t, nextDelivery(t, pull, "1").Ack())
		time.Sleep(10 * time.Millisecond)
		r.Close()
		time.Sleep(time.Second)
		open := aStream(7)
		open.Link, open.Next = 2, 3
		r = openTo(t, net, "cli", "PUSH", open)
		r.send(messageOf("2"), zmtp.AppendNext(nil, zmtp.Next{Number: 2, TTL: time.Second}), messageOf("2"), messageOf("3"))
		for _, want := range []string{"2", "3"} {
			time.Sleep(2 * time.Second)
			if d := nextDelivery(t, pull, want); !d.Expires.IsZero() || d.ID.Seq != uint64(want[0]-'0') {
				t.Errorf("%v expires at %v", d.ID, d.Expires)
			}
		}
		must(t, pull.Close())
	})
}

// TestNextWhileReceiversRead: of messages that find no room a receiver that reads in place of the connection's
// goroutine queues the rest, and enters what NEXT says behind them; the connection goes on.
func TestNextWhileReceiversRead(t *testing.T) {
	pull := closing(t, socket.NewPull(socket.WithRecvHWM(1), socket.WithManualAck()))
	r := openOver(rawDial(t, bind(t, pull, "tcp://127.0.0.1:*")), "PUSH", aStream(7))
	number := uint64(0)
	for range 5 {
		time.Sleep(50 * time.Millisecond) // the goroutine takes the reading back, and would end with what it has seen
		var burst []byte
		for range 4 {
			for range 3 {
				number++
				burst = append(burst, messageOf(fmt.Sprint(number))...)
			}
			number += 10
			burst = zmtp.AppendNext(burst, zmtp.Next{Number: number + 1})
		}
		r.send(burst)
		from := number - 4*13
		for range 4 {
			for n := range uint64(3) {
				d, err := pull.Next(within(t))
				must(t, err)
				if d.ID.Seq != from+n+1 || string(d.Bytes()) != fmt.Sprint(from+n+1) {
					t.Fatalf("message %d is %v %q", from+n+1, d.ID, d.Frames)
				}
				must(t, d.Ack())
			}
			from += 13
		}
	}
}
