package main

import (
	"cmp"
	"fmt"
	"strings"
	"text/tabwriter"
)

// A bar is what Yodel has to reach: a ratio of two medians, or one median, on the right side of a limit.
type bar struct {
	text    string
	metric  string
	work    string
	of      string // the peer; empty: Yodel
	alone   bool   // its value is divided by nothing
	against string // another peer, whose value it is divided by; empty: Yodel
	other   string // another work, whose value it is divided by; empty: the same; with no other peer either, nothing
	inverse bool   // the ratio the other way round, for a cost that is measured as a rate
	limit   float64
	least   bool // the value must be at least the limit, not at most
}

// A verdict is a bar with what was reached.
type verdict struct {
	Bar      string  `json:"bar"`
	Limit    string  `json:"limit"`
	Measured bool    `json:"measured"`
	Value    float64 `json:"value"`
	Pass     bool    `json:"pass"`
}

func bars() []bar {
	var all []bar
	for _, t := range []string{"tcp", "ipc"} {
		for _, s := range []struct {
			size  int
			limit float64
		}{{16, 2}, {100, 2}, {1 << 10, 1.3}, {64 << 10, 1.5}} {
			all = append(all, bar{
				text: fmt.Sprintf("PUSH → PULL %s %s, × libzmq", t, sizeName(s.size)), metric: rate,
				work: fmt.Sprintf("oneway-%s-%d", t, s.size), against: "libzmq", limit: s.limit, least: true,
			})
		}
		all = append(all, bar{
			text: fmt.Sprintf("PUSH → PULL %s 64 KiB, × raw sockets", t), metric: rate,
			work: "oneway-" + t + "-65536", against: "raw", limit: 0.5, least: true,
		})
	}
	for _, t := range []string{"tcp", "ipc"} {
		all = append(all, bar{
			text: fmt.Sprintf("PUSH → PULL %s 64 KiB, Msg.Release, × raw sockets", t), metric: rate,
			work: "released-" + t, other: "oneway-" + t + "-65536", against: "raw", limit: 0.7, least: true,
		})
	}
	all = append(all, bar{
		text: "PUSH → PULL inproc 16 B, × libzmq", metric: rate,
		work: "oneway-inproc-16", against: "libzmq", limit: 2, least: true,
	})
	for _, t := range []string{"tcp", "ipc"} {
		all = append(all,
			bar{
				text: "REQ → REP " + t + " 16 B, mean, × libzmq", metric: mean, work: "roundtrip-" + t, against: "libzmq",
				limit: 0.7,
			},
			bar{
				text: "REQ → REP " + t + " 16 B, mean, × raw sockets", metric: mean, work: "roundtrip-" + t, against: "raw",
				limit: 1.35,
			},
		)
	}
	for _, t := range []string{"tcp", "ipc"} {
		for _, size := range []int{16, 100, 1 << 10} {
			all = append(all, bar{
				text: fmt.Sprintf("reliable PUSH → PULL %s %s, × without", t, sizeName(size)), metric: rate,
				work: fmt.Sprintf("oneway-%s-%d", t, size), of: "reliable", limit: 0.9, least: true,
			})
		}
		all = append(all, bar{
			text: "reliable REQ → REP " + t + " 16 B, mean, × without", metric: mean, work: "roundtrip-" + t, of: "reliable",
			limit: 1 / 0.9,
		})
	}
	for _, size := range []int{1 << 10, 64 << 10} {
		all = append(all, bar{
			text: fmt.Sprintf("CURVE PUSH → PULL tcp %s, × libzmq with CURVE", sizeName(size)), metric: rate,
			work: fmt.Sprintf("oneway-tcp-%d", size), of: "curve", against: "libzmq-curve", limit: 1, least: true,
		})
	}
	return append(all,
		bar{
			text: "CURVE REQ → REP tcp 16 B, mean, × libzmq with CURVE", metric: mean, work: "roundtrip-tcp", of: "curve",
			against: "libzmq-curve", limit: 0.8,
		},
		bar{
			text: "TLS PUSH → PULL 64 KiB, × crypto/tls", metric: rate, work: "oneway-tcp-65536", of: "tls", against: "raw-tls",
			limit: 0.6, least: true,
		},
		bar{
			text: "allocations a message sent with CURVE, tcp 1 KiB", metric: allocsOut, work: "oneway-tcp-1024", of: "curve",
			limit: 0.1, alone: true,
		},
		bar{
			text: "allocations a message received with CURVE, tcp 1 KiB", metric: allocsIn, work: "oneway-tcp-1024",
			of: "curve", limit: 0.1, alone: true,
		},
		bar{
			text: "PUB → 8 SUB tcp 100 B, × libzmq", metric: rate, work: "fanout-8", against: "libzmq", limit: 2, least: true,
		},
		bar{
			text: "cost of 100,000 subscriptions, × that of 10", metric: rate, work: "match-100000", other: "match-10",
			inverse: true, limit: 1.5,
		},
		bar{text: "allocations a message sent, tcp 100 B", metric: allocsOut, work: "oneway-tcp-100", limit: 0.005},
		bar{text: "allocations a message received, tcp 100 B", metric: allocsIn, work: "oneway-tcp-100", limit: 0.1},
		bar{
			text: "allocations a message received, tcp 64 KiB, Msg.Release", metric: allocsIn, work: "released-tcp", limit: 0.1,
		},
		bar{text: "bytes an idle peer, of 10,000", metric: memPeer, work: "idle-10000", limit: 16 << 10},
		bar{text: "bytes an idle peer, of 1,000", metric: memPeer, work: "idle-1000", limit: 16 << 10},
		bar{text: "100/s beside a busy stream, p99, µs", metric: p99, work: "beside", limit: 2000},
		bar{text: "CPU with 1,000 idle peers, percent", metric: idleCPU, work: "idle-1000", limit: 0.5},
	)
}

// judge works out what was reached of every bar.
func (r *results) judge() {
	r.Bars = r.Bars[:0]
	for _, b := range r.suite.bars() {
		v := verdict{Bar: b.text, Limit: "≤ " + digits(b.limit)}
		if b.least {
			v.Limit = "≥ " + digits(b.limit)
		}
		v.Value, v.Measured = r.median(b.work, cmp.Or(b.of, "yodel"), b.metric)
		divisor, ok := 1.0, true
		if !b.alone && (b.against != "" || b.other != "" || b.of != "") {
			divisor, ok = r.median(cmp.Or(b.other, b.work), cmp.Or(b.against, "yodel"), b.metric)
		}
		v.Measured = v.Measured && ok && divisor > 0
		if v.Measured {
			v.Value /= divisor
			if b.inverse && v.Value > 0 {
				v.Value = 1 / v.Value
			}
			v.Pass = v.Value <= b.limit
			if b.least {
				v.Pass = v.Value >= b.limit
			}
		} else {
			v.Value = 0
		}
		r.Bars = append(r.Bars, v)
	}
}

func (r *results) printBars(b *strings.Builder) {
	b.WriteString("\nBars (of allocations sent, 0 means below one in 200: what is made once is in it)\n")
	tw := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	passed, measured := 0, 0
	for _, v := range r.Bars {
		value, mark := "–", "not measured"
		if v.Measured {
			measured++
			value, mark = digits(v.Value), "MISSED"
			if v.Pass {
				passed++
				mark = "pass"
			}
		}
		_, _ = fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", v.Bar, v.Limit, value, mark)
	}
	_ = tw.Flush() // into memory, as all that goes through it
	fmt.Fprintf(b, "%d of %d measured bars pass; %d not measured\n", passed, measured, len(r.Bars)-measured)
}
