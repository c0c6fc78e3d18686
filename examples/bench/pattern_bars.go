package main

import "fmt"

// patternBars are what the patterns are held to.
func patternBars() []bar {
	all := []bar{
		{
			text: "call, 1 caller, p50, × REQ → REP", metric: p50, work: "call-1", against: "sockets", limit: 1.5,
		},
		{
			text: "call, 1 caller, CPU of both sides, × gRPC", metric: cpu, work: "call-1", against: "grpc", limit: 0.8,
		},
	}
	for _, o := range []struct {
		peer, name  string
		p50, faster float64
	}{
		{"grpc", "gRPC", 0.9, 1.4},
		{"connect", "Connect over HTTP/2", 0.4, 4},
		{"connect1", "Connect over HTTP/1.1", 0.4, 4},
		{"nats", "NATS micro", 0.9, 0.9},
	} {
		all = append(all, bar{
			text: "call, 1 caller, p50, × " + o.name, metric: p50, work: "call-1", against: o.peer, limit: o.p50,
		})
		for _, n := range []int{16, 64} {
			all = append(all, bar{
				text: fmt.Sprintf("calls a second, %d callers, × %s", n, o.name), metric: rate,
				work: fmt.Sprintf("call-%d", n), against: o.peer, limit: o.faster, least: true,
			})
		}
	}
	for _, h := range []struct{ id, name string }{{"slots", "fixed"}, {"cpu", "CPU-bound"}} {
		all = append(all,
			bar{
				text: "goodput at 10 × the load, " + h.name + " handler, percent", metric: goodput,
				work: "overload-" + h.id + "-10", limit: 80, least: true,
			},
			bar{
				text: "p99 of what is answered at 10 ×, " + h.name + " handler, × that at 0.8 ×", metric: p99,
				work: "overload-" + h.id + "-10", other: "overload-" + h.id + "-0.8", limit: 10,
			})
	}
	for _, n := range []struct{ metric, text string }{
		{restartOverdue, "calls through restarts, 50 ms beyond their deadline"},
		{restartCrossed, "calls through restarts, with the reply to another"},
		{restartOthers, "calls through restarts, with an error but that it may have run"},
		{restartTwice, "calls through restarts, with a key and begun twice in one process"},
	} {
		all = append(all, bar{text: n.text, metric: n.metric, work: "restarts"})
	}
	for _, n := range []struct{ metric, text string }{
		{killLost, "jobs lost where workers are killed"},
		{killUnflagged, "jobs done again and not marked, where workers are killed"},
		{killDisordered, "jobs out of the order of their key, where workers are killed"},
	} {
		all = append(all, bar{text: n.text, metric: n.metric, work: "kills"})
	}
	return append(all,
		bar{text: "call without a service, p99, µs", metric: p99, work: "nobody", limit: 1000},
		bar{text: "cancel, until the handler knows, p99, µs", metric: p99, work: "cancel", limit: 5000},
		bar{
			text: "stream of 1,000 B items, × PUSH → PULL", metric: rate, work: "stream", against: "sockets", limit: 0.5,
			least: true,
		},
		bar{
			text: "bytes held of a stalled stream: the window and one item", metric: heldBytes, work: "stall",
			limit: streamWindow + itemSize + itemOverhead,
		},
		bar{text: "bytes an idle client", metric: clientMemory, work: "idle", limit: 28 << 10},
		bar{text: "bytes an idle peer of a service", metric: serviceMem, work: "idle", limit: 16 << 10},
		bar{text: "match one subject of 100,000 patterns, ns", metric: matchTime, work: "parts", limit: 1000},
		bar{
			text: "Publish to 8 by wildcard, × Pub.Send", metric: callTime, work: "burst-8", against: "sockets", limit: 1.5,
		},
		bar{
			text: "acknowledged jobs a second, 1 worker", metric: rate, work: "jobs", limit: 400_000, least: true,
		},
		bar{
			text: "acknowledged jobs, × JetStream in memory", metric: rate, work: "jobs", against: "nats", limit: 5,
			least: true,
		},
		bar{text: "append the head of a call, ns", metric: headAppend, work: "parts", limit: 50},
		bar{text: "parse the head of a call, ns", metric: headParse, work: "parts", limit: 200},
		bar{text: "look at a msgpack body ahead, percent of decoding", metric: scanShare, work: "parts", limit: 15},
	)
}

func patternSections() []section {
	percent := func(v float64) string { return digits(v) + " %" }
	nanoseconds := func(v float64) string { return digits(v) + " ns" }
	return []section{
		{
			"Calls, items, events and jobs a second; in parentheses × gRPC, more is better",
			[]column{{rate, "", amount, true}},
			nil,
		},
		{"Events lost of a thousand", []column{{lost, "", digits, false}}, func(v float64) bool { return v > 0 }},
		{"Times, µs; in parentheses × gRPC, less is better", []column{
			{p50, "p50", digits, true}, {p99, "p99", digits, true}, {p999, "p99.9", digits, true},
		}, nil},
		{
			"CPU of all processes, ns a call, item, event or job; in parentheses × gRPC, less is better",
			[]column{{cpu, "", amount, true}},
			nil,
		},
		{"Under load: what is answered in time of what can be, and what is refused", []column{
			{goodput, "answered", percent, false},
			{refusals, "refused", percent, false},
			{capacity, "calls a second at most", amount, false},
		}, nil},
		{"Memory", []column{
			{clientMemory, "", kib, true},
			{goroutines, "goroutines", digits, false},
			{serviceMem, "at the service", kib, true},
			{heldBytes, "", kib, false},
		}, nil},
		{"Parts", []column{
			{callTime, "", nanoseconds, false},
			{matchTime, "match of 100,000 patterns", nanoseconds, false},
			{headAppend, "append a head", nanoseconds, false},
			{headParse, "parse a head", nanoseconds, false},
			{scanShare, "look at a large body, of decoding it", percent, false},
			{scanSmall, "look at a small body, of decoding it", percent, false},
		}, nil},
		{"Restarts of services, kills of workers", []column{
			{restartCount, "restarted", amount, false},
			{restartCalls, "called", amount, false},
			{restartMaybe, "may have run", amount, false},
			{killCount, "killed", amount, false},
			{killRepeated, "jobs done again, marked", amount, false},
		}, nil},
	}
}
