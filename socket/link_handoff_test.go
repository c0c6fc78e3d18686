package socket

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/transport/simnet"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// A duo is a Pull and a Push on two simulated hosts, with the Pull's link to it. What the Push sends arrives after a
// while, so that the Pull has to wait for it.
type duo struct {
	t    *testing.T
	net  *simnet.Network
	pull *Pull
	push *Push
	link *link

	// What onHandoff has told.
	mu    sync.Mutex
	steps map[handoffEvent]int
	last  handoffEvent // of link, but for readChecked
}

// follow has the hand-offs of the Pull's links counted.
func (d *duo) follow(l *link, e handoffEvent) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.steps[e]++
	if e != readChecked && (d.link == nil || l == d.link) {
		d.last = e
	}
}

func handingOff(t *testing.T, opts []PullOption, test func(d *duo)) {
	synctest.Test(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{Latency: time.Millisecond / 2})
		d := &duo{t: t, net: net, steps: make(map[handoffEvent]int), last: readResumed}
		d.pull = NewPull(append(opts, WithTransport(net.Host("srv")))...)
		d.pull.in.onHandoff = d.follow
		d.push = d.another("cli")
		if _, err := d.pull.Bind(t.Context(), "sim://srv"); err != nil {
			t.Fatal(err)
		}
		d.connect(d.push)
		for l := range d.pull.links {
			d.link = l
		}
		test(d)
		if err := errors.Join(d.push.Close(), d.pull.Close()); err != nil {
			t.Error(err)
		}
	})
}

func (d *duo) another(host string) *Push { return NewPush(WithTransport(d.net.Host(host))) }

func (d *duo) connect(s *Push) {
	if err := errors.Join(s.Connect("sim://srv"), s.WaitPeers(d.t.Context(), 1)); err != nil {
		d.t.Fatal(err)
	}
	synctest.Wait()
}

func (d *duo) send(s *Push, text string) {
	d.t.Helper()
	if err := s.TrySend(Text(text)); err != nil {
		d.t.Fatal(err)
	}
}

// recv expects a message within a time.
func (d *duo) recv(want string, within time.Duration) {
	d.t.Helper()
	begin := time.Now()
	ctx, cancel := context.WithTimeout(d.t.Context(), time.Hour)
	defer cancel()
	m, err := d.pull.Recv(ctx)
	if err != nil {
		d.t.Fatal(err)
	}
	if got, took := string(m.Bytes()), time.Since(begin); got != want || took > within {
		d.t.Fatalf("received %q after %v, want %q within %v", got, took, want, within)
	}
}

// handOff makes receivers read.
func (d *duo) handOff() {
	d.t.Helper()
	for i := range 3 {
		d.send(d.push, fmt.Sprint(i))
		d.recv(fmt.Sprint(i), 2*time.Millisecond)
	}
	if d.handoffs() == 0 {
		d.t.Fatal("no receiver has read")
	}
}

// handoffs is how often a receiver has begun to read.
func (d *duo) handoffs() int { return d.count(readAcquired) }

func (d *duo) count(e handoffEvent) int {
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.steps[e]
}

// stage is how far the hand-off has come: the last event but for looks.
func (d *duo) stage() handoffEvent {
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.last
}

// wait starts to receive, and returns what comes of it.
func (d *duo) wait(ctx context.Context) <-chan error {
	got := make(chan error, 1)
	go func() {
		_, err := d.pull.Recv(ctx)
		got <- err
	}()
	synctest.Wait()
	return got
}

// TestPollsEndAHandOff: who only looks whether there is a message, while the connection is left to receivers, gets one
// that has arrived from the third look on; and a single look before each wait does not end the hand-off.
func TestPollsEndAHandOff(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, look := range map[string]func(p *Pull) (Msg, error){
		"TryRecv":                   (*Pull).TryRecv,
		"Recv with a context ended": func(p *Pull) (Msg, error) { return p.Recv(ended) },
	} {
		t.Run(name, func(t *testing.T) {
			handingOff(t, nil, func(d *duo) {
				d.handOff()
				resumed := d.count(readResumed)
				for i := range 10 {
					if m, err := look(d.pull); err == nil {
						t.Fatalf("received %q", m.Bytes())
					}
					d.send(d.push, fmt.Sprint(i))
					d.recv(fmt.Sprint(i), time.Millisecond)
				}
				if n := d.count(readResumed); n != resumed {
					t.Errorf("%d hand-offs were ended by single looks", n-resumed)
				}
				d.send(d.push, "arrived")
				time.Sleep(time.Millisecond) // of virtual time
				for range 2 {
					_, _ = look(d.pull)
					synctest.Wait()
				}
				if m, err := look(d.pull); err != nil || string(m.Bytes()) != "arrived" {
					t.Errorf("received %q, %v", m.Bytes(), err)
				}
			})
		})
	}
}

func TestReceiversRead(t *testing.T) {
	handingOff(t, nil, func(d *duo) {
		for i := range 1000 {
			d.send(d.push, fmt.Sprint(i))
			d.recv(fmt.Sprint(i), time.Millisecond)
		}
		if n := d.handoffs(); n < 900 {
			d.t.Errorf("receivers have read %d times of 1000", n)
		}
	})
}

// For messages now and then it is not worth it.
func TestLoneMessages(t *testing.T) {
	handingOff(t, nil, func(d *duo) {
		for i := range 100 {
			time.Sleep(20 * time.Millisecond)
			d.send(d.push, fmt.Sprint(i))
			d.recv(fmt.Sprint(i), time.Millisecond)
		}
		if n := d.handoffs(); n > 0 {
			d.t.Errorf("receivers have read %d times", n)
		}
	})
}

// Who looks for a message in vain leaves in time, and nothing is lost by it.
func TestReaderGivesUp(t *testing.T) {
	handingOff(t, nil, func(d *duo) {
		for i := range 10 {
			d.handOff()
			ctx, cancel := context.WithTimeout(d.t.Context(), time.Minute)
			begin := time.Now()
			err := <-d.wait(ctx)
			cancel()
			if took := time.Since(begin); took != time.Minute || !errors.Is(err, context.DeadlineExceeded) {
				d.t.Fatalf("%v after %v", err, took)
			}
			d.send(d.push, fmt.Sprint("late ", i))
			d.recv(fmt.Sprint("late ", i), 2*parkTimeout)
		}
	})
}

// The link's goroutine reads again when the application stays away, and nothing ticks while a receiver waits.
func TestReadingGoesBack(t *testing.T) {
	handingOff(t, nil, func(d *duo) {
		d.handOff()
		time.Sleep(2 * parkTimeout)
		if s := d.stage(); s != readResumed {
			d.t.Errorf("the application is away, and the stage is %d", s)
		}
		d.send(d.push, "read ahead")
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if n := d.pull.Stats().Unread.Messages; n != 1 {
			d.t.Errorf("%d messages read ahead, want 1", n)
		}
		d.recv("read ahead", 0)

		d.handOff()
		looks := d.count(readChecked)
		got := d.wait(d.t.Context())
		time.Sleep(time.Minute)
		synctest.Wait()
		if s, looks := d.stage(), d.count(readChecked)-looks; s != readAcquired || looks > 2 {
			d.t.Errorf("a receiver waits for a minute: the stage is %d, and it was looked %d times", s, looks)
		}
		d.send(d.push, "at last")
		if err := <-got; err != nil {
			d.t.Error(err)
		}
		if s := d.stage(); s != readResumed {
			d.t.Errorf("after a long wait the stage is %d", s)
		}
	})
}

// A peer's end is seen although the application is away, and also while it waits.
func TestEndWhileReceiversRead(t *testing.T) {
	for _, away := range []bool{true, false} {
		t.Run(fmt.Sprint("away ", away), func(t *testing.T) {
			handingOff(t, nil, func(d *duo) {
				d.handOff()
				var got <-chan error
				if !away {
					got = d.wait(d.t.Context())
				}
				if err := d.push.Close(); err != nil {
					d.t.Fatal(err)
				}
				time.Sleep(2*parkTimeout + time.Millisecond)
				synctest.Wait()
				d.pull.mu.Lock()
				if d.pull.up != 0 {
					d.t.Error("the peer's end was not seen")
				}
				d.pull.mu.Unlock()
				d.push = d.another("cli")
				d.connect(d.push)
				d.send(d.push, "again")
				if away {
					d.recv("again", time.Millisecond)
				} else if err := <-got; err != nil {
					d.t.Error(err)
				}
			})
		})
	}
}

// A second peer is heard at once, whoever reads the first.
func TestSecondPeerWhileReceiversRead(t *testing.T) {
	handingOff(t, nil, func(d *duo) {
		d.handOff()
		got := d.wait(d.t.Context())
		if s := d.stage(); s != readAcquired {
			d.t.Fatalf("the stage is %d", s)
		}
		second := d.another("other")
		d.connect(second)
		if s := d.stage(); s != readResumed {
			d.t.Errorf("with two peers the stage is %d", s)
		}
		begin := time.Now()
		d.send(second, "from the second")
		if err := <-got; err != nil || time.Since(begin) > time.Millisecond {
			d.t.Errorf("%v after %v", err, time.Since(begin))
		}
		d.send(d.push, "from the first")
		d.recv("from the first", time.Millisecond)
		if err := second.Close(); err != nil {
			d.t.Error(err)
		}
	})
}

// Receivers read beside a peer that is quiet, which is heard at once when it is not, and beside one that is as brisk
// they do not.
func TestReceiversReadBesideAQuietPeer(t *testing.T) {
	handingOff(t, nil, func(d *duo) {
		second := d.another("other")
		d.connect(second)
		for i := range 5 {
			before := d.handoffs()
			for range 10 {
				d.send(d.push, "brisk")
				d.recv("brisk", time.Millisecond)
			}
			if n := d.handoffs() - before; n < 5 {
				d.t.Errorf("receivers have read %d times of 10", n)
			}
			got := d.wait(d.t.Context())
			if s := d.stage(); s != readAcquired {
				d.t.Fatalf("the stage is %d", s)
			}
			begin := time.Now()
			d.send(second, "quiet")
			if err := <-got; err != nil || time.Since(begin) > time.Millisecond {
				d.t.Errorf("round %d: %v after %v", i, err, time.Since(begin))
			}
			if s := d.stage(); s != readResumed {
				d.t.Errorf("after a message of the quiet one the stage is %d", s)
			}
		}
		before := d.handoffs()
		for range 100 {
			d.send(d.push, "brisk")
			d.recv("brisk", time.Millisecond)
			d.send(second, "as brisk")
			d.recv("as brisk", time.Millisecond)
		}
		if n := d.handoffs() - before; n > 10 {
			d.t.Errorf("beside a brisk peer receivers have read %d times of 200", n)
		}
		if err := second.Close(); err != nil {
			d.t.Error(err)
		}
	})
}

// While the goroutine of a link that was left to receivers has been woken and has not yet run, as on a busy machine, no
// other link is left to them: that goroutine would end it unseen, and what a third link brings would reach nobody.
func TestOneLinkAtATimeIsLeftToReceivers(t *testing.T) {
	handingOff(t, nil, func(d *duo) {
		second := d.another("other")
		d.connect(second)
		q := &d.pull.in
		mark := func(l *link) {
			q.mu.Lock()
			defer q.mu.Unlock()
			q.parked = l
		}
		for l := range d.pull.links {
			if l != d.link {
				mark(l) // its goroutine is about to clear that
			}
		}
		for range 10 {
			d.send(d.push, "brisk")
			d.recv("brisk", time.Millisecond)
		}
		if n := d.handoffs(); n > 0 {
			d.t.Errorf("receivers have read %d times while another link was being taken back", n)
		}
		mark(nil)
		if err := second.Close(); err != nil {
			d.t.Error(err)
		}
	})
}

// A stream beside other peers is read by the link's goroutine.
func TestStreamBesideAQuietPeer(t *testing.T) {
	handingOff(t, nil, func(d *duo) {
		second := d.another("other")
		d.connect(second)
		for range 10 {
			d.send(d.push, "brisk")
			d.recv("brisk", time.Millisecond)
		}
		before := d.handoffs()
		if before == 0 {
			d.t.Fatal("no receiver has read what came one at a time")
		}
		for range 100 {
			for range 10 {
				d.send(d.push, "stream")
			}
			for range 10 {
				d.recv("stream", 2*time.Millisecond)
			}
		}
		if n := d.handoffs() - before; n > 10 {
			d.t.Errorf("receivers have read %d times for 1,000 messages of a stream", n)
		}
		if err := second.Close(); err != nil {
			d.t.Error(err)
		}
	})
}

// Of several receivers each gets its message, one gives up and the others go on.
func TestReceiversAmongThemselves(t *testing.T) {
	handingOff(t, nil, func(d *duo) {
		for range 10 {
			d.handOff()
			ctx, cancel := context.WithCancel(d.t.Context())
			quits := d.wait(ctx)
			a, b := d.wait(d.t.Context()), d.wait(d.t.Context())
			cancel()
			if err := <-quits; !errors.Is(err, context.Canceled) {
				d.t.Error(err)
			}
			begin := time.Now()
			d.send(d.push, "a")
			d.send(d.push, "b")
			for _, got := range []<-chan error{a, b} {
				if err := <-got; err != nil || time.Since(begin) > 2*parkTimeout {
					d.t.Errorf("%v after %v", err, time.Since(begin))
				}
			}
		}
	})
}

// With room for one message only, the rest of what was read waits, in order, for whoever reads.
func TestLittleRoomWhileReceiversRead(t *testing.T) {
	handingOff(t, []PullOption{WithRecvHWM(1)}, func(d *duo) {
		d.handOff()
		for _, pause := range []time.Duration{0, 3 * parkTimeout} {
			for i := range 100 {
				d.send(d.push, fmt.Sprint(i))
			}
			before := d.handoffs()
			for i := range 100 {
				d.recv(fmt.Sprint(i), time.Millisecond)
				time.Sleep(pause)
			}
			if n := d.handoffs() - before; pause == 0 && n < 90 {
				d.t.Errorf("receivers have read %d times", n)
			}
		}
	})
}

func TestCloseWhileReceiversRead(t *testing.T) {
	handingOff(t, nil, func(d *duo) {
		d.handOff()
		a, b := d.wait(d.t.Context()), d.wait(d.t.Context())
		begin := time.Now()
		if err := d.pull.Close(); err != nil {
			d.t.Fatal(err)
		}
		for _, got := range []<-chan error{a, b} {
			if err := <-got; !errors.Is(err, ErrClosed) {
				d.t.Error(err)
			}
		}
		if took := time.Since(begin); took > 10*time.Millisecond {
			d.t.Errorf("closed after %v", took)
		}
	})
}

// What came ahead of a frame that is none is received, however little room there is, and not lost with the connection.
func TestRestBeforeAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{Latency: time.Millisecond / 2})
		pull := NewPull(WithTransport(net.Host("srv")), WithRecvHWM(1))
		var handoffs atomic.Int64
		pull.in.onHandoff = func(_ *link, e handoffEvent) {
			if e == readAcquired {
				handoffs.Add(1)
			}
		}
		if _, err := pull.Bind(t.Context(), "sim://srv"); err != nil {
			t.Fatal(err)
		}
		conn, err := net.Host("cli").Dial(t.Context(), "srv")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := zmtp.Handshake(t.Context(), conn, zmtp.Config{SocketType: zmtp.Push}); err != nil {
			t.Fatal(err)
		}
		frame := append(zmtp.AppendHeader(nil, 0, 1), 'x')
		const last = 3
		for i := range 8 {
			b := bytes.Repeat(frame, last)
			if i == 7 {
				b = append(b, zmtp.FlagCommand, 1, 200) // a name of 200 bytes in a body of one
				if handoffs.Load() == 0 {
					t.Error("no receiver has read")
				}
			}
			if _, err := conn.Write(b); err != nil {
				t.Fatal(err)
			}
			for range last {
				if _, err := pull.Recv(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		synctest.Wait()
		if s := pull.Stats(); s.Received.Messages != 8*last || s.Handed.Messages != 8*last || len(s.Discarded) != 0 {
			t.Errorf("ledger %+v", s.Ledger)
		}
		if err := errors.Join(conn.Close(), pull.Close()); err != nil {
			t.Error(err)
		}
	})
}

// How long a connection is not read once receivers do not come: less where a peer minds, more where nothing piles up
// meanwhile.
func TestParkTimeout(t *testing.T) {
	pull, rep := NewPull(WithHeartbeat(0, 0, 0)), NewRep(WithHeartbeat(0, 0, 0))
	impatient := NewRep(WithHeartbeat(time.Second, 80*time.Millisecond, 0))
	for _, s := range []Socket{pull, rep, impatient} {
		defer s.Close()
	}
	for _, tt := range []struct {
		name string
		core *core
		peer Peer
		want time.Duration
	}{
		{"as a rule", pull.core, Peer{}, parkTimeout},
		{"each message waits for an answer", rep.core, Peer{}, parkTimeoutRequestReply},
		{
			"the peer is impatient", rep.core, Peer{yodel: true, heartbeatTimeout: 60 * time.Millisecond}, 20 * time.Millisecond,
		},
		{"this side is", impatient.core, Peer{}, 20 * time.Millisecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := &link{core: tt.core, peer: &tt.peer}
			l.life.pingable = true
			if got := l.parkTimeout(); got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}
