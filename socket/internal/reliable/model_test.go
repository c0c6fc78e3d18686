package reliable

import (
	"flag"
	"fmt"
	"strings"
	"testing"
)

// How many schedules the model check tries; .ci/run has 100,000.
var schedules = flag.Int("schedules", 3000, "random schedules of the model check")

var settings = []setting{
	{name: "memory to memory", receivers: 1},
	{name: "memory to memory, receivers die", receivers: 1, crashes: true},
	{name: "memory to several, which die", receivers: 3, crashes: true},
	{name: "memory to disk", disk: true, receivers: 1, crashes: true},
	{name: "disk to memory", durable: true, receivers: 1},
	{name: "disk to memory, receivers die", durable: true, receivers: 1, crashes: true},
	{name: "disk to disk", durable: true, disk: true, receivers: 1, crashes: true},
	{name: "disk to disks, partitioned", durable: true, disk: true, receivers: 3, partition: true, crashes: true},
	{name: "disk to disks, reassigned", durable: true, disk: true, receivers: 3, crashes: true},
	{name: "memory to memory by name, receivers die", receivers: 1, named: true, crashes: true},
	{name: "disk to memory by name, receivers die", durable: true, receivers: 1, named: true, crashes: true},
	{name: "disk to several, which die", durable: true, receivers: 3, crashes: true},
	{name: "memory to memory, settled one by one", receivers: 1, manual: true},
	{name: "disk to several, settled one by one", durable: true, receivers: 2, manual: true, crashes: true},
}

// once reports whether each message may be delivered once only, in order, to each receiver by name.
func (s *setting) once() bool {
	return (s.receivers == 1 || s.partition) && (s.disk || !s.crashes) && !s.manual
}

// heard reports whether the sender hears of all that was refused: unless either side dies.
func (s *setting) heard() bool { return s.manual && !s.crashes && !s.durable }

// run has things happen until all is over, and returns what is wrong.
func (w *world) run() []string {
	for range 20 * w.total {
		w.step()
	}
	w.calm = true
	for i := range 400 * w.total {
		w.step()
		if i%128 == 127 {
			w.now += grace
			w.wait()
			if w.over() {
				break
			}
		}
	}
	return w.verdict()
}

// over reports whether nothing is left to do.
func (w *world) over() bool {
	if w.next < w.total || len(w.tx.unsynced)+len(w.tx.queue) > 0 {
		return false
	}
	for _, c := range w.tx.sessions {
		if n, _ := c.s.Unacknowledged(); n > 0 || c.queued() > 0 || len(c.again) > 0 {
			return false
		}
	}
	return true
}

// accepted lists the messages that the sender has taken over.
func (w *world) accepted() []int {
	if w.durable {
		return w.tx.stored
	}
	ids := make([]int, w.total)
	for i := range ids {
		ids[i] = i
	}
	return ids
}

// verdict says what is wrong, each with its kind ahead.
func (w *world) verdict() (faults []string) {
	found := func(kind, format string, args ...any) {
		faults = append(faults, kind+": "+fmt.Sprintf(format, args...))
	}
	for _, err := range w.errs {
		found("error", "%v", err)
	}
	if !w.over() {
		found("stuck", "%d of %d sent, %d queued", w.next, w.total, len(w.tx.queue))
	}
	for _, id := range w.accepted() {
		switch {
		case w.settledBy[id] == 0:
			found("lost", "message %d", id)
		case w.once() && w.times[id] > 1:
			found("doubled", "message %d came %d times", id, w.times[id])
		case w.unflagged[id] > 1:
			found("doubled", "message %d came %d times unflagged", id, w.unflagged[id])
		}
	}
	for id, n := range w.refusedBy {
		if w.heard() && n != w.refused[id] {
			found("taken for received", "message %d was refused %d times, and the sender knows %d", id, n, w.refused[id])
		}
	}
	if w.once() {
		last := make([]int, w.receivers)
		for _, d := range w.delivered {
			if d.id+1 <= last[d.to] {
				found("reordered", "message %d came behind %d", d.id, last[d.to]-1)
			}
			last[d.to] = max(last[d.to], d.id+1)
		}
	}
	return faults
}

// TestModel: whatever is cut, delayed and killed, nothing is lost, nothing doubled that is not flagged, and nothing at
// all doubled or out of order for a receiver that lives, or has a disk.
func TestModel(t *testing.T) {
	for i, s := range settings {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			tried, cuts, deaths, again, delivered := 0, 0, 0, 0, 0
			for n := i; n < *schedules; n += len(settings) {
				w := newWorld(s, uint64(n), 30, 0)
				if faults := w.run(); len(faults) > 0 {
					t.Fatalf("schedule %d:\n%s", n, explain(s, uint64(n), faults))
				}
				tried, cuts, deaths, delivered = tried+1, cuts+w.cuts, deaths+w.deaths, delivered+len(w.delivered)
				for _, n := range w.times {
					again += max(0, n-1)
				}
			}
			t.Logf("%d schedules, %d cuts, %d deaths, %d messages delivered and %d of them again",
				tried, cuts, deaths, delivered, again)
			if cuts < 2*tried || (s.crashes || s.durable) && deaths < tried || delivered < 20*tried {
				t.Error("that is not enough to show anything")
			}
		})
	}
}

// explain runs a schedule again and tells what happened.
func explain(s setting, seed uint64, faults []string) string {
	w := newWorld(s, seed, 30, 0)
	w.trace = []string{}
	w.run()
	return strings.Join(w.trace, "\n") + "\n" + strings.Join(faults, "\n")
}
