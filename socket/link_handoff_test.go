package socket

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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
}

func inTurns(t *testing.T, opts []PullOption, test func(d *duo)) {
	synctest.Test(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{Latency: time.Millisecond / 2})
		d := &duo{t: t, net: net}
		d.pull = NewPull(append(opts, WithTransport(net.Host("srv")))...)
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

// lend makes receivers read.
func (d *duo) lend() {
	d.t.Helper()
	for i := range 3 {
		d.send(d.push, fmt.Sprint(i))
		d.recv(fmt.Sprint(i), 2*time.Millisecond)
	}
	if d.lends() == 0 {
		d.t.Fatal("no receiver has read")
	}
}

func (d *duo) lends() uint64 {
	links := d.pull.snapshot()
	d.pull.in.mu.Lock()
	defer d.pull.in.mu.Unlock()
	var n uint64
	for _, l := range links {
		n += l.in.turn.lends
	}
	return n
}

func (d *duo) holder() holder {
	synctest.Wait()
	d.pull.in.mu.Lock()
	defer d.pull.in.mu.Unlock()
	return d.link.in.turn.holder
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

func TestReceiversRead(t *testing.T) {
	inTurns(t, nil, func(d *duo) {
		for i := range 1000 {
			d.send(d.push, fmt.Sprint(i))
			d.recv(fmt.Sprint(i), time.Millisecond)
		}
		if n := d.lends(); n < 900 {
			d.t.Errorf("receivers had the turn %d times of 1000", n)
		}
	})
}

// For messages now and then it is not worth it.
func TestLoneMessages(t *testing.T) {
	inTurns(t, nil, func(d *duo) {
		for i := range 100 {
			time.Sleep(20 * time.Millisecond)
			d.send(d.push, fmt.Sprint(i))
			d.recv(fmt.Sprint(i), time.Millisecond)
		}
		if n := d.lends(); n > 0 {
			d.t.Errorf("receivers had the turn %d times", n)
		}
	})
}

// Who looks for a message in vain leaves in time, and nothing is lost by it.
func TestReaderGivesUp(t *testing.T) {
	inTurns(t, nil, func(d *duo) {
		for i := range 10 {
			d.lend()
			ctx, cancel := context.WithTimeout(d.t.Context(), time.Minute)
			begin := time.Now()
			err := <-d.wait(ctx)
			cancel()
			if took := time.Since(begin); took != time.Minute || !errors.Is(err, context.DeadlineExceeded) {
				d.t.Fatalf("%v after %v", err, took)
			}
			d.send(d.push, fmt.Sprint("late ", i))
			d.recv(fmt.Sprint("late ", i), 2*standTick)
		}
	})
}

// The link's goroutine reads again when the application stays away, and nothing ticks while a receiver waits.
func TestTurnGoesBack(t *testing.T) {
	inTurns(t, nil, func(d *duo) {
		d.lend()
		time.Sleep(2 * standTick)
		if h := d.holder(); h != linkReads {
			d.t.Errorf("the application is away, and holder is %d", h)
		}
		d.send(d.push, "read ahead")
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if n := d.pull.Stats().Unread.Messages; n != 1 {
			d.t.Errorf("%d messages read ahead, want 1", n)
		}
		d.recv("read ahead", 0)

		d.lend()
		got := d.wait(d.t.Context())
		time.Sleep(time.Minute)
		synctest.Wait()
		d.pull.in.mu.Lock()
		if tn := &d.link.in.turn; tn.holder != receiverReads || !tn.deep {
			d.t.Errorf("a receiver waits for a minute: holder %d, deep %v", tn.holder, tn.deep)
		}
		d.pull.in.mu.Unlock()
		d.send(d.push, "at last")
		if err := <-got; err != nil {
			d.t.Error(err)
		}
		if h := d.holder(); h != linkReads {
			d.t.Errorf("after a long wait holder is %d", h)
		}
	})
}

// A peer's end is seen although the application is away, and also while it waits.
func TestEndWhileReceiversRead(t *testing.T) {
	for _, away := range []bool{true, false} {
		t.Run(fmt.Sprint("away ", away), func(t *testing.T) {
			inTurns(t, nil, func(d *duo) {
				d.lend()
				var got <-chan error
				if !away {
					got = d.wait(d.t.Context())
				}
				if err := d.push.Close(); err != nil {
					d.t.Fatal(err)
				}
				time.Sleep(2*standTick + time.Millisecond)
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
	inTurns(t, nil, func(d *duo) {
		d.lend()
		got := d.wait(d.t.Context())
		if h := d.holder(); h != receiverReads {
			d.t.Fatalf("holder is %d", h)
		}
		second := d.another("other")
		d.connect(second)
		if h := d.holder(); h != linkReads {
			d.t.Errorf("with two peers holder is %d", h)
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
	inTurns(t, nil, func(d *duo) {
		second := d.another("other")
		d.connect(second)
		for i := range 5 {
			before := d.lends()
			for range 10 {
				d.send(d.push, "brisk")
				d.recv("brisk", time.Millisecond)
			}
			if n := d.lends() - before; n < 5 {
				d.t.Errorf("receivers had the turn %d times of 10", n)
			}
			got := d.wait(d.t.Context())
			if h := d.holder(); h != receiverReads {
				d.t.Fatalf("holder is %d", h)
			}
			begin := time.Now()
			d.send(second, "quiet")
			if err := <-got; err != nil || time.Since(begin) > time.Millisecond {
				d.t.Errorf("round %d: %v after %v", i, err, time.Since(begin))
			}
			if h := d.holder(); h != linkReads {
				d.t.Errorf("after a message of the quiet one holder is %d", h)
			}
		}
		before := d.lends()
		for range 100 {
			d.send(d.push, "brisk")
			d.recv("brisk", time.Millisecond)
			d.send(second, "as brisk")
			d.recv("as brisk", time.Millisecond)
		}
		if n := d.lends() - before; n > 10 {
			d.t.Errorf("beside a brisk peer receivers had the turn %d times of 200", n)
		}
		if err := second.Close(); err != nil {
			d.t.Error(err)
		}
	})
}

// A stream beside other peers is read by the link's goroutine.
func TestStreamBesideAQuietPeer(t *testing.T) {
	inTurns(t, nil, func(d *duo) {
		second := d.another("other")
		d.connect(second)
		for range 10 {
			d.send(d.push, "brisk")
			d.recv("brisk", time.Millisecond)
		}
		before := d.lends()
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
		if n := d.lends() - before; n > 10 {
			d.t.Errorf("receivers had the turn %d times for 1,000 messages of a stream", n)
		}
		if err := second.Close(); err != nil {
			d.t.Error(err)
		}
	})
}

// Of several receivers each gets its message, one gives up and the others go on.
func TestReceiversAmongThemselves(t *testing.T) {
	inTurns(t, nil, func(d *duo) {
		for range 10 {
			d.lend()
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
				if err := <-got; err != nil || time.Since(begin) > 2*standTick {
					d.t.Errorf("%v after %v", err, time.Since(begin))
				}
			}
		}
	})
}

// With room for one message only, the rest of what was read waits, in order, for whoever has the turn.
func TestLittleRoomWhileReceiversRead(t *testing.T) {
	inTurns(t, []PullOption{WithRecvHWM(1)}, func(d *duo) {
		d.lend()
		for _, pause := range []time.Duration{0, 3 * standTick} {
			for i := range 100 {
				d.send(d.push, fmt.Sprint(i))
			}
			before := d.lends()
			for i := range 100 {
				d.recv(fmt.Sprint(i), time.Millisecond)
				time.Sleep(pause)
			}
			if n := d.lends() - before; pause == 0 && n < 90 {
				d.t.Errorf("receivers had the turn %d times", n)
			}
		}
	})
}

func TestCloseWhileReceiversRead(t *testing.T) {
	inTurns(t, nil, func(d *duo) {
		d.lend()
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
		if _, err := pull.Bind(t.Context(), "sim://srv"); err != nil {
			t.Fatal(err)
		}
		conn, err := net.Host("cli").Dial(t.Context(), "srv")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := zmtp.Handshake(conn, zmtp.Config{SocketType: zmtp.Push}); err != nil {
			t.Fatal(err)
		}
		frame := append(zmtp.AppendHeader(nil, 0, 1), 'x')
		const last = 3
		for i := range 8 {
			b := bytes.Repeat(frame, last)
			if i == 7 {
				b = append(b, zmtp.FlagCommand, 1, 200) // a name of 200 bytes in a body of one
				for l := range pull.links {
					if l.in.turn.lends == 0 {
						t.Error("no receiver has read")
					}
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
func TestStandTick(t *testing.T) {
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
		{"as a rule", pull.core, Peer{}, standTick},
		{"each message waits for an answer", rep.core, Peer{}, lockstepStand},
		{"the peer is impatient", rep.core, Peer{yodel: true, patience: 60 * time.Millisecond}, 20 * time.Millisecond},
		{"this side is", impatient.core, Peer{}, 20 * time.Millisecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := &link{core: tt.core, peer: &tt.peer, sess: &zmtp.Session{Version: zmtp.Version{Major: 3, Minor: 1}}}
			if got := l.standTick(); got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}
