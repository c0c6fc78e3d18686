package socket_test

import (
	"errors"
	"io"
	"runtime"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/spool"
	"github.com/yodel-mq/yodel/transport/simnet"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// TestPitfall has mistakes by which links that acknowledge are slow, or take memory, and deliver all the same, each by
// the shortest way to see it. Those of the store are tested in package spool.
func TestPitfall(t *testing.T) {
	for _, p := range []struct {
		name string
		run  func(t *testing.T)
	}{
		{"a window of messages only, small ones", func(t *testing.T) { pitfallWindow(t, 16, 250_000, 200_000, 250_000) }},
		{"a window of messages only, large ones", func(t *testing.T) { pitfallWindow(t, 1<<10, 12_000, 4000, 9300) }},
		{"a slab kept for every write", pitfallSlabs},
		{"a timer for each message, acknowledgements that are owed", pitfallAckTimers},
		{"a timer for each message, settled in an inbox", pitfallInboxTimers},
		{"a timer for each message, unacknowledged at the sender", pitfallSenderTimers},
		{"a timer for each message, handed out", pitfallLeaseTimers},
	} {
		t.Run(p.name, func(t *testing.T) { bubble(t, p.run) })
	}
}

// calm has a socket be without the timers of heartbeats.
var calm = socket.WithHeartbeat(0, 0, 0)

// deaf is a reliable Push, as it is by default, with a peer that receives and never acknowledges.
func deaf(t *testing.T) *socket.Push {
	t.Helper()
	net := simnet.New(simnet.Config{})
	push := closing(t, socket.NewPush(on(net, "srv"), socket.WithReliable(), calm))
	bindAt(t, push)
	r := answerOpen(t, rawSim(t, net, "cli"), zmtp.Opened{Next: 1, Floor: 1})
	must(t, r.SetDeadline(time.Time{}))
	go func() { _, _ = io.Copy(io.Discard, r) }()
	return push
}

// pitfallWindow sends up to so many messages of a size without an acknowledgement. A thousand messages of 16 bytes are
// written in less time than an acknowledgement takes; and as many of a large size are more than there is memory for.
func pitfallWindow(t *testing.T, size, tries int, least, most uint64) {
	push := deaf(t)
	m := numbered(1, size)
	for range tries {
		err := push.TrySend(m)
		if errors.Is(err, socket.ErrWouldBlock) {
			time.Sleep(time.Second)
			err = push.TrySend(m)
		}
		if errors.Is(err, socket.ErrWouldBlock) {
			break
		}
		must(t, err)
	}
	time.Sleep(time.Second)
	if st := push.Stats(); st.Unacknowledged.Messages < least || st.Unacknowledged.Messages > most {
		t.Errorf("of messages of %d bytes %d were sent ahead, want %d to %d: %v", size, st.Unacknowledged.Messages,
			least, most, st.Ledger)
	}
}

// pitfallSlabs writes small messages one by one, which are kept until they are acknowledged: not each in a slab of its
// own, which is 64 KiB that nobody has touched for long when it is used again.
func pitfallSlabs(t *testing.T) {
	push := deaf(t)
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	const n = 1000
	before := heap()
	for i := range n {
		must(t, push.Send(aDay(t), numbered(i, 20)))
		time.Sleep(time.Millisecond)
	}
	if took := int64(heap()) - int64(before); took > n*64<<10/4 {
		t.Errorf("%d messages of 20 bytes take %d bytes until they are acknowledged", n, took)
	}
	if st := push.Stats(); st.Unacknowledged.Messages != n {
		t.Errorf("PUSH counts %v", st.Ledger)
	}
}

// manyTimers is how many messages a test of timers has. The timer of each would run in a goroutine of its own.
const manyTimers = 2000

// wantFewTimers waits until every timer that was set meanwhile has fired.
func wantFewTimers(t *testing.T, since uint64) {
	t.Helper()
	time.Sleep(time.Hour)
	if n := goroutinesMade() - since; n > manyTimers/4 {
		t.Errorf("%d goroutines were made for %d messages", n, manyTimers)
	}
}

func goroutinesMade() uint64 {
	s := []metrics.Sample{{Name: "/sched/goroutines-created:goroutines"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

func pitfallAckTimers(t *testing.T) {
	net := simnet.New(simnet.Config{})
	push := closing(t, socket.NewPush(on(net, "cli"), socket.WithReliable(), calm))
	pull := closing(t, socket.NewPull(on(net, "srv"), socket.WithReliable(), calm))
	meet(t, pull, push, true)
	sendAll(t, push, 0, manyTimers)
	time.Sleep(time.Second)
	since := goroutinesMade()
	recvAll(t, pull, 0, manyTimers)
	wantFewTimers(t, since)
	settledAll(t, push)
}

func pitfallInboxTimers(t *testing.T) {
	net := simnet.New(simnet.Config{})
	q := onMedium(t, newMedium(), spool.Options{})
	push := closing(t, socket.NewPush(on(net, "cli"), socket.WithReliable(), calm))
	pull := socket.NewPull(on(net, "srv"), socket.WithInbox(q), calm)
	meet(t, pull, push, true)
	sendAll(t, push, 0, manyTimers)
	settledAll(t, push)
	since := goroutinesMade()
	recvAll(t, pull, 0, manyTimers)
	wantFewTimers(t, since)
	must(t, pull.Close())
	must(t, q.Close())
}

func pitfallSenderTimers(t *testing.T) {
	push := deaf(t)
	since := goroutinesMade()
	sendAll(t, push, 0, manyTimers)
	wantFewTimers(t, since)
	if st := push.Stats(); st.Unacknowledged.Messages != manyTimers {
		t.Errorf("PUSH counts %v", st.Ledger)
	}
}

func pitfallLeaseTimers(t *testing.T) {
	net := simnet.New(simnet.Config{})
	push := closing(t, socket.NewPush(on(net, "cli"), socket.WithReliable(), calm))
	pull := closing(t, socket.NewPull(on(net, "srv"), calm, socket.WithManualAck(),
		socket.WithAckWait(time.Minute), socket.WithMaxUnsettled(manyTimers)))
	meet(t, pull, push, true)
	sendAll(t, push, 0, manyTimers)
	since := goroutinesMade()
	for range manyTimers {
		_, err := pull.Next(aDay(t))
		must(t, err)
	}
	wantFewTimers(t, since)
	if st := push.Stats(); st.Accepted.Messages != manyTimers || pull.Stats().Received.Messages <= manyTimers {
		t.Errorf("nothing was given back: PUSH counts %v, PULL %v", st.Ledger, pull.Stats().Ledger)
	}
}
