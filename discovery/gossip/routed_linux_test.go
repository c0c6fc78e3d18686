package gossip

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/discovery/internal/lan"
	"github.com/yodel-mq/yodel/discovery/internal/watchtest"
)

// A process is a member on a host of its own.
type process struct {
	t     *testing.T
	id    string
	cmd   *exec.Cmd
	stdin io.Closer

	mu    sync.Mutex
	lines []string
	more  chan struct{}
	ended chan struct{}
}

// spawn starts one, and returns when it has announced itself.
func spawn(t *testing.T, h *lan.Host, seed, key string) *process {
	t.Helper()
	p := &process{t: t, more: make(chan struct{}), ended: make(chan struct{})}
	p.cmd = h.Command(t.Context(), os.Args[0])
	p.cmd.Env = append(os.Environ(), memberSeed+"="+seed, memberKey+"="+key)
	p.cmd.Stderr = os.Stderr
	in, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.stdin = in
	go p.read(out)
	t.Cleanup(func() {
		_ = in.Close()
		<-p.ended
	})
	p.id = strings.TrimPrefix(p.says("announced "), "announced ")
	return p
}

func (p *process) read(out io.Reader) {
	defer close(p.ended)
	for s := bufio.NewScanner(out); s.Scan(); {
		p.mu.Lock()
		p.lines = append(p.lines, s.Text())
		close(p.more)
		p.more = make(chan struct{})
		p.mu.Unlock()
	}
	_ = p.cmd.Wait()
}

// says waits for a line that begins so.
func (p *process) says(begin string) string { return p.again(begin, 1) }

// again waits for the nth line that begins so.
func (p *process) again(begin string, nth int) string {
	p.t.Helper()
	late := time.NewTimer(2 * watchtest.Patience)
	defer late.Stop()
	for {
		p.mu.Lock()
		more, n := p.more, 0
		for _, l := range p.lines {
			if strings.HasPrefix(l, begin) {
				if n++; n == nth {
					p.mu.Unlock()
					return l
				}
			}
		}
		p.mu.Unlock()
		select {
		case <-more:
		case <-late.C:
			p.mu.Lock()
			defer p.mu.Unlock()
			p.t.Fatalf("%s does not say %q %d times, but\n%s", p.id, begin, nth, strings.Join(p.lines, "\n"))
		}
	}
}

func (p *process) count(begin string) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.lines {
		if strings.HasPrefix(l, begin) {
			n++
		}
	}
	return n
}

// all waits until each of them has said so of this one.
func all(who []*process, kind string, of *process, nth int) {
	for _, p := range who {
		if p != of {
			p.again(fmt.Sprintf("%s %s", kind, of.id), nth)
		}
	}
}

// Nine processes on nine hosts of two networks, which multicast does not cross: with the options as they are.
func TestRoutedNetworks(t *testing.T) {
	t.Parallel()
	clock := watchtest.NewClock(t)
	near := lan.New(t)
	hosts := make([]*lan.Host, 0, 10)
	for range 5 {
		hosts = append(hosts, near.Host())
	}
	far := near.Routed()
	for _, h := range hosts {
		h.Up() // for the route
	}
	for range 5 {
		hosts = append(hosts, far.Host())
	}
	seed, key := hosts[0].Addr.String(), string(testKey)
	var members []*process
	for _, h := range hosts[:8] {
		members = append(members, spawn(t, h, seed, key))
	}
	for _, m := range members {
		all(members, "added", m, 1)
	}
	best(t, time.Second, func() map[string]time.Duration {
		took := make(map[string]time.Duration)
		ninth := spawn(t, hosts[8], seed, key)
		began := clock.Now()
		all(members, "added", ninth, 1)
		for _, m := range append(members, ninth) {
			ninth.says("added " + m.id)
		}
		took["join seen by all"] = clock.Since(began)
		began = clock.Now()
		_ = ninth.stdin.Close()
		all(members, "left", ninth, 1)
		took["goodbye seen by all"] = clock.Since(began)
		<-ninth.ended
		return took
	})

	stranger := spawn(t, hosts[9], seed, "another key 16 b")
	if text := stranger.says("trouble"); !strings.Contains(text, "no installed keys") {
		t.Errorf("with another key: %s", text)
	}

	eighth := members[7]
	began := clock.Now()
	_ = eighth.cmd.Process.Kill()
	all(members[:7], "expired", eighth, 1)
	atMost(t, "kill seen by all", clock.Since(began), 10*time.Second)

	// A host without its cable is gone for the others, and back soon after it is plugged in. (That it is alone is
	// something it takes a minute to believe.)
	members = members[:7]
	cut := members[6]
	hosts[6].Unplug()
	all(members, "expired", cut, 1)
	hosts[6].Plug()
	began = clock.Now()
	all(members, "added", cut, 2)
	// the pause of 15 s, a quarter, and a dial under way
	atMost(t, "back after the cable", clock.Since(began), 30*time.Second)

	for _, m := range members {
		if n := m.count("added " + stranger.id); n > 0 {
			t.Errorf("%s has seen the one with another key", m.id)
		}
	}
}

// Those on one network find each other by mDNS; one seed that one of another network has joins the two.
func TestSeedsByMDNS(t *testing.T) {
	near := lan.New(t)
	a, b := near.Host(), near.Host()
	far := near.Routed()
	a.Up() // for the route
	b.Up()
	key := string(testKey)
	members := []*process{spawn(t, a, byMDNS, key), spawn(t, b, byMDNS, key)}
	for _, m := range members {
		all(members, "added", m, 1)
	}
	members = append(members, spawn(t, far.Host(), byMDNS, key), spawn(t, far.Host(), byMDNS+","+a.Addr.String(), key))
	for _, m := range members {
		all(members, "added", m, 1)
	}
}
