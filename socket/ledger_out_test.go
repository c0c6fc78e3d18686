package socket

import (
	"math/rand/v2"
	"testing"
)

// TestOutLedgerBalances: whatever verbs come in whatever order, every account balances after each, and the socket's is
// the sum of the others, in which a message counts once more for each time it was requeued.
func TestOutLedgerBalances(t *testing.T) {
	const steps, accounts = 300_000, 5 // the first one that of messages without a link
	rnd := rand.New(rand.NewPCG(3, 4))
	var socket outCounts
	var account [accounts]outCounts
	some := func(of uint64) uint64 { return rnd.Uint64N(of + 1) }
	why := []Reason{QueueFull, PeerGone, SocketClosed, NoSubscriber}
	for step := range steps {
		c := &account[rnd.IntN(accounts)]
		a := outLedger{c, &socket}
		n := Count{some(min(c.queued.Messages, 50)), some(min(c.queued.Bytes, 5000))}
		u := Count{some(min(c.unacked.Messages, 50)), some(min(c.unacked.Bytes, 5000))}
		switch verb := rnd.IntN(100); {
		case verb < 40:
			a.accept(Count{some(50), some(5000)})
		case verb < 50:
			a.deliver(n)
		case verb < 58:
			a.write(n)
		case verb < 61:
			a.acknowledge(u)
		case verb < 63:
			a.recall(u)
		case verb < 65:
			retain(c, &account[rnd.IntN(accounts)], u)
		case verb < 80:
			a.drop(why[rnd.IntN(len(why))], n)
		case verb < 85:
			a.miss(why[rnd.IntN(len(why))], Count{some(50), some(5000)})
		default:
			requeue(c, &account[rnd.IntN(accounts)], n)
		}
		checkOut(t, step, c)
		checkOut(t, step, &socket)
		if step%1000 == 0 {
			sumOut(t, step, &socket, account[:])
		}
	}
	for i := range account {
		outLedger{&account[i], &socket}.recall(account[i].unacked)
		outLedger{&account[i], &socket}.drop(SocketClosed, account[i].queued)
	}
	sumOut(t, steps, &socket, account[:])
	if socket.queued != (Count{}) || socket.unacked != (Count{}) {
		t.Errorf("%v is queued and %v unacknowledged at the end", socket.queued, socket.unacked)
	}
}

func checkOut(t *testing.T, step int, c *outCounts) {
	t.Helper()
	if !c.accepted.isSum(c.dropped, c.delivered, c.queued, c.unacked, c.requeued) {
		t.Fatalf("step %d: %+v does not balance", step, *c)
	}
}

// sumOut compares a socket's account with the others.
func sumOut(t *testing.T, step int, socket *outCounts, accounts []outCounts) {
	t.Helper()
	var want outCounts
	var requeued Count
	for _, c := range accounts {
		want.accepted, want.delivered = want.accepted.plus(c.accepted), want.delivered.plus(c.delivered)
		want.queued, requeued = want.queued.plus(c.queued), requeued.plus(c.requeued)
		want.unacked = want.unacked.plus(c.unacked)
		for why, n := range c.dropped {
			want.dropped.add(why, n)
		}
	}
	want.accepted = want.accepted.minus(requeued)
	if socket.accepted != want.accepted || socket.delivered != want.delivered || socket.queued != want.queued ||
		socket.unacked != want.unacked ||
		socket.requeued != (Count{}) || sum(socket.dropped) != sum(want.dropped) {
		t.Fatalf("step %d: the socket has %+v, the others together %+v", step, *socket, want)
	}
}
