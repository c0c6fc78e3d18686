package reliable

import (
	"slices"
	"strings"
	"testing"
)

// TestRules: to break any rule of the protocol breaks a promise, and the model check sees it. Without that it might be
// green because it looks at nothing.
func TestRules(t *testing.T) {
	for _, tt := range []struct {
		name   string
		broken rule
		in     string // the setting
		fault  string // of which kind, at least
	}{
		{"a number goes out before its message is on disk", durableBeforeSent, "disk to disk", "lost"},
		{"an ACK goes out before the commit", commitBeforeAck, "disk to disk", "lost"},
		{"an ACK goes out before the message is received", commitBeforeAck, "disk to several, which die", "lost"},
		{"what was taken is not on disk", memoryOnDisk, "disk to disk", "doubled"},
		{"the greatest number in place of a set", setNotWatermark, "disk to disks, reassigned", "lost"},
		{"what is told as settled is not", lowIsUnsettled, "memory to memory", "lost"},
		{"an earlier link still brings messages", ownership, "memory to memory", "doubled"},
		{"OPENED is made before the link is the owner", haveWithOwnership, "memory to memory", "doubled"},
		{"queues take turns", oldQueueFirst, "memory to memory", "reordered"},
		{"OPENED does not say what is held", heldIsKept, "disk to memory, receivers die", "error"},
		{"what is held counts as settled", heldIsNotDone, "memory to memory, receivers die", "lost"},
		{"new messages go ahead of those that are sent again", againFirst, "memory to memory", "reordered"},
		{"NEXT is not said", numbersAreSaid, "disk to disks, partitioned", "lost"},
		{"an ACK of an earlier link counts", positionsOfLink, "memory to memory, receivers die", "lost"},
		{"what has left is not counted", writtenIsCounted, "memory to memory", "doubled"},
		{"what another has got is sent again", abandonedIsGone, "memory to several, which die", "doubled"},
		{"what is sent again is not flagged", redeliveredIsSaid, "memory to several, which die", "doubled"},
		{"what an earlier life has sent is not flagged", sentIsRemembered, "disk to memory, receivers die", "doubled"},
		{"what was given back counts as taken", givenBackIsForgotten, "disk to several, settled one by one", "lost"},
		{"an ACK goes ahead of NAK", givenBackBeforeAck, "memory to memory, settled one by one", "lost"},
		{
			"a refusal that is lost is not said again", refusedIsSaidAgain, "memory to memory, settled one by one",
			"taken for received",
		},
		{
			"that all is lost is said once", lossIsSaidAgain, "memory to memory by name, receivers die", "doubled",
		},
		{
			"that all is lost is said once, to a disk", lossIsSaidAgain, "disk to memory by name, receivers die", "doubled",
		},
		{
			"who has answered has had something", metIsAcknowledged, "memory to memory by name, receivers die", "error",
		},
		{"duplicates have no position", duplicatesAreCounted, "disk to disks, reassigned", "stuck"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			i := slices.IndexFunc(settings, func(s setting) bool { return s.name == tt.in })
			most := 4000
			for n := range most {
				w := newWorld(settings[i], uint64(n), 30, tt.broken)
				for _, f := range w.run() {
					if strings.HasPrefix(f, tt.fault) {
						t.Logf("schedule %d: %s", n, f)
						return
					}
				}
			}
			t.Errorf("%d schedules show no message that is %s", most, tt.fault)
		})
	}
}

// TestFloorIsTold: a receiver that gets a part of the messages remembers ranges of numbers up to what it was told is
// settled, and for ever if it is not told.
func TestFloorIsTold(t *testing.T) {
	i := slices.IndexFunc(settings, func(s setting) bool { return s.name == "disk to disks, partitioned" })
	s := settings[i]
	s.crashes = false
	ranges := func(broken rule) int {
		w := newWorld(s, 1, 1000, broken)
		for _, f := range w.run() {
			t.Error(f)
		}
		return w.most
	}
	if told, untold := ranges(0), ranges(floorIsTold); told > 100 || untold < 300 {
		t.Errorf("%d ranges at most are remembered with LOW, %d without; want some 20 and 333", told, untold)
	}
}
