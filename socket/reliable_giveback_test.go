package socket_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/spool"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// wantNext takes a NEXT and the message behind it.
func (r *rawReceiver) wantNext(t *testing.T, want zmtp.Next, text string) {
	t.Helper()
	f := r.frame()
	if f.command() != zmtp.CommandNext {
		t.Fatalf("%x %q came, want NEXT", f.flags, f.body)
	}
	_, data, err := zmtp.ParseCommand(f.body)
	must(t, err)
	next, err := zmtp.ParseNext(data)
	must(t, err)
	if next != want {
		t.Errorf("NEXT is %+v, want %+v", next, want)
	}
	if m := r.message(); len(m) != 1 || m[0] != text {
		t.Fatalf("%q came, want %s", m, text)
	}
}

// A giveBackSender is a Push that sends reliably, from memory or from a spool.
type giveBackSender struct {
	*socket.Push
	at string
	q  *spool.Spool // nil for one without
}

// givingBack runs a test with both.
func givingBack(t *testing.T, test func(t *testing.T, s giveBackSender)) {
	t.Run("from memory", func(t *testing.T) {
		push := closing(t, socket.NewPush(socket.WithReliable(), socket.WithMaxAttempts(3)))
		test(t, giveBackSender{push, bind(t, push, "tcp://127.0.0.1:*"), nil})
	})
	t.Run("from a spool", func(t *testing.T) {
		q := openSpool(t, t.TempDir(), spool.Options{MaxDeliveries: 3})
		t.Cleanup(func() { must(t, q.Close()) })
		push := closing(t, socket.NewPush(socket.WithSpool(q)))
		test(t, giveBackSender{push, bind(t, push, "tcp://127.0.0.1:*"), q})
	})
}

// wantAgain takes a message that is sent again: from a spool with its own number, otherwise with a new one.
func (s giveBackSender) wantAgain(t *testing.T, r *rawReceiver, n int, number uint64, attempts uint16) {
	t.Helper()
	if s.q != nil {
		number = uint64(n)
	}
	r.wantNext(t, zmtp.Next{Number: number, Attempts: attempts, Redelivered: true}, fmt.Sprint(n))
}

// TestNak: a message that a receiver gives back is sent again, once its delay is over, and says so.
func TestNak(t *testing.T) {
	givingBack(t, func(t *testing.T, s giveBackSender) {
		r := joinReliably(t, s.at, zmtp.Opened{Next: 1, Floor: 1})
		for n := range 3 {
			send(t, s.Push, fmt.Sprint(n+1))
		}
		r.wantMessages(t, 1, 2, 3)
		r.send(zmtp.AppendNak(nil, 1, 0))
		s.wantAgain(t, r, 2, 4, 1)
		begin := time.Now()
		r.send(zmtp.AppendNak(nil, 2, 300*time.Millisecond))
		waitUntil(t, "it is not unacknowledged any more", func() bool {
			balanced(t, s)
			return s.Stats().Unacknowledged.Messages == 2
		})
		s.wantAgain(t, r, 3, 5, 1)
		if d := time.Since(begin); d < 300*time.Millisecond {
			t.Errorf("it came again after %v", d)
		}
		r.send(zmtp.AppendAck(nil, 5))
		waitUntil(t, "all is delivered", func() bool { return s.Stats().Delivered.Messages == 3 })
		balanced(t, s)
	})
}

// TestNakForEver: a message that is given back as often as it comes is not sent for ever, and holds up no other.
func TestNakForEver(t *testing.T) {
	givingBack(t, func(t *testing.T, s giveBackSender) {
		r := joinReliably(t, s.at, zmtp.Opened{Next: 1, Floor: 1})
		send(t, s.Push, "1")
		r.wantMessages(t, 1)
		r.send(zmtp.AppendNak(nil, 0, 0))
		s.wantAgain(t, r, 1, 2, 1)
		r.send(zmtp.AppendNak(nil, 1, 0))
		s.wantAgain(t, r, 1, 3, 2)
		r.send(zmtp.AppendNak(nil, 2, 0))
		s.wantRefused(t, socket.TooManyDeliveries, "too many deliveries")
		send(t, s.Push, "2")
		r.wantMessages(t, 2)
		r.send(zmtp.AppendAck(nil, 4))
		waitUntil(t, "the other is delivered", func() bool { return s.Stats().Delivered.Messages == 1 })
		balanced(t, s)
	})
}

// wantRefused waits until the one message is dropped, or a dead letter.
func (s giveBackSender) wantRefused(t *testing.T, why socket.Reason, reason string) {
	t.Helper()
	kind := socket.Undelivered
	if s.q != nil {
		why, kind = socket.DeadLettered, socket.DeadLetter
	}
	waitUntil(t, "it is dropped", func() bool {
		balanced(t, s)
		return s.Stats().Dropped[why] == socket.Count{Messages: 1, Bytes: 1}
	})
	if ev := event(t, s, kind); ev.Count != 1 || ev.Reason != why {
		t.Errorf("%v", ev)
	}
	if s.q == nil {
		return
	}
	for d, err := range s.q.DeadLetters(t.Context()) {
		must(t, err)
		if d.Reason != reason {
			t.Errorf("the dead letter's reason is %q, want %q", d.Reason, reason)
		}
	}
	if n := s.q.Stats().Dead.Messages; n != 1 {
		t.Errorf("%d dead letters", n)
	}
}

// TestTerm: a message that a receiver refuses for good goes to nobody else.
func TestTerm(t *testing.T) {
	givingBack(t, func(t *testing.T, s giveBackSender) {
		r := joinReliably(t, s.at, zmtp.Opened{Next: 1, Floor: 1})
		for n := range 3 {
			send(t, s.Push, fmt.Sprint(n+1))
		}
		r.wantMessages(t, 1, 2, 3)
		r.send(zmtp.AppendTerm(nil, 1, "not for me"))
		s.wantRefused(t, socket.Rejected, "not for me")
		r.send(zmtp.AppendAck(nil, 3))
		waitUntil(t, "the others are delivered", func() bool { return s.Stats().Delivered.Messages == 2 })
		balanced(t, s)
	})
}

// TestNakOfWhatIsNotThere: positions that were never sent end the connection, and those that are settled are left
// alone.
func TestNakOfWhatIsNotThere(t *testing.T) {
	givingBack(t, func(t *testing.T, s giveBackSender) {
		r := joinReliably(t, s.at, zmtp.Opened{Next: 1, Floor: 1})
		send(t, s.Push, "1")
		r.wantMessages(t, 1)
		r.send(zmtp.AppendAck(nil, 1))
		r.send(zmtp.AppendNak(nil, 0, 0))
		r.send(zmtp.AppendTerm(nil, 0, "late"))
		send(t, s.Push, "2")
		r.wantMessages(t, 2)
		r.send(zmtp.AppendNak(nil, 7, 0))
		r.ended()
		if st := s.Stats(); st.Delivered.Messages != 1 || len(st.Dropped) != 0 {
			t.Errorf("PUSH counts %v", st.Ledger)
		}
	})
}
