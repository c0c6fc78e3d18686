package main

import "fmt"

// The roles of the pattern suite, by pairs of who binds and who connects. A service is what binds; of sockets without
// patterns a side does what comes nearest.
const (
	serves        = "serve"
	calls         = "call"
	servesIdle    = "serve-idle"
	idles         = "idle-clients"
	servesCancel  = "serve-cancelled"
	cancels       = "cancel"
	callsNobody   = "call-nobody" // alone
	servesSlots   = "serve-slots"
	servesCPU     = "serve-cpu"
	floods        = "flood"
	produces      = "produce"
	consumes      = "consume"
	stalls        = "stall"
	publishes     = "publish"
	bursts        = "publish-in-bursts"
	subscribes    = "subscribe"
	pushes        = "push-jobs"
	pushesBatches = "push-batches"
	works         = "work"
	benchmarks    = "go-test" // alone
	restarts      = "restart" // alone, with processes of its own, which do the next
	servesRestart = "serve-restarted"
	kills         = "kill" // likewise
	killed        = "work-until-killed"
)

// Metrics of the pattern suite, by their names in JSON, beside those of sockets.
const (
	goodput      = "goodput_percent" // of what the service can do, or of what it is asked for if that is less
	refusals     = "refused_percent"
	capacity     = "capacity_per_s"
	clientMemory = "bytes_per_idle_client"
	serviceMem   = "bytes_per_idle_service_peer"
	goroutines   = "goroutines_per_idle_client"
	heldBytes    = "bytes_held_of_a_stalled_stream"
	callTime     = "ns_per_call_of_publish"
	matchTime    = "match_ns_of_100000_patterns"
	headAppend   = "head_append_ns"
	headParse    = "head_parse_ns"
	scanShare    = "scan_percent_of_decode"
	scanSmall    = "scan_percent_of_decode_small"

	restartCount   = "restarts"
	restartCalls   = "calls_through_restarts"
	restartMaybe   = "calls_that_may_have_run"
	restartCrossed = "replies_to_other_calls"
	restartOverdue = "calls_50_ms_beyond_their_deadline"
	restartOthers  = "other_errors_of_calls"
	restartTwice   = "calls_begun_twice"
	killCount      = "kills"
	killLost       = "jobs_lost"
	killRepeated   = "jobs_done_again"
	killUnflagged  = "jobs_done_again_unflagged"
	killDisordered = "jobs_out_of_order"
)

const (
	itemSize = 1000
	// streamWindow is what a stream of package rpc has outstanding at most, in bytes, beside one item, if nothing else
	// is said; of each item itemOverhead counts beside its body.
	streamWindow = 256 << 10
	itemOverhead = 64
)

// patternPlan returns what there is to measure of the patterns.
func patternPlan(quick bool) []*work {
	var all []*work
	add := func(w work) {
		w.Transport = "tcp"
		w.Sockets = max(w.Sockets, 1)
		all = append(all, &w)
	}
	for _, n := range []int{1, 16, 64} {
		n1 := pick(quick, 8_000, 60_000)
		if n == 1 {
			n1 = pick(quick, 3_000, 20_000)
		}
		add(work{
			ID: fmt.Sprintf("call-%d", n), Title: "calls, 16 B, " + count(n, "caller"), Kind: counted,
			Binds: serves, Connects: calls, Size: 16, Count: n1, Sockets: n,
		})
	}
	// The size is the time that a handler takes, in milliseconds; Subs the load, in tenths of what the service can do.
	for _, h := range []struct {
		name, title, role string
		ms                int
	}{{"slots", "4 slots of 5 ms", servesSlots, 5}, {"cpu", "10 ms of CPU", servesCPU, 10}} {
		for _, load := range []struct {
			name   string
			tenths int
		}{{"0.8", 8}, {"10", 100}} {
			add(work{
				ID: "overload-" + h.name + "-" + load.name, Title: h.title + ", " + load.name + " × the load", Kind: timed,
				Binds: h.role, Connects: floods, Size: h.ms, Subs: load.tenths, Sockets: 4,
				Count: pick(quick, 1000, 3000), Rounds: pick(quick, 1, 0),
			})
		}
	}
	add(work{
		ID: "nobody", Title: "call without a service", Kind: counted, Binds: callsNobody, Size: 16,
		Count: pick(quick, 1000, 5000),
	})
	add(work{
		ID: "cancel", Title: "cancel, until the handler knows", Kind: counted, Binds: servesCancel, Connects: cancels,
		Size: 16, Count: pick(quick, 500, 2000),
	})
	add(work{
		ID: "stream", Title: "stream of 1,000 B items", Kind: counted, Binds: produces, Connects: consumes, Size: itemSize,
		Count: pick(quick, 60_000, 400_000),
	})
	add(work{
		ID: "stall", Title: "stream that nobody reads, held", Kind: timed, Binds: produces, Connects: stalls,
		Size: itemSize, Count: pick(quick, 200, 500), Rounds: pick(quick, 1, 0),
	})
	add(work{
		ID: "publish-8", Title: "publish to 8 by wildcard, 100 B", Kind: counted, Binds: publishes, Connects: subscribes,
		Size: 100, Count: pick(quick, 40_000, 200_000), Sockets: 8,
	})
	add(work{
		ID: "burst-8", Title: "one Publish or Send to 8, 100 B", Kind: counted, Binds: bursts, Connects: subscribes,
		Size: 100, Count: pick(quick, 20_000, 60_000), Sockets: 8,
	})
	for _, r := range []struct{ id, title, role string }{
		{"jobs", "acknowledged jobs, 16 B, 1 worker", pushes},
		{"jobs-batch", "the same, pushed by 64", pushesBatches},
	} {
		add(work{
			ID: r.id, Title: r.title, Kind: counted, Binds: r.role, Connects: works, Size: 16,
			Count: pick(quick, 100_000, 600_000),
		})
	}
	add(work{
		ID: "idle", Title: "idle client of one service", Kind: timed, Binds: servesIdle, Connects: idles, Size: 16,
		Sockets: pick(quick, 200, 1000), Count: pick(quick, 500, 2000), Rounds: pick(quick, 1, 0),
	})
	add(work{
		ID: "parts", Title: "part", Kind: timed, Binds: benchmarks, Count: pick(quick, 50, 300), Rounds: pick(quick, 1, 0),
	})
	add(work{
		ID: "restarts", Title: "4 replicas", Kind: counted, Binds: restarts, Count: pick(quick, 20_000, 1_000_000),
		Sockets: 64, Rounds: 1,
	})
	add(work{
		ID: "kills", Title: "4 workers", Kind: counted, Binds: kills, Count: pick(quick, 3_000, 20_000), Rounds: 1,
	})
	return all
}
