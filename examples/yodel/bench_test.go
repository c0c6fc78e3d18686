package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

// figures checks that the output is one line of JSON with exactly these keys, in this order.
func figures(t *testing.T, p *tool, keys ...string) map[string]float64 {
	t.Helper()
	out := p.stdout.String()
	if strings.Count(out, "\n") != 1 {
		t.Fatalf("stdout %q: want one line", out)
	}
	var v map[string]float64
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		t.Fatalf("stdout %q: %v", out, err)
	}
	at := -1
	for _, k := range keys {
		i := strings.Index(out, `"`+k+`":`)
		if i <= at {
			t.Errorf("stdout %q: %s is missing or out of place", out, k)
		}
		at = i
	}
	if len(v) != len(keys) {
		t.Errorf("stdout %q: want the keys %v only", out, keys)
	}
	return v
}

func checkThroughput(t *testing.T, p *tool, count, size float64) {
	t.Helper()
	v := figures(t, p, "msgs_per_s", "mb_per_s", "count", "size")
	if v["count"] != count || v["size"] != size || v["msgs_per_s"] <= 0 {
		t.Errorf("stdout %q", p.stdout)
	}
	if want := v["msgs_per_s"] * size / 1e6; v["mb_per_s"] < want*0.99-0.001 || v["mb_per_s"] > want*1.01+0.001 {
		t.Errorf("stdout %q: want %v MB/s", p.stdout, want)
	}
}

func TestBenchThroughput(t *testing.T) {
	t.Parallel()
	for _, at := range []string{anyPort, "ipc://*"} {
		t.Run(at[:3], func(t *testing.T) {
			recv := startInput(t, "", "bench", "recv", at, "--size", "100", "--count", "5000")
			send := startInput(t, "", "bench", "send", recv.endpoint(), "--size=100", "--count=5000")
			send.exit(0)
			recv.exit(0)
			send.prints("")
			checkThroughput(t, recv, 5000, 100)
		})
	}
	t.Run("publish", func(t *testing.T) {
		pub := startInput(t, "", "bench", "publish", anyPort, "--size", "64", "--count", "5000", "--subscribers", "2")
		var subs []*tool
		for range 2 {
			subs = append(subs, startInput(t, "", "bench", "subscribe", pub.endpoint(), "--size", "64", "--count", "5000"))
		}
		pub.exit(0)
		for _, sub := range subs {
			sub.exit(0)
			checkThroughput(t, sub, 5000, 64)
		}
	})
	t.Run("inproc", func(t *testing.T) {
		p := startInput(t, "", "bench", "inproc", "--size", "16", "--count", "5000")
		p.exit(0)
		checkThroughput(t, p, 5000, 16)
	})
	t.Run("empty messages", func(t *testing.T) {
		p := startInput(t, "", "bench", "inproc", "--size", "0", "--count", "100")
		p.exit(0)
		checkThroughput(t, p, 100, 0)
	})
	t.Run("one message", func(t *testing.T) {
		p := startInput(t, "", "bench", "inproc", "--count", "1")
		p.exit(0)
		figures(t, p, "msgs_per_s", "mb_per_s", "count", "size")
	})
	t.Run("sizes differ", func(t *testing.T) {
		recv := startInput(t, "", "bench", "recv", anyPort, "--size", "100", "--count", "10")
		send := startInput(t, "", "bench", "send", recv.endpoint(), "--size", "99", "--count", "10")
		recv.exit(1)
		recv.says("same --size")
		recv.prints("")
		send.stop()
	})
	t.Run("too few", func(t *testing.T) {
		recv := startInput(t, "", "bench", "recv", anyPort, "--count", "10", "--timeout", "700ms")
		startInput(t, "", "bench", "send", recv.endpoint(), "--count", "9").exit(0)
		recv.exit(1)
		recv.says("9 received of 10")
	})
}

func TestBenchLatency(t *testing.T) {
	echo := startInput(t, "", "bench", "echo", anyPort, "--size", "16", "--count", "1000")
	ping := startInput(t, "", "bench", "ping", echo.endpoint(), "--size", "16", "--count", "1000")
	ping.exit(0)
	echo.exit(0)
	echo.prints("")
	v := figures(t, ping, "rtt_us", "p50_us", "p99_us", "p999_us")
	if !(0 < v["p50_us"] && v["p50_us"] <= v["p99_us"] && v["p99_us"] <= v["p999_us"] && v["rtt_us"] > 0) {
		t.Errorf("stdout %q", ping.stdout)
	}
}

func TestSummarise(t *testing.T) {
	var trips []time.Duration
	for n := range 1000 {
		trips = append(trips, time.Duration(n+1)*time.Microsecond)
	}
	slices.Reverse(trips)
	if got, want := summarise(trips), (latency{500.5, 500, 990, 999}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	if got, want := summarise([]time.Duration{1500}), (latency{1.5, 1.5, 1.5, 1.5}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}
