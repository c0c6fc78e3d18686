package simnet

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"
)

func TestLatencyIsExact(t *testing.T) {
	for _, latency := range []time.Duration{0, 1, 20 * time.Millisecond, time.Hour} {
		t.Run(latency.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				n := New(Config{Latency: latency})
				start := time.Now()
				client, server := pair(t, n)
				took(t, "dial", start, 2*latency)

				start = time.Now()
				write(t, client, "ping")
				took(t, "write", start, 0)
				expect(t, server, "ping")
				took(t, "one way", start, latency)
				write(t, server, "pong")
				expect(t, client, "pong")
				took(t, "round trip", start, 2*latency)
			})
		})
	}
}

func TestWritesArriveApart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		client, server := pair(t, New(Config{Latency: time.Second}))
		start := time.Now()
		for range 5 {
			write(t, client, "x")
			time.Sleep(100 * time.Millisecond)
		}
		for i := range 5 {
			expect(t, server, "x")
			took(t, "byte", start, time.Second+time.Duration(i)*100*time.Millisecond)
		}
	})
}

func TestJitterKeepsOrderAndBounds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const latency, jitter = 10 * time.Millisecond, 5 * time.Millisecond
		client, server := pair(t, New(Config{Latency: latency, Jitter: jitter, Seed: 7}))
		delays := map[time.Duration]bool{}
		for range 50 {
			start := time.Now()
			write(t, client, "x")
			expect(t, server, "x")
			d := time.Since(start)
			if d < latency || d >= latency+jitter {
				t.Fatalf("delay %v outside [%v, %v)", d, latency, latency+jitter)
			}
			delays[d] = true
		}
		if len(delays) < 25 {
			t.Fatalf("only %d different delays in 50", len(delays))
		}
		// A burst: later packets draw shorter delays but must not overtake.
		for s := range strings.SplitSeq("abcdefghijklmnopqrstuvwxyz", "") {
			write(t, client, s)
			time.Sleep(time.Microsecond)
		}
		expect(t, server, "abcdefghijklmnopqrstuvwxyz")
	})
}

func TestBandwidth(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const rate, size = 1_000_000, 250_000
		client, server := pair(t, New(Config{Latency: time.Millisecond, Bandwidth: rate, Window: size}))
		start := time.Now()
		write(t, client, strings.Repeat("x", size))
		took(t, "write within the window", start, 0)

		buf := make([]byte, size)
		got, err := server.Read(buf)
		if got != packetSize || err != nil {
			t.Fatalf("first Read = %d, %v; want one packet of %d", got, err, packetSize)
		}
		took(t, "first packet", start, time.Millisecond+packetSize*time.Second/rate)
		if _, err := io.ReadFull(server, buf[got:]); err != nil {
			t.Fatal(err)
		}
		took(t, "all", start, time.Millisecond+size*time.Second/rate)

		time.Sleep(time.Minute) // an idle wire saves nothing up
		start = time.Now()
		write(t, client, strings.Repeat("y", 1000))
		expect(t, server, strings.Repeat("y", 1000))
		took(t, "after idling", start, time.Millisecond+1000*time.Second/rate)
	})
}

func TestManyPacketsOnTheWire(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const packets = 1000
		client, server := pair(t, New(Config{Latency: 100 * time.Millisecond}))
		start := time.Now()
		go func() {
			for i := range packets {
				client.Write([]byte{byte(i)})
				time.Sleep(time.Millisecond)
			}
		}()
		for i := range packets {
			expect(t, server, string([]byte{byte(i)}))
			took(t, "packet", start, time.Duration(100+i)*time.Millisecond)
		}
		if got := cap(client.(*conn).out.wire); got > 1024 {
			t.Errorf("the wire's queue holds 100 packets at a time but grew to %d", got)
		}
	})
}

func TestThroughputIsWindowPerLatency(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const total = 10 * DefaultWindow
		client, server := pair(t, New(Config{Latency: 50 * time.Millisecond}))
		go func() {
			client.Write(make([]byte, total))
			client.Close()
		}()
		start := time.Now()
		n, err := io.Copy(io.Discard, server)
		if n != total || err != nil {
			t.Fatalf("copied %d, %v", n, err)
		}
		took(t, "ten windows", start, 500*time.Millisecond)
	})
}

func TestRealTime(t *testing.T) {
	// Not in a bubble: the same code against the real clock.
	n := New(Config{Latency: 5 * time.Millisecond})
	l, err := n.Listen(t.Context(), "srv:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	client, err := n.Dial(ctx, l.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	start := time.Now()
	write(t, client, "hello")
	expect(t, server, "hello")
	if d := time.Since(start); d < 5*time.Millisecond {
		t.Fatalf("arrived after %v, before its latency", d)
	}
}
