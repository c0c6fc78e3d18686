package mdns

import (
	"strings"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/discovery/internal/lan"
	mq "github.com/yodel-mq/yodel/socket"
)

// A peer that is connected is gone without a word: its process is killed, and the kernel closes what it had open, or
// its cable is pulled, and only the missing signs of life tell. Whoever offers the service next is connected.
func TestLANLost(t *testing.T) {
	const timeout = 2 * time.Second
	for _, tc := range []struct {
		name   string
		lose   func(h *lan.Host, m *remote)
		within time.Duration
		silent bool // there is nothing but the heartbeat to see it by
		back   func(h *lan.Host)
	}{
		{"killed", func(_ *lan.Host, m *remote) { m.kill() }, 200 * time.Millisecond, false, nil},
		{"unplugged", func(h *lan.Host, _ *remote) { h.Unplug() }, timeout + timeout/4, true, (*lan.Host).Plug},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel() // it waits, most of the time
			n := lan.New(t)
			finder := newMember(t, n.Host(), role{Heartbeat: timeout})
			host, spare := n.Host(), n.Host()
			if !tc.silent { // the next one may be on the same host
				spare = host
			}
			first, second := newMember(t, host, role{}), newMember(t, spare, role{})
			lost, _ := first.offer()
			finder.find()
			finder.says("up " + lost + " ")
			finder.done("sync", "synced")

			began := time.Now()
			tc.lose(host, first)
			words := finder.says("down " + lost + " ")
			soon(t, "the connection lost", finder.stamp(words[0]).Sub(began), tc.within)
			if why := strings.Join(words[1:], " "); strings.Contains(why, mq.ErrHeartbeat.Error()) != tc.silent {
				t.Errorf("lost because of %q", why)
			}

			next, began := second.offer()
			soon(t, "another one connected", finder.when("up "+next+" ").Sub(began), 500*time.Millisecond)
			second.tell("send")
			finder.says("got " + next)
			if tc.back != nil {
				finder.clear()
				tc.back(host)
				began := time.Now()
				soon(t, "the first one connected again", finder.when("up "+lost+" ").Sub(began), 5*time.Second)
				first.tell("send")
				finder.says("got " + lost)
			}
		})
	}
}
