package simnet

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func message(size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

// TestCutAtEveryByte cuts a 100-byte message at each offset, by each way to plan it, in both directions.
func TestCutAtEveryByte(t *testing.T) {
	plans := map[string]func(n *Network, dir Direction, at int64){
		"CutNext": func(n *Network, dir Direction, at int64) { n.CutNext("srv", dir, at) },
		"OnConn":  func(n *Network, dir Direction, at int64) { n.cfg.OnConn = func(l *Link) { l.CutAfter(dir, at) } },
	}
	configs := map[string]Config{
		"at once":   {},
		"latency":   {Latency: time.Second},
		"bandwidth": {Latency: time.Second, Bandwidth: 10},
	}
	for plan, prepare := range plans {
		for kind, cfg := range configs {
			for _, dir := range []Direction{ToListener, ToDialer} {
				t.Run(fmt.Sprintf("%s/%s/%s", plan, kind, dir), func(t *testing.T) {
					for at := range int64(101) {
						bubble(t, func(t *testing.T) { cutAt(t, New(cfg), prepare, dir, at) })
					}
				})
			}
		}
	}
}

func cutAt(t *testing.T, n *Network, prepare func(*Network, Direction, int64), dir Direction, at int64) {
	msg := message(100)
	prepare(n, dir, at)
	client, server := pair(t, n)
	if dir == ToDialer {
		client, server = server, client
	}
	go client.Write(msg)
	got, err := io.ReadAll(server)
	if !bytes.Equal(got, msg[:at]) {
		t.Fatalf("cut after %d: read %d bytes: %v", at, len(got), got)
	}
	wantErr(t, "reader", err, syscall.ECONNRESET)
	_, err = client.Write(msg)
	wantErr(t, "writer", err, syscall.ECONNRESET)
	_, err = client.Read(msg)
	wantErr(t, "writer's Read", err, syscall.ECONNRESET)
	if s := n.Stats(); s.Cuts != 1 || s.Delivered != uint64(at) || s.Open != 0 {
		t.Fatalf("cut after %d: stats %+v", at, s)
	}
}

func TestCutNextTakesTurns(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := New(Config{})
		n.CutNext("srv", ToListener, 3)
		n.CutNext("srv", ToListener, 5)
		n.CutNext("elsewhere", ToListener, 1)
		for _, want := range []int{3, 5, 8} {
			client, server := pair(t, n)
			client.Write([]byte("12345678"))
			client.Close()
			got, _ := io.ReadAll(server)
			if len(got) != want {
				t.Fatalf("read %q, want %d bytes", got, want)
			}
		}
	})
}

func TestLinkHook(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var links []*Link
		n := New(Config{OnConn: func(l *Link) { links = append(links, l) }})
		client, server := pairFrom(t, n.Host("a"), n, "srv:1")
		l := links[0]
		got := fmt.Sprintf("%v|%d|%s|%s|%v|%v|%v",
			l, l.Number(), l.From(), l.To(), ToListener, ToDialer, Direction(7))
		if want := "#1 a -> srv:1|1|a|srv:1|to listener|to dialer|direction 7"; got != want {
			t.Fatalf("%s, want %s", got, want)
		}
		write(t, client, "abc")
		l.CutAfter(ToListener, 10)
		l.CutAfter(ToListener, -5) // taken back
		write(t, client, "defghijklmn")
		l.CutAfter(ToListener, 10) // already passed: now
		data, err := io.ReadAll(server)
		if string(data) != "abcdefghijklmn" {
			t.Fatalf("read %q", data)
		}
		wantErr(t, "Read", err, syscall.ECONNRESET)
		l.Cut() // over: no effect
		if s := n.Stats(); s.Cuts != 1 {
			t.Fatalf("stats %+v", s)
		}
	})
}

func TestCut(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := New(Config{Latency: time.Second, Window: 10})
		client, server := pairFrom(t, n.Host("a"), n, "srv:1")
		bystander, other := pairFrom(t, n.Host("b"), n, "srv:2")

		write(t, client, "here")
		time.Sleep(2 * time.Second)
		write(t, client, "lost")
		errs := make(chan error, 2)
		go func() { _, err := client.Write(make([]byte, 50)); errs <- err }()
		go func() { _, err := client.Read(make([]byte, 50)); errs <- err }()
		synctest.Wait()
		n.Partition("a") // a cut does not travel, so a partition does not stop it
		start := time.Now()
		if cut := n.Cut("nobody", "a"); cut != 1 {
			t.Fatalf("cut %d connections", cut)
		}
		for range 2 {
			wantErr(t, "waiting call", <-errs, syscall.ECONNRESET)
		}
		got, err := io.ReadAll(server)
		if string(got) != "here" {
			t.Fatalf("read %q; what was on the wire should be lost, what had arrived kept", got)
		}
		wantErr(t, "Read", err, syscall.ECONNRESET)
		took(t, "cut", start, 0)
		wantErr(t, "CloseWrite", client.(*conn).CloseWrite(), syscall.ECONNRESET)

		write(t, bystander, "fine")
		expect(t, other, "fine")
		if cut := n.Cut("*"); cut != 1 {
			t.Fatalf("cut %d connections with the wildcard", cut)
		}
		n.Heal()
		again, _ := pairFrom(t, n.Host("a"), n, "srv:1") // new dials work
		write(t, again, "back")
		if cut := n.Cut(); cut != 0 {
			t.Fatalf("cut %d connections without a name", cut)
		}
	})
}

func TestRandomCuts(t *testing.T) {
	lost := func(t *testing.T, p float64, conns, size int) (cut int, first int) {
		bubble(t, func(t *testing.T) {
			n := New(Config{CutPerKiB: p, Seed: 5})
			first = size
			for range conns {
				client, server := pair(t, n)
				go func() { client.Write(make([]byte, size)); client.Close() }()
				got, err := io.Copy(io.Discard, server)
				if err != nil {
					cut++
					first = min(first, int(got))
				}
				server.Close()
			}
			if s := n.Stats(); s.Cuts != uint64(cut) {
				t.Errorf("stats %+v, saw %d cuts", s, cut)
			}
		})
		return cut, first
	}
	for _, c := range []struct {
		name     string
		p        float64
		size     int
		from, to int // of 400
	}{
		{"never", 0, 100 << 10, 0, 0},
		{"1 in 10, one KiB", 0.1, 1 << 10, 20, 65},
		{"1 in 10, ten KiB", 0.1, 10 << 10, 230, 290}, // 1-0.9^10 = 65 %
		{"always", 1, 1 << 10, 400, 400},
		{"next to never", 1e-300, 1 << 10, 0, 0},
		{"out of range", 7, 1 << 10, 400, 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			cut, first := lost(t, c.p, 400, c.size)
			if cut < c.from || cut > c.to {
				t.Errorf("%d of 400 cut, want %d to %d", cut, c.from, c.to)
			}
			if first < 1 {
				t.Error("cut before the first byte")
			}
		})
	}
}

func TestMeanLife(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const conns, mean = 300, time.Minute
		n := New(Config{MeanLife: mean, Seed: 9})
		start := time.Now()
		var mu sync.Mutex
		var total time.Duration
		var wg sync.WaitGroup
		for range conns {
			client, _ := pair(t, n)
			wg.Go(func() {
				_, err := client.Read(make([]byte, 1))
				mu.Lock()
				defer mu.Unlock()
				if _, ok := err.(*net.OpError); !ok {
					t.Errorf("Read: %v", err)
				}
				total += time.Since(start)
			})
		}
		wg.Wait()
		if avg := total / conns; avg < mean*8/10 || avg > mean*12/10 {
			t.Fatalf("mean life %v, want about %v", avg, mean)
		}
		if s := n.Stats(); s.Cuts != conns || s.Open != 0 {
			t.Fatalf("stats %+v", s)
		}
	})
}
