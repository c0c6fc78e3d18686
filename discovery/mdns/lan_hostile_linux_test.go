package mdns

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/yodel-mq/yodel/discovery"
	"github.com/yodel-mq/yodel/discovery/internal/lan"
)

// What a Policy that says nothing allows: so many endpoints that do not answer are dialled at a time, each for so long.
const (
	defaultDials       = 32
	defaultDialTimeout = 5 * time.Second
)

// A villain is a host that says what it likes, from many addresses, and takes every connection to any of its ports
// without a word.
type villain struct {
	t     *testing.T
	conns []*net.UDPConn
	dials atomic.Int64

	wrong discovery.Trust // by another key
	tag   string          // of the group, which anybody can see
}

func newVillain(t *testing.T, h *lan.Host) *villain {
	t.Helper()
	v := &villain{
		t: t, wrong: must(discovery.GroupKey(bytes.Repeat([]byte{8}, 32))), tag: must(discovery.GroupKey(memberKey)).Tag(""),
	}
	command := func(cmd *exec.Cmd, input string) {
		t.Helper()
		cmd.Stdin = strings.NewReader(input)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v: %s", cmd.Args, err, out)
		}
	}
	const sources, first, caught = 16, 100, 999
	for i := range sources {
		command(h.Command(t.Context(), "ip", "addr", "add", fmt.Sprintf("10.77.0.%d/24", first+i), "dev", "eth0"), "")
	}
	command(h.Command(t.Context(), "nft", "-f", "-"), fmt.Sprintf(
		"table ip catch { chain in { type nat hook prerouting priority dstnat; tcp dport 1024-65535 redirect to :%d; }; }",
		caught))
	var l net.Listener
	h.Do(func() {
		lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
			return c.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1) })
		}}
		for i := range sources {
			c, err := lc.ListenPacket(t.Context(), "udp4", fmt.Sprintf("10.77.0.%d:%d", first+i, port))
			if err != nil {
				t.Error(err)
				return
			}
			v.conns = append(v.conns, c.(*net.UDPConn))
		}
		var err error
		if l, err = lc.Listen(t.Context(), "tcp4", fmt.Sprintf(":%d", caught)); err != nil {
			t.Error(err)
		}
	})
	if t.Failed() {
		t.FailNow()
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			v.dials.Add(1)
			defer c.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-ended
		for _, c := range v.conns {
			_ = c.Close()
		}
	})
	return v
}

func (v *villain) send(packet []byte) {
	_, _ = v.conns[rand.N(len(v.conns))].WriteToUDP(packet, group4)
}

// forge makes an announcement that nobody made; where there is a key, with the proof of another one.
func (v *villain) forge(id discovery.ID, service, endpoint string, key bool) []byte {
	v.t.Helper()
	r := discovery.Record{
		ID: id, Incarnation: uint64(time.Now().Add(time.Hour).UnixMilli()), Revision: rand.Uint64N(1 << 40),
		Services: []discovery.Service{{Name: service, Type: "PUSH", Endpoints: []string{endpoint}}},
	}
	if key {
		r.Lifetime = longest
		if err := v.wrong.Seal(&r); err != nil {
			v.t.Fatal(err)
		}
		r.Group = v.tag
	}
	p := must(publish(r, discovery.Open(), longest, time.Now()))
	return must(response(p.records(serviceType, []netip.Addr{netip.MustParseAddr("10.77.0.100")}, cacheFlush)))
}

// rage sends, at random and for about five seconds, that many nodes that are not there, goodbyes for those that are,
// and announcements in their name.
func (v *villain) rage(victims []discovery.ID, fakes int, key bool) {
	v.t.Helper()
	const lasts, burst = 5 * time.Second, 40
	at := func(n int) string { return fmt.Sprintf("tcp://*:%d", 10000+n) }
	began := time.Now()
	for n := 0; n < fakes; {
		for range rand.N(burst) {
			victim := victims[rand.N(len(victims))]
			switch rand.N(20) {
			case 0:
				v.send(must(goodbye(victim.String())))
			case 1:
				v.send(v.forge(victim, service, at(n), key))
			default:
				v.send(v.forge(discovery.NewID(), service, at(n), key))
				n++
			}
		}
		ahead := time.Until(began.Add(lasts * time.Duration(n) / time.Duration(fakes)))
		time.Sleep(rand.N(2*max(ahead, 0) + time.Microsecond))
	}
	// The last word about each: that it has another service only, or that it has moved, and from there a goodbye.
	for i, victim := range victims {
		c := v.conns[rand.N(len(v.conns))]
		name := service
		if i == 0 {
			name = "other"
		}
		_, _ = c.WriteToUDP(v.forge(victim, name, at(0), key), group4)
		if i > 0 {
			_, _ = c.WriteToUDP(must(goodbye(victim.String())), group4)
		}
	}
}

// insist goes on for that long to say newer things of the victims than they do themselves, each from one address: the
// first has another service only, the second has moved, and the third has another service and then leaves.
func (v *villain) insist(victims []discovery.ID, lasts time.Duration, key bool) {
	v.t.Helper()
	for began := time.Now(); time.Since(began) < lasts; time.Sleep(500 * time.Millisecond) {
		for i, victim := range victims {
			c, name := v.conns[i], "other"
			if i == 1 {
				name = service
			}
			_, _ = c.WriteToUDP(v.forge(victim, name, "tcp://*:10000", key), group4)
			if i == 2 {
				_, _ = c.WriteToUDP(must(goodbye(victim.String())), group4)
			}
		}
	}
}

// Three live connections outlast somebody who says goodbye for the peers, has them announced at other places or
// without the service, again and again, and announces thousands that are not there. Those are dialled no more than
// the policy allows, and with a group key not at all.
func TestLANHostile(t *testing.T) {
	const drain = 6 * time.Second // long enough for both questions, see discovery.Policy.Drain
	for _, tc := range []struct {
		name string
		role
	}{
		{"open", role{Drain: drain}},
		{"group key", role{Drain: drain, Key: true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			const fakes = 20_000
			n := lan.New(t)
			finder := newMember(t, n.Host(), tc.role)
			finder.find()
			var peers []*remote
			var ids []discovery.ID
			for range 3 {
				p := newMember(t, n.Host(), tc.role)
				id, _ := p.offer()
				finder.says("up " + id + " ")
				peers, ids = append(peers, p), append(ids, must(discovery.ParseID(id)))
			}
			finder.done("sync", "synced")
			v := newVillain(t, n.Host())

			began := time.Now()
			v.rage(ids, fakes, tc.Key)
			raged := time.Since(began)
			// a goodbye that is believed ends a connection when that is over, not before
			v.insist(ids, drain+time.Second, tc.Key)
			finder.tell("count")
			seen := finder.says("seen ")[0]
			dials, took := v.dials.Load(), time.Since(began)
			t.Logf("%d fakes in %v: seen %s, dialled %d times in %v", fakes, raged, seen, dials, took)
			switch least, most := int64(defaultDials), defaultDials*int64(1+took/defaultDialTimeout); {
			case tc.Key && (dials > 0 || seen != "3"):
				t.Errorf("dialled %d times, and %s nodes seen, want the 3 that have the key", dials, seen)
			case !tc.Key && (dials < least || dials > most):
				t.Errorf("dialled %d times, want %d at most, and %d if the flood has arrived", dials, most, least)
			}
			if down := finder.said("down "); len(down) > 0 {
				t.Fatalf("lost: %q", down)
			}
			for i, p := range peers {
				p.tell("send")
				finder.says("got " + ids[i].String())
			}
		})
	}
}
