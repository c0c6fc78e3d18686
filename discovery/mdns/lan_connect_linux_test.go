package mdns

import (
	"fmt"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/discovery/internal/lan"
)

// From the call of Announce on one host until the socket on another has its handshake behind it, and from Connect on
// where the announcements were there first.
func TestLANConnect(t *testing.T) {
	n := lan.New(t)
	var hosts []*lan.Host
	for range 11 {
		hosts = append(hosts, n.Host())
	}
	for _, order := range []struct {
		name string
		run  func(c *connectLAN) []time.Duration
	}{
		{"connector first", (*connectLAN).connectorFirst},
		{"announcer first", (*connectLAN).announcerFirst},
	} {
		for _, tc := range []struct{ peers, rounds int }{{1, 20}, {10, 3}, {50, 1}} {
			t.Run(fmt.Sprintf("%s, %d peers", order.name, tc.peers), func(t *testing.T) {
				c := &connectLAN{finder: newMember(t, hosts[0], role{}), peers: tc.peers, rounds: tc.rounds}
				for _, h := range hosts[1:min(len(hosts), tc.peers+1)] {
					c.members = append(c.members, newMember(t, h, role{}))
				}
				// Twice more on a machine that was busy with something else.
				for try := 1; !prompt(t, "connected", order.run(c), 50*time.Millisecond, 500*time.Millisecond); try++ {
					if try == 3 {
						t.Fatal("too slow, three times")
					}
				}
			})
		}
	}
}

// connectLAN is a member that finds and those that it is to find.
type connectLAN struct {
	finder        *remote
	members       []*remote
	peers, rounds int
}

// offer has another peer announced.
func (c *connectLAN) offer(i int) (id string, began time.Time) {
	return c.members[i%len(c.members)].offer()
}

func (c *connectLAN) leave() {
	for _, m := range c.members { // all at once: a goodbye takes its time
		m.clear()
		m.tell("leave")
	}
	for _, m := range c.members {
		m.says("left")
	}
}

func (c *connectLAN) connectorFirst() (took []time.Duration) {
	c.finder.find()
	c.finder.done("sync", "synced") // it does not ask anybody any more
	for range c.rounds {
		for i := range c.peers {
			// One by one: on one machine, many that start at once measure the machine.
			id, began := c.offer(i)
			took = append(took, c.finder.when("up "+id+" ").Sub(began))
		}
		c.leave()
	}
	c.finder.done("lose", "lost")
	return took
}

func (c *connectLAN) announcerFirst() (took []time.Duration) {
	var ids []string
	for i := range c.peers {
		id, _ := c.offer(i)
		ids = append(ids, id)
	}
	for range c.rounds {
		began := c.finder.find()
		for _, id := range ids {
			took = append(took, c.finder.when("up "+id+" ").Sub(began))
		}
		c.finder.done("lose", "lost")
	}
	c.leave()
	return took
}
