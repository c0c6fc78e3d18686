package socket_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/spool"
	"github.com/yodel-mq/yodel/transport/simnet"
)

// A schedule is a random life of a sender with a spool and its receivers. What happened to each message is noted.
type schedule struct {
	*testing.T
	rnd   *rand.Rand
	net   *simnet.Network
	m     *medium
	q     *spool.Spool
	push  *socket.Push
	pulls []*socket.Pull
	names int

	sent  int
	tale  map[int]string
	done  map[int]int  // acknowledged by a receiver's application, how often
	ended map[int]bool // refused for good by a receiver's application
}

func (s *schedule) openSender() {
	s.q = onMedium(s, s.m, spool.Options{MaxDeliveries: 5})
	opts := []socket.PushOption{socket.WithSpool(s.q), socket.WithReassign(20 * time.Second), socket.WithSendHWM(20)}
	s.push = socket.NewPush(append(opts, on(s.net, "srv"))...)
	bindAt(s, s.push)
}

func (s *schedule) closeSender() {
	balanced(s, s.push)
	must(s, s.push.Close())
	balanced(s, s.push)
	if st := s.push.Stats(); st.Queued.Messages+st.Unacknowledged.Messages+st.Dropped[socket.SocketClosed].Messages > 0 {
		s.Errorf("closed, PUSH counts %v", st.Ledger)
	}
	must(s, s.q.Close())
}

func (s *schedule) addReceiver() {
	s.names++
	pull := socket.NewPull(on(s.net, fmt.Sprintf("pull%d", s.names)), socket.WithManualAck())
	must(s, pull.Connect(server))
	s.pulls = append(s.pulls, pull)
}

// step is one thing that happens.
func (s *schedule) step() {
	switch k := s.rnd.IntN(100); {
	case k < 30:
		for range s.rnd.IntN(10) {
			must(s, s.push.Send(aDay(s), numbered(s.sent, 4+s.rnd.IntN(200))))
			s.sent++
		}
	case k < 33:
		m := numbered(s.sent, 50)
		_, err := s.q.Append(aDay(s), spool.Message{Frames: m.Frames})
		must(s, err)
		s.sent++
	case k < 75 && len(s.pulls) > 0:
		s.receive(s.pulls[s.rnd.IntN(len(s.pulls))])
	case k < 80:
		s.net.Cut("srv")
	case k < 83 && len(s.pulls) < 3:
		s.addReceiver()
	case k < 85 && len(s.pulls) > 1:
		i := s.rnd.IntN(len(s.pulls))
		must(s, s.pulls[i].Close())
		s.pulls = append(s.pulls[:i:i], s.pulls[i+1:]...)
	case k < 87:
		s.closeSender()
		s.openSender()
	default:
		time.Sleep(time.Duration(s.rnd.IntN(3000)) * time.Millisecond)
	}
	balanced(s, s.push)
}

// receive takes some messages and says something of each.
func (s *schedule) receive(pull *socket.Pull) {
	for range s.rnd.IntN(12) {
		ctx, cancel := context.WithTimeout(s.Context(), 10*time.Millisecond)
		d, err := pull.Next(ctx)
		cancel()
		if err != nil {
			return
		}
		n := number(d.Msg)
		if d.ID.Seq != uint64(n+1) {
			s.Errorf("message %d has the number %d", n, d.ID.Seq)
		}
		switch k := s.rnd.IntN(20); {
		case k < 16:
			err := d.Ack()
			if err == nil {
				s.done[n]++
			}
			s.tale[n] += fmt.Sprintf("; %v ack %v", d.ID.Seq, err)
		case k < 18:
			s.tale[n] += fmt.Sprintf("; %v nak %v", d.ID.Seq, d.Nak(time.Duration(s.rnd.IntN(2))*time.Second))
		default:
			err := d.Term("refused")
			s.ended[n] = s.ended[n] || err == nil
			s.tale[n] += fmt.Sprintf("; %v term %v", d.ID.Seq, err)
		}
	}
}

// TestSpoolRandomSchedules: whatever happens, the ledger balances, every message that Send has taken is acknowledged by
// an application or among the dead letters in the end, and the books say which.
func TestSpoolRandomSchedules(t *testing.T) {
	for seed := range uint64(60) {
		bubble(t, func(t *testing.T) {
			s := &schedule{
				T: t, rnd: rand.New(rand.NewPCG(seed, 12)), m: newMedium(),
				net:  simnet.New(simnet.Config{Latency: time.Millisecond, Seed: seed}),
				done: make(map[int]int), tale: make(map[int]string), ended: make(map[int]bool),
			}
			s.openSender()
			for range 300 {
				s.step()
			}
			if len(s.pulls) == 0 {
				s.addReceiver()
			}
			for range 2000 { // until all is done with
				for _, pull := range s.pulls {
					s.receive(pull)
				}
				time.Sleep(100 * time.Millisecond)
				st := s.push.Stats() // which hears of a dead letter a moment after the store has it
				if s.q.Stats().Live.Messages == 0 && st.Unacknowledged.Messages+st.Spooled.Messages == 0 {
					break
				}
			}
			balanced(t, s.push)
			if st := s.push.Stats(); st.Spooled.Messages+st.Queued.Messages+st.Unacknowledged.Messages > 0 {
				t.Errorf("seed %d: at the end PUSH counts %v; %v", seed, st, s.pulls[0].Stats())
			}
			dead := make(map[int]bool)
			for d, err := range s.q.DeadLetters(t.Context()) {
				must(t, err)
				dead[number(socket.Msg{Frames: d.Frames})] = true
			}
			for n := range s.sent {
				if s.done[n] == 0 && !dead[n] && !s.ended[n] { // of a refusal that got lost the receiver says it is settled
					t.Errorf("seed %d: message %d is lost%s", seed, n, s.tale[n])
				}
			}
			s.closeSender()
			for _, pull := range s.pulls {
				must(t, pull.Close())
			}
		})
		if t.Failed() {
			t.Fatalf("^ seed %d", seed)
		}
	}
}
