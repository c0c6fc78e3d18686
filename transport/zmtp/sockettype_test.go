package zmtp

import (
	"strings"
	"testing"
)

var allTypes = []SocketType{Pair, Pub, Sub, Req, Rep, Dealer, Router, Pull, Push, XPub, XSub}

// TestAccepts spells RFC 37's table out once more, as the RFC prints it.
func TestAccepts(t *testing.T) {
	const table = `
		       PAIR PUB SUB REQ REP DEALER ROUTER PULL PUSH XPUB XSUB
		PAIR   yes  .   .   .   .   .      .      .    .    .    .
		PUB    .    .   yes .   .   .      .      .    .    .    yes
		SUB    .    yes .   .   .   .      .      .    .    yes  .
		REQ    .    .   .   .   yes .      yes    .    .    .    .
		REP    .    .   .   yes .   yes    .      .    .    .    .
		DEALER .    .   .   .   yes yes    yes    .    .    .    .
		ROUTER .    .   .   yes .   yes    yes    .    .    .    .
		PULL   .    .   .   .   .   .      .      .    yes  .    .
		PUSH   .    .   .   .   .   .      .      yes  .    .    .
		XPUB   .    .   yes .   .   .      .      .    .    .    yes
		XSUB   .    yes .   .   .   .      .      .    .    yes  .`
	rows := strings.Split(strings.TrimSpace(table), "\n")
	columns := strings.Fields(rows[0])
	cells := 0
	for _, row := range rows[1:] {
		words := strings.Fields(row)
		local := SocketType(words[0])
		t.Run(words[0], func(t *testing.T) {
			for i, cell := range words[1:] {
				cells++
				peer := SocketType(columns[i])
				if got := local.Accepts(peer); got != (cell == "yes") {
					t.Errorf("accepts %s is %v; want %v", peer, got, cell == "yes")
				}
				if local.Accepts(peer) != peer.Accepts(local) {
					t.Errorf("the table is not symmetric for %s", peer)
				}
				if (local.Check(peer) == nil) != local.Accepts(peer) {
					t.Errorf("Check and Accepts disagree on %s", peer)
				}
			}
		})
	}
	if cells != len(allTypes)*len(allTypes) {
		t.Errorf("%d cells checked; want %d", cells, len(allTypes)*len(allTypes))
	}
}

func TestValid(t *testing.T) {
	for _, ty := range allTypes {
		if !ty.Valid() {
			t.Errorf("%s is not valid", ty)
		}
	}
	for _, ty := range []SocketType{"", "STREAM", "CLIENT", "dealer", "PUB\x00", "PUB "} {
		if ty.Valid() || Dealer.Accepts(ty) || ty.Accepts(Dealer) {
			t.Errorf("%q passes", string(ty))
		}
	}
}

func TestCheckNamesBoth(t *testing.T) {
	for _, tt := range []struct {
		name        string
		local, peer SocketType
		words       []string
	}{
		{"incompatible", Pull, Pub, []string{"peer's PUB", "our PULL", "talks to PUSH"}},
		{"missing", Dealer, "", []string{"gave none", "our DEALER", "REP, DEALER or ROUTER"}},
		{"unknown", Sub, "STREAM", []string{`"STREAM" is unknown`, "our SUB", "PUB or XPUB"}},
		{"hostile", Sub, "A\nB", []string{`"A\nB"`}},
		{"ours unknown", "RADIO", Sub, []string{`ours is "RADIO"`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wantError(t, tt.local.Check(tt.peer), ErrSocketType, tt.words...)
		})
	}
}
