package socket

import (
	"context"
	"fmt"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

func inboundFailure(err error, i int) Event {
	return Event{Kind: HandshakeFailed, Address: fmt.Sprint(i), Err: err, inbound: true}
}

func remembered(log *eventLog) (all []Event) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for ev := range log.all(ctx) {
		all = append(all, ev)
	}
	return all
}

// TestEventsAreGathered: a flood of one class is told by a burst and then one event a second, of which the counts come
// to all there were; what else there was is still in the log, and Closed is the last.
func TestEventsAreGathered(t *testing.T) {
	accepted := func(i int) Event { return Event{Kind: Accepted, Address: fmt.Sprint(i)} }
	for _, tt := range []struct {
		name  string
		ev    func(i int) Event
		burst int
	}{
		{"evicted", func(i int) Event { return inboundFailure(ErrEvicted, i) }, 1},
		{"too many peers", func(i int) Event { return inboundFailure(ErrTooManyPeers, i) }, 1},
		{"too many from an address", func(i int) Event { return inboundFailure(ErrTooManyFromAddress, i) }, 1},
		{"too fast", func(i int) Event { return inboundFailure(ErrTooFast, i) }, 1},
		{"no ZMTP", func(i int) Event { return inboundFailure(zmtp.ErrNotZMTP, i) }, maxEvents / 4},
		{"silent", func(i int) Event { return inboundFailure(zmtp.ErrSilent, i) }, maxEvents / 8},
		{"duplicates", func(i int) Event {
			return Event{Kind: DuplicateIdentity, Address: fmt.Sprint(i), Err: ErrIdentityInUse, inbound: true}
		}, maxEvents / 8},
		{"accepted", accepted, maxEvents / 4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const n, seconds = 4_000, 20
				var log eventLog
				log.add(Event{Kind: Listening})
				for i := range n {
					log.add(tt.ev(i))
					time.Sleep(seconds * time.Second / n)
				}
				log.add(Event{Kind: PeerUp})
				log.add(Event{Kind: Closed})
				all := remembered(&log)
				if all[0].Kind != Listening || all[len(all)-1].Kind != Closed {
					t.Fatalf("the log begins with %v and ends with %v", all[0], all[len(all)-1])
				}
				told, sum := 0, uint64(0)
				var at []time.Time
				for _, ev := range all {
					if ev.Kind == tt.ev(0).Kind {
						told++
						sum += max(1, ev.Count)
						at = append(at, ev.Time)
						if ev.Count > 1 && ev.Address != fmt.Sprint(sum-1) {
							t.Errorf("%v is not the last of those it stands for, %d", ev, sum-1)
						}
					}
				}
				if most := tt.burst + seconds + 1; told > most || told < tt.burst+seconds-2 {
					t.Errorf("%d events, want about %d", told, most)
				}
				for i := tt.burst + 3; i < len(at)-1; i++ { // the last one comes before Closed
					if d := at[i].Sub(at[i-1]); d != time.Second {
						t.Errorf("event %d after %v, want a second", i, d)
					}
				}
				if counted := log.counted()[tt.ev(0).Kind]; sum != n || counted != n {
					t.Errorf("the events stand for %d and %d were counted, want %d", sum, counted, n)
				}
			})
		})
	}
}

// TestEventsAreGatheredInTime: what is held back is told after a second though nothing more comes, one event has no
// Count, and a class that has been quiet has its burst again.
func TestEventsAreGatheredInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log eventLog
		next, stop := iter.Pull(log.all(t.Context()))
		defer stop()
		begin := time.Now()
		want := func(address string, count uint64, after time.Duration) {
			t.Helper()
			ev, ok := next()
			if !ok || ev.Address != address || ev.Count != count || time.Since(begin) != after {
				t.Errorf("%v (%t) after %v, want %s with count %d after %v", ev, ok, time.Since(begin), address, count, after)
			}
		}
		for i := range 4 {
			log.add(inboundFailure(ErrEvicted, i))
		}
		log.add(inboundFailure(ErrTooFast, 100)) // another class
		want("0", 0, 0)
		want("100", 0, 0)
		want("3", 3, time.Second)
		log.add(inboundFailure(ErrEvicted, 4))
		want("4", 0, 2*time.Second)
		time.Sleep(time.Second)
		log.add(inboundFailure(ErrEvicted, 5))
		want("5", 0, 3*time.Second)
	})
}

// TestOurOwnAttemptsAreNotGathered: what a socket connects to fails at its own pace, and each time is told.
func TestOurOwnAttemptsAreNotGathered(t *testing.T) {
	var log eventLog
	for range 10 {
		log.add(Event{Kind: HandshakeFailed, Err: ErrEvicted})
	}
	if n := len(remembered(&log)); n != 10 {
		t.Errorf("%d events, want 10", n)
	}
}
