package socket_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/spool"
	"github.com/yodel-mq/yodel/transport/simnet"
)

// TestForgetfulReceiver: a receiver that has a name and keeps nothing comes back and knows nothing, and its connection
// is cut at any byte of that. What it receives that the life before has received says so, and the sender is told once
// that it has lost its state.
func TestForgetfulReceiver(t *testing.T) {
	for _, f := range []forgetful{
		{name: "of any", told: 1},
		{name: "of any, the sender dies before", before: true},
		{name: "of any, the sender dies after", after: true, told: 1},
		{name: "one of a partition", partition: true, told: 1},
		{name: "one of a partition, the sender dies before", partition: true, before: true, told: 1},
		{name: "one of a partition, the sender dies after", partition: true, after: true, told: 1},
		{name: "one of a partition, the sender dies twice", partition: true, before: true, after: true, told: 1},
		{
			name: "one of a partition, the sender dies before and another takes its spool over", partition: true,
			before: true, handsOver: true, told: 1,
		},
	} {
		t.Run(f.name, func(t *testing.T) {
			for _, dir := range []simnet.Direction{simnet.ToListener, simnet.ToDialer} {
				step := int64(7)
				if socket.RaceEnabled {
					step = 60
				}
				for at, cut := rand.Int64N(step), true; cut && !t.Failed(); at += step {
					bubble(t, func(t *testing.T) {
						cut = f.run(t, dir, at)
						if t.Failed() {
							t.Logf("^ cut after %d bytes %v", at, dir)
						}
					})
				}
			}
		})
	}
}

// A forgetful is a case of [TestForgetfulReceiver].
type forgetful struct {
	name          string
	partition     bool
	before, after bool // the sender dies before the receiver comes back, or once its connection was cut
	handsOver     bool // or then it is closed, and another is made on the same open spool
	told          int  // how often StateLost is told to the life of the sender that the receiver comes back to
}

func (f *forgetful) push(t *testing.T, net *simnet.Network, disk *failingDisk) (l *spoolLife, told *history) {
	q := openSpool(t, "medium", spool.Options{FS: disk, SegmentBytes: 64 << 10})
	return f.pushFrom(t, net, disk, q)
}

func (f *forgetful) pushFrom(
	t *testing.T, net *simnet.Network, disk *failingDisk, q *spool.Spool,
) (l *spoolLife, told *history) {
	opts := []socket.PushOption{on(net, "cli"), socket.WithSpool(q)}
	if f.partition {
		opts = append(opts, socket.WithPartition("one"))
	}
	l = &spoolLife{Push: socket.NewPush(opts...), q: q, disk: disk}
	must(t, l.Connect(server))
	return l, record(l.Push, nil)
}

func (f *forgetful) run(t *testing.T, dir simnet.Direction, at int64) (cut bool) {
	net := simnet.New(simnet.Config{Latency: time.Millisecond})
	const total = 12
	pull := socket.NewPull(on(net, "srv"), socket.WithName("one"))
	bindAt(t, pull)
	l, told := f.push(t, net, newFailingDisk())
	sendAll(t, l, 0, total)
	recvAll(t, pull, 0, 4)
	time.Sleep(time.Second)
	net.Partition("srv")
	recvAll(t, pull, 4, 4) // of these the sender does not hear
	net.Cut("srv")
	must(t, pull.Close())
	if f.before {
		disk := l.kill(t, net)
		net.Partition("srv")
		l, told = f.push(t, net, disk)
	}
	net.Heal()
	cuts, made := net.Stats().Cuts, net.Stats().Connections
	net.CutNext("srv", dir, at)
	pull = socket.NewPull(on(net, "srv"), socket.WithName("one"))
	bindAt(t, pull)
	times, left := make([]int, total), 8
	receive := func(d *socket.Delivery) {
		n := number(d.Msg)
		if times[n]++; times[n] > 1 || n < 4 {
			t.Errorf("message %d comes %d times to the one that has come back", n, times[n])
		}
		if n < 8 && !d.Redelivered {
			t.Errorf("message %d comes again, and does not say so", n)
		}
		left--
	}
	if f.after || f.handsOver {
		for net.Stats().Connections == made {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(20 * time.Millisecond)
		for left > 0 {
			d, err := pull.Next(ended())
			if err != nil {
				break
			}
			receive(d)
		}
		cut = net.Stats().Cuts > cuts
		if got := told.of(socket.StateLost); cut && len(got) > f.told || !cut && len(got) != f.told {
			t.Errorf("it was told %d times that the state is lost: %v", len(got), got)
		}
		if f.handsOver {
			must(t, l.Close())
			l, _ = f.pushFrom(t, net, l.disk, l.q)
		} else {
			l, _ = f.push(t, net, l.kill(t, net))
		}
	} else {
		defer func() { cut = net.Stats().Cuts > cuts }()
	}
	for left > 0 {
		d, err := pull.Next(aDay(t))
		must(t, err)
		receive(d)
	}
	must(t, l.Shutdown(aDay(t)))
	if got := told.of(socket.StateLost); !f.after && !f.handsOver && len(got) != f.told {
		t.Errorf("it was told %d times that the state is lost: %v", len(got), got)
	}
	l.end(t)
	shut(t, pull)
	return cut
}

// TestStrangerHasLostNothing: a receiver with a name that has not come before is not said to have lost its state, at
// whatever byte its first connection is cut.
func TestStrangerHasLostNothing(t *testing.T) {
	for _, partition := range []bool{false, true} {
		t.Run(fmt.Sprintf("partition %v", partition), func(t *testing.T) {
			f := forgetful{partition: partition}
			everyCut(t, handshakeBytes, func(t *testing.T, net *simnet.Network) bool {
				l, told := f.push(t, net, newFailingDisk())
				sendAll(t, l, 0, 3)
				pull := socket.NewPull(on(net, "srv"), socket.WithName("one"))
				bindAt(t, pull)
				recvAll(t, pull, 0, 3)
				must(t, l.Shutdown(aDay(t)))
				if got := told.of(socket.StateLost); len(got) > 0 {
					t.Errorf("it is told that the state is lost: %v", got)
				}
				l.end(t)
				shut(t, pull)
				return net.Stats().Cuts == 1
			})
		})
	}
}

// TestPartitionsMeetOneByOne: of a partition those that come late have lost nothing, whoever the first message was for;
// one that has come before has, also in the sender's next life.
func TestPartitionsMeetOneByOne(t *testing.T) {
	for _, names := range [][2]string{{"one", "two"}, {"two", "one"}} {
		t.Run(names[0]+" first", func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				net, m := simnet.New(simnet.Config{Latency: time.Millisecond}), newMedium()
				open := func() (*socket.Push, *spool.Spool, *history) {
					q := onMedium(t, m, spool.Options{})
					push := socket.NewPush(on(net, "srv"), socket.WithSpool(q), socket.WithPartition("one", "two"))
					bindAt(t, push)
					return push, q, record(push, nil)
				}
				receive := func(push *socket.Push, name string) {
					pull := socket.NewPull(on(net, name), socket.WithName(name))
					must(t, pull.Connect(server))
					if len(drainAllMsgs(t, pull)) == 0 {
						t.Errorf("%s has received nothing", name)
					}
					shut(t, pull)
				}
				push, q, told := open()
				for i, name := range names {
					for n := range 20 {
						must(t, push.Send(aDay(t), numbered(20*i+n, 10)))
					}
					receive(push, name)
					if got := told.of(socket.StateLost); len(got) > 0 {
						t.Errorf("%s, who comes for the first time, has lost its state: %v", name, got)
					}
				}
				must(t, push.Close())
				must(t, q.Close())
				push, q, told = open()
				for n := range 20 {
					must(t, push.Send(aDay(t), numbered(40+n, 10)))
				}
				for i, name := range names {
					receive(push, name)
					if got := told.of(socket.StateLost); len(got) != i+1 {
						t.Errorf("%s has come back and knows nothing: it is told %d times in all that a state is lost", name, len(got))
					}
				}
				must(t, push.Close())
				must(t, q.Close())
			})
		})
	}
}

// TestStoreWithoutNotes: a store whose cursor for a receiver has nothing on that receiver, as those of before that was
// kept, or what cannot be read, as those of a later version, opens. The receiver comes and knows nothing: all that it
// gets may have come to an earlier life of it, and says so; that it has lost its state is told if it is known. From
// then on it is.
func TestStoreWithoutNotes(t *testing.T) {
	for name, f := range map[string]struct {
		notes []byte
		told  int
	}{
		"nothing":               {nil, 0},
		"what cannot be read":   {[]byte{9, 1, 2, 3}, 1},
		"of a shorter encoding": {[]byte{1, 0}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				net, m := simnet.New(simnet.Config{Latency: time.Millisecond}), newMedium()
				q := onMedium(t, m, spool.Options{})
				_, err := q.Cursor("partition/one", spool.CursorOptions{
					Start: spool.Start{At: spool.Earliest}, Data: f.notes,
				})
				must(t, err)
				for n := range 5 {
					_, err := q.Append(t.Context(), spool.Message{Frames: numbered(n, 20).Frames})
					must(t, err)
				}
				must(t, q.Close())
				q = onMedium(t, m, spool.Options{})
				push := socket.NewPush(on(net, "srv"), socket.WithSpool(q), socket.WithPartition("one"))
				bindAt(t, push)
				told := record(push, nil)
				for life := range 2 {
					sendAll(t, push, 5+life, 1)
					pull := socket.NewPull(on(net, "cli"), socket.WithName("one"))
					must(t, pull.Connect(server))
					for n := 5 * life; n < 6+life; n++ {
						if life == 1 && n == 5 {
							continue // the earlier life has acknowledged it
						}
						d, err := pull.Next(aDay(t))
						must(t, err)
						if want := n < 5; number(d.Msg) != n || d.Redelivered != want {
							t.Errorf("life %d gets %d, redelivered: %v; want %d, %v", life, number(d.Msg), d.Redelivered, n, want)
						}
					}
					time.Sleep(time.Second)
					shut(t, pull)
					if got := told.of(socket.StateLost); len(got) != f.told+life {
						t.Errorf("life %d: it is told %d times that the state is lost, want %d", life, len(got), f.told+life)
					}
				}
				must(t, push.Close())
				must(t, q.Close())
			})
		})
	}
}
