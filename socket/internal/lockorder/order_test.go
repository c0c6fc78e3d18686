package lockorder

import (
	"fmt"
	"slices"
	"testing"
)

// No circle in the table means that no goroutines can wait for each other's locks, whatever socket a lock is of.
func TestTableHasNoCircle(t *testing.T) {
	if c := circle(Table); c != nil {
		var names []string
		for _, l := range c {
			names = append(names, l.Name)
		}
		t.Errorf("each of these may be taken while the one before it is held: %q", names)
	}
	closing := append(slices.Clone(Table), Rule{Held: events, Taken: outbox, Side: OneSocket})
	if circle(closing) == nil {
		t.Error("a circle is not found")
	}
}

func TestRanksAreNamed(t *testing.T) {
	ranks := []Rank{
		Core{},
		Known{},
		Flood{},
		Yielder{},
		Subscriptions{},
		Subscribing{},
		Leaving{},
		Outbox{},
		Recv{},
		Inbox{},
		Wanted{},
		Req{},
		Rep{},
		CommandLog{},
		Heartbeat{},
		Events{},
	}
	for i, r := range ranks {
		if l := r.lock(); fmt.Sprintf("%T", r) != "lockorder."+l.Rank || i >= len(Locks) || Locks[i] != l {
			t.Errorf("%T stands for the lock of rank %s; in Locks it should have place %d", r, l.Rank, i)
		}
	}
	if len(ranks) != len(Locks) {
		t.Errorf("%d ranks for %d locks", len(ranks), len(Locks))
	}
}

// Locks lists every lock once, in an order in which they may be taken.
func TestLocksAreInOrder(t *testing.T) {
	for _, r := range Table {
		held, taken := slices.Index(Locks, r.Held), slices.Index(Locks, r.Taken)
		if held < 0 || taken < 0 || held >= taken {
			t.Errorf("%s may be taken while %s is held, but does not come after it in Locks", r.Taken.Name, r.Held.Name)
		}
		if r.Side == 0 || r.Why == "" {
			t.Errorf("the rule for %s under %s says not of which socket, or where", r.Taken.Name, r.Held.Name)
		}
	}
	names := make(map[string]bool)
	for _, l := range Locks {
		if names[l.Name] {
			t.Errorf("%s is listed twice", l.Name)
		}
		names[l.Name] = true
	}
}

func TestRulesAreOfASide(t *testing.T) {
	for _, c := range []struct {
		name        string
		held, taken *Lock
		want        Side
	}{
		{"of one socket", recv, inbox, OneSocket},
		{"of either", outbox, inbox, OneSocket | TwoSockets},
		{"of two sockets", subscriptions, subscribing, TwoSockets},
		{"against the order", inbox, outbox, 0},
		{"the same lock", outbox, outbox, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := allowed(c.held, c.taken); got != c.want {
				t.Errorf("allowed: %b, want %b", got, c.want)
			}
		})
	}
}
