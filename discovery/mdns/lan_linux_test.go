package mdns

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	hashicorp "github.com/hashicorp/mdns"
	"github.com/miekg/dns"
	"golang.org/x/sys/unix"

	"github.com/yodel-mq/yodel/discovery"
	"github.com/yodel-mq/yodel/discovery/internal/lan"
)

// hostNetwork is the system's network as a host sees it: all sockets are opened there.
type hostNetwork struct{ host *lan.Host }

func (n hostNetwork) interfaces() (all []iface, err error) {
	return all, errors.Join(n.host.Try(func() { all, err = system{}.interfaces() }), err)
}

func (n hostNetwork) listen(i iface, f family) (c conn, err error) {
	if gone := n.host.Try(func() { c, err = system{}.listen(i, f) }); gone != nil {
		return nil, gone
	}
	return c, err
}

func (n hostNetwork) ask(i iface, f family) (c conn, err error) {
	if gone := n.host.Try(func() { c, err = system{}.ask(i, f) }); gone != nil {
		return nil, gone
	}
	return c, err
}

func (n hostNetwork) serve(i iface, z hashicorp.Zone) (s io.Closer, err error) {
	if gone := n.host.Try(func() { s, err = system{}.serve(i, z) }); gone != nil {
		return nil, gone
	}
	return s, err
}

// at returns a backend on a host.
func atHost(h *lan.Host, opts ...Option) *Backend {
	return New(append(opts, option(func(c *config) { c.network = hostNetwork{h} }))...)
}

func lanNode(h *lan.Host) discovery.Record {
	return discovery.Record{
		ID: discovery.NewID(), Incarnation: uint64(time.Now().UnixMilli()), Addrs: []netip.Addr{h.Addr},
		Services: []discovery.Service{{Name: "orders", Type: "PUB", Endpoints: []string{"tcp://*:5555"}}},
	}
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

func TestLANLatency(t *testing.T) {
	n := lan.New(t)
	watcher := n.Host()
	var hosts []*lan.Host
	for range 10 {
		hosts = append(hosts, n.Host())
	}
	for _, peers := range []int{1, 10, 50} {
		t.Run(fmt.Sprintf("%d peers", peers), func(t *testing.T) {
			// Who was there first finds each that comes.
			v := watch(t, atHost(watcher), discovery.Query{})
			v.untilKind(discovery.Synced, patience)
			var anns []discovery.Announcement
			began := make(map[discovery.ID]time.Time)
			var backends []*Backend
			for _, h := range hosts {
				backends = append(backends, atHost(h))
			}
			for i := range peers {
				b, r := backends[i%len(hosts)], lanNode(hosts[i%len(hosts)])
				began[r.ID] = time.Now()
				anns = append(anns, announce(t, b, r))
				// One by one: on one machine, many that start at once measure the machine.
				v.until("found", patience, func(n map[discovery.ID]discovery.Record) bool { return len(n) == i+1 })
			}
			var took []time.Duration
			for id, at := range began {
				took = append(took, v.at(id).Sub(at))
			}
			quick(t, "announced to found, median,", median(took), 50*time.Millisecond)
			t.Logf("the last after %v (bar for the 99th percentile: 500ms)", took[len(took)-1])

			// Who comes later finds all.
			late := watch(t, atHost(watcher), discovery.Query{})
			start := time.Now()
			late.until("all found", patience, func(n map[discovery.ID]discovery.Record) bool { return len(n) == peers })
			took = took[:0]
			for id := range began {
				took = append(took, late.at(id).Sub(start))
			}
			quick(t, "watched to found, median,", median(took), 50*time.Millisecond)
			t.Logf("the last after %v (bar for the 99th percentile: 500ms)", took[len(took)-1])

			// All leave.
			start = time.Now()
			byeAll(t, anns)
			v.until("all gone", patience, none)
			took = took[:0]
			for id := range began {
				took = append(took, v.at(id).Sub(start))
			}
			quick(t, "goodbye to gone, median,", median(took), 200*time.Millisecond)
			if slices.Contains(v.kinds(), discovery.Expired) {
				t.Errorf("some expired: %v", v.kinds())
			}
			v.close()
			late.close()
		})
	}
}

// For a minute package net remembers what it once found out about names and indices of interfaces, though eth0 may
// have been made anew meanwhile, as here.
func TestLANAddresses(t *testing.T) {
	n := lan.New(t)
	a, b, other := n.Host(), n.Host(), n.Host()
	if out, err := other.Command(t.Context(), "ip", "link", "add", "third", "type", "veth", "peer", "name",
		"fourth").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	other.Do(func() {
		for _, zone := range []string{"not known, so look", "eth0"} {
			if c, err := net.DialUDP("udp6", nil, &net.UDPAddr{IP: group6.IP, Port: port, Zone: zone}); err == nil {
				_ = c.Close()
			}
		}
	})
	a.Recreate()
	b.Recreate()
	v := watch(t, atHost(b), discovery.Query{})
	r := lanNode(a)
	r.Addrs = nil // an address that the record has is no news
	ann := announce(t, atHost(a), r)
	v.until("both families", patience, func(n map[discovery.ID]discovery.Record) bool { return len(n[r.ID].From) == 2 })
	from := slices.Clone(v.get(r.ID).From)
	slices.SortFunc(from, netip.Addr.Compare)
	if from[0] != a.Addr || !from[1].IsLinkLocalUnicast() || from[1].Zone() != "eth0" {
		t.Errorf("from %v, want %v and a link-local one with zone eth0", from, a.Addr)
	}
	bye(t, ann)
	v.close()
}

// A process that is killed says nothing, and is gone when its announcement has run out.
func TestLANKilled(t *testing.T) {
	t.Parallel() // it waits, most of the time
	n := lan.New(t)
	a, b := n.Host(), n.Host()
	v := watch(t, atHost(b), discovery.Query{Group: "killed"})
	p := spawn(t, a.Command(t.Context(), os.Args[0]), "killed")
	v.until("found", patience, one)
	if !v.has(p.id) {
		t.Fatalf("found %v, want %v", v.kinds(), p.id)
	}
	began := time.Now()
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	v.until("expired", 3*defaultRefresh+5*time.Second, none)
	if k := v.kinds(); k[len(k)-1] != discovery.Expired {
		t.Errorf("events %v", k)
	}
	t.Logf("expired %v after it was killed", time.Since(began))

	// One that ends says goodbye.
	q := spawn(t, a.Command(t.Context(), os.Args[0]), "killed")
	v.until("found", patience, one)
	began = time.Now()
	_ = q.stdin.Close()
	v.until("gone", patience, none)
	quick(t, "gone", v.at(q.id).Sub(began), 200*time.Millisecond)
	if k := v.kinds(); k[len(k)-1] != discovery.Left {
		t.Errorf("events %v", k)
	}
	v.close()
}

func TestLANLoss(t *testing.T) {
	t.Parallel()
	const peers = 10
	n := lan.New(t)
	watcher := n.Host()
	watcher.Lose(port, 50)
	first := watch(t, atHost(watcher), discovery.Query{})
	first.untilKind(discovery.Synced, patience)
	var anns []discovery.Announcement
	began := time.Now()
	for range peers {
		h := n.Host()
		h.Lose(port, 50)
		anns = append(anns, announce(t, atHost(h), lanNode(h)))
	}
	full := func(n map[discovery.ID]discovery.Record) bool { return len(n) == peers }
	built := time.Since(began)
	first.until("all found", patience, full)
	quick(t, "who came later found", time.Since(began)-built, 5*time.Second)
	second := watch(t, atHost(watcher), discovery.Query{})
	quick(t, "who was there found", second.until("all found", patience, full), 5*time.Second)
	byeAll(t, anns)
	first.close()
	second.close()
}

// Whatever happens to the network of one of the two: they find each other again within five seconds. The refresh
// would come too late for that.
func TestLANFaults(t *testing.T) {
	for _, tc := range []struct {
		name       string
		fail, mend func(h *lan.Host)
	}{
		{"unplugged", (*lan.Host).Unplug, (*lan.Host).Plug},
		{"link down", (*lan.Host).Down, (*lan.Host).Up},
		{"interface made anew", (*lan.Host).Remove, (*lan.Host).Restore},
	} {
		for _, who := range []string{"announcer", "watcher"} {
			t.Run(tc.name+" "+who, func(t *testing.T) {
				t.Parallel() // it waits, most of the time
				n := lan.New(t)
				a, b := n.Host(), n.Host()
				r := lanNode(a)
				ann := announce(t, atHost(a, WithRefresh(maxRefresh)), r)
				backend := atHost(b)
				v := watch(t, backend, discovery.Query{})
				v.until("found", patience, one)
				hit := a
				if who == "watcher" {
					hit = b
				}
				tc.fail(hit)
				backend.Confirm(r.ID)
				v.until("gone", patience, none)
				tc.mend(hit)
				quick(t, "found again", v.until("found again", patience, one), 5*time.Second)
				bye(t, ann)
				v.close()
			})
		}
	}
}

func TestLANNewAddress(t *testing.T) {
	t.Parallel()
	n := lan.New(t)
	a, b := n.Host(), n.Host()
	r := lanNode(a)
	ann := announce(t, atHost(a, WithRefresh(maxRefresh)), r)
	v := watch(t, atHost(b), discovery.Query{})
	v.until("found", patience, one)
	a.Readdress(99)
	took := v.until("found at its new address", patience, func(n map[discovery.ID]discovery.Record) bool {
		return slices.Contains(n[r.ID].From, a.Addr)
	})
	quick(t, "found at its new address", took, 5*time.Second)
	b.Readdress(98)
	v2 := watch(t, atHost(b), discovery.Query{})
	v2.until("found from a new address", patience, one)
	bye(t, ann)
	v.until("gone", patience, none)
	v.close()
	v2.close()
}

func TestLANGroupsAndRouter(t *testing.T) {
	t.Parallel()
	n := lan.New(t)
	a, b := n.Host(), n.Host()
	far := n.Routed().Host()
	mine, other := lanNode(a), lanNode(a)
	other.Group = "other"
	backend := atHost(a)
	anns := []discovery.Announcement{announce(t, backend, mine), announce(t, backend, other)}
	near := watch(t, atHost(b), discovery.Query{})
	beyond := watch(t, atHost(far), discovery.Query{})
	second := watch(t, atHost(b), discovery.Query{Group: "other"})
	near.until("found", patience, one)
	second.until("found", patience, one)
	near.untilKind(discovery.Synced, patience)
	beyond.untilKind(discovery.Synced, patience)
	if !near.has(mine.ID) || near.count() != 1 || !second.has(other.ID) || second.count() != 1 {
		t.Errorf("default group %v, other group %v", near.kinds(), second.kinds())
	}
	if beyond.count() != 0 {
		t.Errorf("beyond the router: %v", beyond.kinds())
	}
	byeAll(t, anns)
	for _, v := range []*view{near, beyond, second} {
		v.close()
	}
}

// Another program has port 5353 for itself: watching still works, and is told so.
func TestLANPortTaken(t *testing.T) {
	t.Parallel()
	n := lan.New(t)
	a, b := n.Host(), n.Host()
	var hog *net.UDPConn
	b.Do(func() {
		var err error
		if hog, err = net.ListenUDP("udp", &net.UDPAddr{Port: port}); err != nil {
			t.Error(err)
		}
	})
	backend := atHost(b)
	v := watch(t, backend, discovery.Query{})
	if ev := v.untilKind(discovery.Trouble, patience); !errors.Is(ev.Err, ErrPort) {
		t.Errorf("told %v", ev.Err)
	} else {
		t.Log(ev.Err)
	}
	r := lanNode(a)
	ann := announce(t, atHost(a), r)
	v.until("found by asking", patience, one)
	own := announce(t, backend, lanNode(b))
	other := watch(t, atHost(a), discovery.Query{})
	other.untilKind(discovery.Synced, patience)
	_ = hog.Close()
	other.until("found once the port is free", patience, func(n map[discovery.ID]discovery.Record) bool {
		return len(n) == 2
	})
	bye(t, own)
	bye(t, ann)
	v.close()
	other.close()
}

// With nothing but loopback, and no privileges.
func TestLANUnshare(t *testing.T) {
	lan.RequireUnshare(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "unshare", "-rn", "sh", "-c", `ip link set lo up && exec "$0"`, os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"=loopback")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != 4 {
		t.Fatalf("said %q", out)
	}
	for _, line := range lines {
		at := strings.LastIndexByte(line, ' ')
		took, err := time.ParseDuration(line[at+1:])
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		quick(t, line[:at], took, 200*time.Millisecond)
	}
}

// Two processes on one host, in mount namespaces of their own: a path may lead each to another socket.
func TestLANOtherFiles(t *testing.T) {
	lan.RequireUnshare(t)
	for _, tc := range []struct{ name, files, endpoints, want string }{
		{"other files, the same path", "other", "tcp://127.0.0.1:0", "wrong node: false\nstranger: 0\nannounced: 3"},
		{"other files, nothing but the path", "other", "", "wrong node: true\nstranger: 0\nannounced: 0"},
		{"the same files, nothing but the path", "same", "", "wrong node: false\nstranger: 0\nannounced: 3"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			dir, err := os.MkdirTemp("", "files") // a short path, which t.TempDir is not
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = os.RemoveAll(dir) }()
			cmd := exec.CommandContext(ctx, "unshare", "-rnm", "sh", "-c", `ip link set lo up && exec "$0"`, os.Args[0])
			cmd.Env = append(os.Environ(), childEnv+"=files "+tc.files+" "+dir+" "+tc.endpoints)
			out, err := cmd.CombinedOutput()
			if got := strings.TrimSpace(string(out)); err != nil || got != tc.want {
				t.Errorf("%v, it says\n%s\nwant\n%s", err, got, tc.want)
			}
		})
	}
}

// Two processes on a host that has nothing but loopback, and on one that has more.
func TestLANSameHost(t *testing.T) {
	n := lan.New(t)
	for name, h := range map[string]*lan.Host{"with eth0": n.Host(), "only lo": n.Lonely()} {
		t.Run(name, func(t *testing.T) {
			v := watch(t, atHost(h), discovery.Query{Group: "same"})
			p := spawn(t, h.Command(t.Context(), os.Args[0]), "same")
			v.until("found", patience, one)
			late := watch(t, atHost(h), discovery.Query{Group: "same"})
			late.until("found", patience, one)
			_ = p.stdin.Close()
			v.until("gone", patience, none)
			late.until("gone", patience, none)
			for _, v := range []*view{v, late} {
				if slices.Contains(v.kinds(), discovery.Expired) {
					t.Errorf("events %v", v.kinds())
				}
				v.close()
			}
		})
	}
}

// The client of hashicorp/mdns finds our nodes, at an address that it can use: hosts have lo as well.
func TestLANStockClient(t *testing.T) {
	t.Parallel()
	n := lan.New(t)
	a, b := n.Host(), n.Host()
	n.Routed() // it needs a default route
	r := lanNode(a)
	ann := announce(t, atHost(a), r)
	for range 10 {
		found := make(chan *hashicorp.ServiceEntry, 100)
		b.Do(func() {
			eth0, err := net.InterfaceByName("eth0")
			if err != nil {
				t.Error(err)
				return
			}
			err = hashicorp.Query(&hashicorp.QueryParam{
				Service: "_s-orders._sub._yodel._tcp", Domain: "local", Timeout: 200 * time.Millisecond, Interface: eth0,
				Entries: found, DisableIPv6: true, Logger: log.New(io.Discard, "", 0),
			})
			if err != nil {
				t.Error(err)
			}
		})
		close(found)
		got := 0
		for e := range found {
			if e.Name == instanceName(r.ID.String()) {
				got++
				if !e.AddrV4.Equal(net.IP(a.Addr.AsSlice())) || e.Port != 5555 {
					t.Errorf("found at %v port %d, want %v port 5555", e.AddrV4, e.Port, a.Addr)
				}
			}
		}
		if got != 1 {
			t.Fatalf("found it %d times", got)
		}
	}
	bye(t, ann)
}

// answersTo sends a packet and counts the bytes that come back.
func answersTo(t *testing.T, h *lan.Host, to netip.AddrPort, packet []byte) (bytes int) {
	t.Helper()
	h.Do(func() {
		c, err := net.ListenUDP("udp4", nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		if _, err := c.WriteToUDPAddrPort(packet, to); err != nil {
			t.Error(err)
		}
		_ = c.SetReadDeadline(time.Now().Add(400 * time.Millisecond))
		buf := make([]byte, 1<<16)
		for {
			n, err := c.Read(buf)
			if err != nil {
				return
			}
			bytes += n
		}
	})
	return bytes
}

// Nobody can use us to flood others: not from beyond the router, and not with many questions in one packet.
func TestLANAmplification(t *testing.T) {
	t.Parallel()
	n := lan.New(t)
	a, b := n.Host(), n.Host()
	far := n.Routed().Host()
	ann := announce(t, atHost(a), lanNode(a))
	one := must(question())
	if got := answersTo(t, far, netip.AddrPortFrom(a.Addr, port), one); got != 0 {
		t.Errorf("%d bytes in answer to a question from beyond the router", got)
	}
	m := dns.Msg{}
	for range 60 {
		m.Question = append(m.Question, dns.Question{Name: serviceType, Qtype: dns.TypePTR, Qclass: dns.ClassINET})
	}
	group := netip.MustParseAddrPort("224.0.0.251:5353")
	single := answersTo(t, b, group, one)
	many := answersTo(t, b, group, pack(t, m))
	if single == 0 || many > single {
		t.Errorf("%d bytes in answer to one question, %d to 60 in one packet", single, many)
	}
	bye(t, ann)
}

// Somebody floods the network with announcements, goodbyes for others and rubbish, from many addresses.
func TestLANFlood(t *testing.T) {
	n := lan.New(t)
	a, b, evil := n.Host(), n.Host(), n.Host()
	r := lanNode(a)
	ann := announce(t, atHost(a), r)
	watcher := atHost(b)
	v := watch(t, watcher, discovery.Query{})
	v.until("found", patience, func(n map[discovery.ID]discovery.Record) bool { _, ok := n[r.ID]; return ok })
	before := heap()
	var conns []*net.UDPConn
	for range 16 {
		if out, err := evil.Command(t.Context(), "ip", "addr", "add", fmt.Sprintf("10.77.0.%d/24", 100+len(conns)), "dev",
			"eth0").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		evil.Do(func() {
			lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
				return c.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1) })
			}}
			c, err := lc.ListenPacket(t.Context(), "udp4", fmt.Sprintf("10.77.0.%d:%d", 100+len(conns), port))
			if err != nil {
				t.Error(err)
				return
			}
			conns = append(conns, c.(*net.UDPConn))
		})
	}
	goodbyes := must(goodbye(r.ID.String()))
	template, label := forged(t, discovery.ID{0xff}), []byte(discovery.ID{0xff}.String())
	rubbish := [][]byte{
		goodbyes, looping(), counting(announced(t, nil), 65535), make([]byte, 60_000), announced(t, nil)[:100],
	}
	sent := 0
	for stop := time.Now().Add(3 * time.Second); time.Now().Before(stop); sent++ {
		packet := rubbish[sent%len(rubbish)]
		if sent%3 > 0 {
			packet = replaced(template, label, []byte(discovery.NewID().String()))
		}
		_, _ = conns[sent%len(conns)].WriteToUDP(packet, group4)
	}
	s := watcher.Stats()
	t.Logf("%d packets sent; %d bytes more; %+v", sent, int64(heap())-int64(before), s)
	if grown := int64(heap()) - int64(before); grown > 40<<20 {
		t.Errorf("%d bytes more in use", grown)
	}
	if s.Received < 1000 || s.Records < 100 || s.Dropped.Content == 0 || s.Dropped.Size == 0 {
		t.Errorf("the flood did not arrive: %+v", s)
	}
	late := lanNode(a)
	second := announce(t, atHost(a), late)
	v.until("another one found", patience, func(n map[discovery.ID]discovery.Record) bool {
		_, ok := n[late.ID]
		return ok
	})
	if !v.has(r.ID) {
		t.Error("the honest node is lost")
	}
	for _, c := range conns {
		_ = c.Close()
	}
	bye(t, second)
	bye(t, ann)
	v.close()
}
