package lan

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// server is a UDP socket on a host.
func server(t *testing.T, h *Host) *net.UDPConn {
	t.Helper()
	var c *net.UDPConn
	h.Do(func() {
		var err error
		if c, err = net.ListenUDP("udp4", &net.UDPAddr{Port: 7000}); err != nil {
			t.Error(err)
		}
	})
	if c == nil {
		t.FailNow()
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// reaches counts how many of n packets get from one host to a server on another.
func reaches(t *testing.T, from *Host, to netip.Addr, s *net.UDPConn, n int) int {
	t.Helper()
	from.Do(func() {
		c, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(to, 7000)))
		if err != nil {
			return // no route
		}
		defer c.Close()
		for i := range n {
			_, _ = fmt.Fprintf(c, "%d", i)
		}
	})
	_ = s.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	got, buf := 0, make([]byte, 100)
	for {
		if _, err := s.Read(buf); err != nil {
			return got
		}
		got++
	}
}

func TestNetwork(t *testing.T) {
	n := New(t)
	a, b := n.Host(), n.Host()
	s := server(t, b)
	check := func(what string, to netip.Addr, want int) {
		t.Helper()
		if got := reaches(t, a, to, s, 10); got != want {
			t.Errorf("%s: %d of 10 packets, want %d", what, got, want)
		}
	}
	check("plain", b.Addr, 10)
	b.Unplug()
	check("unplugged", b.Addr, 0)
	b.Plug()
	check("plugged", b.Addr, 10)
	b.Down()
	check("down", b.Addr, 0)
	b.Up()
	check("up", b.Addr, 10)
	a.Isolate(true)
	b.Isolate(true)
	check("isolated", b.Addr, 0)
	a.Isolate(false)
	b.Isolate(false)
	check("together", b.Addr, 10)
	old := b.Addr
	b.Readdress(99)
	check("the old address", old, 0)
	check("the new address", b.Addr, 10)
	b.Recreate()
	check("made anew", b.Addr, 10)
	b.Lose(7001, 99)
	check("lost on another port", b.Addr, 10)
	b.Lose(7000, 50)
	if got := reaches(t, a, b.Addr, s, 200); got < 50 || got > 150 {
		t.Errorf("%d of 200 packets with half of them lost", got)
	}
	b.Lose(7000, 0)
	check("none lost", b.Addr, 10)
}

func TestRouted(t *testing.T) {
	n := New(t)
	a := n.Host()
	other := n.Routed()
	b := other.Host()
	s := server(t, b)
	if got := reaches(t, a, b.Addr, s, 10); got != 10 {
		t.Errorf("%d of 10 packets through the router", got)
	}
}

func TestLonely(t *testing.T) {
	h := New(t).Lonely()
	h.Do(func() {
		all, err := net.Interfaces()
		if err != nil || len(all) != 1 || all[0].Name != "lo" || all[0].Flags&net.FlagUp == 0 {
			t.Errorf("%v, %v", all, err)
		}
	})
}

func TestCommand(t *testing.T) {
	h := New(t).Host()
	out, err := h.Command(t.Context(), "ip", "-br", "addr").CombinedOutput()
	if err != nil || !strings.Contains(string(out), h.Addr.String()) {
		t.Errorf("%v: %s", err, out)
	}
	if err := h.Try(func() {}); err != nil {
		t.Error(err)
	}
}

// Nothing stays behind, and the thread that was in a namespace is back.
func TestCleanup(t *testing.T) {
	var prefix string
	t.Run("network", func(t *testing.T) {
		n := New(t)
		n.Host()
		n.Routed().Host()
		prefix = n.fabric.prefix
		if left, _ := filepath.Glob("/run/netns/" + prefix + "-*"); len(left) != 4 {
			t.Errorf("namespaces %v", left)
		}
	})
	if left, _ := filepath.Glob("/run/netns/" + prefix + "-*"); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	here, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	tasks, err := filepath.Glob("/proc/self/task/*/ns/net")
	if err != nil || len(tasks) == 0 {
		t.Fatalf("%v, %v", tasks, err)
	}
	for _, task := range tasks {
		if at, err := os.Readlink(task); err == nil && at != here {
			t.Errorf("%s is in %s", task, at)
		}
	}
}

// A dead process's namespaces are removed by the next.
func TestSweep(t *testing.T) {
	Require(t)
	const dead = 1 << 30 // no process has such a number
	ns := fmt.Sprintf("%s-%d-1-switch", namePrefix, dead)
	run(t, "ip", "netns", "add", ns)
	New(t)
	if _, err := os.Stat("/run/netns/" + ns); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", ns, err)
	}
}
