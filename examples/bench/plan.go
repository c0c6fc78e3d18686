package main

import (
	"fmt"
	"time"
)

// A kind is a way to measure; it settles the roles of the two sides.
type kind int

const (
	oneWay    kind = iota // PUSH → PULL
	released              // the same, and who receives gives the buffers back
	roundTrip             // REQ → REP
	halfLoad              // the same at half the rate, each counted from when it was due
	fanOut                // PUB → many SUB
	fanIn                 // many PUSH → PULL
	match                 // PUB → SUB with many subscriptions
	idling                // many connections that do nothing
	crowded               // a quiet PUSH and a busy one → PULL
	counted               // what the work's own roles do, so many times
	timed                 // likewise, where the count is a time in milliseconds
)

// roles returns what the binding and the connecting side do; of an inproc run, and where it says so, there is only the
// first.
func (w *work) roles() (binds, connects string) {
	switch {
	case w.Binds != "":
		return w.Binds, w.Connects
	case w.Transport == "inproc" && w.Kind == oneWay:
		return "oneway", ""
	case w.Transport == "inproc":
		return "roundtrip", ""
	case w.Kind == roundTrip:
		return "rep", "req"
	case w.Kind == halfLoad:
		return "rep", "reqhalf"
	case w.Kind == fanOut || w.Kind == match:
		return "pub", "sub"
	case w.Kind == idling:
		return "idle", "peers"
	case w.Kind == crowded:
		return "pullbeside", "beside"
	case w.Kind == released:
		return "pullreleased", "push"
	}
	return "pull", "push"
}

// A work is one thing to measure on every peer.
type work struct {
	ID        string // for --only, and in JSON
	Title     string // in the table
	Kind      kind
	Transport string
	Size      int
	Count     int
	Sockets   int // of the connecting side
	Subs      int
	Rounds    int    // at most; 0: as many as there are
	Binds     string // the roles, where the kind does not settle them
	Connects  string // empty: there is only one side
}

// measures reports whether a peer does this work.
func (w *work) measures(p *peer, quick bool) bool {
	return p.most(w, quick) > 0
}

// limit is how long one run may take before it counts as hanging.
func (w *work) limit() time.Duration {
	if w.Sockets > 1000 || w.Subs > 1000 {
		return 2 * time.Minute
	}
	switch w.Binds {
	case benchmarks: // which are compiled first
		return 5 * time.Minute
	case restarts:
		return 15 * time.Minute
	}
	return time.Minute
}

// job returns what the binding side of this work is told. Count and warm-up are whole multiples of the sockets that
// share them.
func (w *work) job(p *peer, quick bool) job {
	if w.Kind == idling || w.Kind == timed {
		return job{Size: w.Size, Count: w.Count, Sockets: w.Sockets, Subs: w.Subs}
	}
	count := min(w.Count, p.most(w, quick))
	if p.name == "raw" && w.Kind == oneWay {
		count *= 8 // or its run is over before a processor has changed its mind
	}
	whole := func(n int) int { return max(1, n/w.Sockets) * w.Sockets }
	return job{Size: w.Size, Count: whole(count), Warm: whole(count / 10), Sockets: w.Sockets, Subs: w.Subs}
}

func pick[T any](quick bool, a, b T) T {
	if quick {
		return a
	}
	return b
}

// plan returns everything there is to measure. Counts make a run of Yodel or libzmq take about a second, quick ones a
// fifth of that.
func plan(quick bool) []*work {
	var all []*work
	add := func(w work) { all = append(all, &w) }

	// Messages of a size: all, and quick.
	sizes := []struct{ size, all, quick int }{
		{16, 6_000_000, 1_000_000},
		{100, 4_000_000, 800_000},
		{1 << 10, 1_000_000, 200_000},
		{10 << 10, 200_000, 0},
		{64 << 10, 40_000, 8_000},
		{1 << 20, 2_500, 400},
	}
	for _, transport := range []string{"tcp", "ipc", "inproc"} {
		for _, s := range sizes {
			count := pick(quick, s.quick, s.all)
			if count == 0 || quick && s.size == 1<<20 && transport != "tcp" {
				continue
			}
			add(work{
				ID: fmt.Sprintf("oneway-%s-%d", transport, s.size), Title: transport + " " + sizeName(s.size),
				Kind: oneWay, Transport: transport, Size: s.size, Count: count, Sockets: 1,
			})
		}
	}
	for _, transport := range []string{"tcp", "ipc"} {
		add(work{
			ID: "released-" + transport, Title: transport + " 64 KiB, Msg.Release", Kind: released, Transport: transport,
			Size:  64 << 10,
			Count: pick(quick, 8_000, 40_000), Sockets: 1,
		})
	}
	for _, transport := range []string{"tcp", "ipc", "inproc"} {
		add(work{
			ID: "roundtrip-" + transport, Title: "round trip " + transport + " 16 B",
			Kind: roundTrip, Transport: transport, Size: 16, Count: pick(quick, 8_000, 50_000), Sockets: 1,
		})
	}
	add(work{
		ID: "halfload-tcp", Title: "round trip tcp 16 B, half load,", Kind: halfLoad, Transport: "tcp", Size: 16,
		Count: pick(quick, 4_000, 25_000), Sockets: 1,
	})
	add(
		work{
			ID: "fanout-8", Title: "PUB → 8 SUB, tcp 100 B", Kind: fanOut, Transport: "tcp", Size: 100,
			Count: pick(quick, 60_000, 400_000), Sockets: 8,
		})
	if !quick {
		add(
			work{
				ID: "fanout-64", Title: "PUB → 64 SUB, tcp 100 B", Kind: fanOut, Transport: "tcp", Size: 100, Count: 60_000,
				Sockets: 64,
			})
	}
	add(
		work{
			ID: "fanin-8", Title: "8 PUSH → PULL, tcp 100 B", Kind: fanIn, Transport: "tcp", Size: 100,
			Count: pick(quick, 600_000, 4_000_000), Sockets: 8,
		})
	for _, subs := range []int{10, 100_000} {
		add(work{
			ID: fmt.Sprintf("match-%d", subs), Title: fmt.Sprintf("PUB → SUB with %s subscriptions, tcp 100 B", grouped(subs)),
			Kind: match, Transport: "tcp", Size: 100, Count: pick(quick, 200_000, 1_000_000), Sockets: 1, Subs: subs,
		})
	}
	add(work{
		ID: "beside", Title: "100/s beside a busy stream, tcp 100 B, takes", Kind: crowded, Transport: "tcp", Size: 100,
		Count: pick(quick, 100, 500), Sockets: 1, Rounds: pick(quick, 1, 0),
	})
	seconds := pick(quick, 5, 10) // one interval between PINGs, and two
	add(
		work{
			ID: "idle-1000", Title: "1,000 idle peers", Kind: idling, Transport: "tcp", Size: 1, Count: seconds, Sockets: 1000,
			Rounds: pick(quick, 1, 0),
		})
	if !quick {
		add(
			work{
				ID: "idle-10000", Title: "10,000 idle peers", Kind: idling, Transport: "tcp", Size: 1, Count: seconds,
				Sockets: 10_000,
			})
	}
	return all
}
