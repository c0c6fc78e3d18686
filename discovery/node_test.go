package discovery

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/discovery/internal/ifaces"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// settle lets time pass.
func settle(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestAnnounced(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"wildcard", "tcp://*:5", "tcp://*:5"},
		{"v4 wildcard", "tcp://0.0.0.0:5", "tcp://*:5"},
		{"v6 wildcard", "tcp://[::]:5", "tcp://*:5"},
		{"mapped wildcard", "tcp://[::ffff:0.0.0.0]:5", "tcp://*:5"},
		{"empty host", "tcp://:5", "tcp://*:5"},
		{"address", "tcp://10.0.0.5:5", "tcp://10.0.0.5:5"},
		{"mapped", "tcp://[::ffff:10.0.0.5]:5", "tcp://10.0.0.5:5"},
		{"v6", "tcp://[fd00::5]:5", "tcp://[fd00::5]:5"},
		{"loopback", "tcp://127.0.0.1:5", "tcp://127.0.0.1:5"},
		{"name", "tcp://host:5", "tcp://host:5"},
		{"link-local", "tcp://[fe80::5%eth0]:5", ""},
		{"v4 link-local", "tcp://169.254.1.2:5", ""},
		{"port 0", "tcp://*:0", ""},
		{"port *", "tcp://*:*", ""},
		{"no port", "tcp://10.0.0.5", ""},
		{"path", "ipc:///run/x", "ipc:///run/x"},
		{"unclean path", "ipc:///run/../run/x", "ipc:///run/x"},
		{"abstract", "ipc://@x", "ipc://@x"},
		{"no name", "ipc://@", ""},
		{"any path", "ipc://*", ""},
		{"inproc", "inproc://x", ""},
		{"nothing", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, ok := announced(tc.in)
			if got != tc.want || ok != (tc.want != "") {
				t.Errorf("%q, %v, want %q", got, ok, tc.want)
			}
		})
	}
	if got, ok := announced("ipc://x"); !ok || !strings.HasPrefix(got, "ipc:///") || !strings.HasSuffix(got, "/x") {
		t.Errorf("a relative path becomes %q", got)
	}
}

func TestReachable(t *testing.T) {
	many := ifaces.Interface{Name: "eth9", Index: 9}
	for i := range 100 {
		many.Addrs = append(many.Addrs, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 9, 0, byte(i + 1)}), 16))
	}
	for _, tc := range []struct {
		name  string
		links ifaces.Snapshot
		want  []netip.Addr
	}{
		{"home", home, addrs("10.0.0.5", "fd00::5")},
		{"lo alone", home[:1], nil},
		{"nothing", nil, nil},
		{"the first of each first", ifaces.Snapshot{
			{Index: 2, Addrs: prefixes("10.0.0.5/24", "10.0.0.6/24", "fd00::5/64", "fd00::6/64")},
			{Index: 3, Addrs: prefixes("10.1.0.5/24", "fd01::5/64", "169.254.1.1/16")},
			{Index: 4, Addrs: prefixes("10.0.0.5/24")},
		}, addrs("10.0.0.5", "10.1.0.5", "fd00::5", "fd01::5", "10.0.0.6", "fd00::6")},
		{"many", append(slices.Clone(home), many), nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := reachable(tc.links)
			if tc.name == "many" {
				if len(got) < 20 || got[0] != home[1].Addrs[0].Addr() {
					t.Errorf("%v", got)
				}
			} else if !slices.Equal(got, tc.want) {
				t.Errorf("%v, want %v", got, tc.want)
			}
			r := offer(1, "tcp://*:1")
			r.Addrs = got
			if _, err := r.TXT(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestNodeAnnounces(t *testing.T) {
	inEther(t, func(t *testing.T, e *ether) {
		id := nth(7)
		n, _ := nodeAt(e, 5, WithID(id), WithGroup("prod"), WithName("the fifth"), WithProtocol("zmtp/3.0"),
			WithKey(strings.Repeat("x", 40)), WithMeta(map[string]string{"rack": "9"}), WithID(ID{}))
		start := time.Now()
		must(t, n.Announce(t.Context(), "orders", bound("PUB", "tcp://0.0.0.0:5", "ipc:///run/x", "inproc://x")))
		got := e.record()
		want := Record{
			ID: id, Incarnation: uint64(start.UnixMilli()), Revision: 1, Group: "prod", Name: "the fifth", Wire: "zmtp/3.0",
			Host: "0000000000000005", Key: strings.Repeat("x", 40), Addrs: addrs("10.0.0.5"),
			Meta:     map[string]string{"rack": "9"},
			Services: []Service{{Name: "orders", Type: "PUB", Endpoints: []string{"ipc:///run/x", "tcp://*:5"}}},
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("announced\n%+v, want\n%+v", got, want)
		}
		settle(time.Hour)
		if log := e.took(); !slices.Equal(log, []string{"announce"}) {
			t.Errorf("%v: nothing has changed", log)
		}
		must(t, n.Shutdown(t.Context()))
	})
	n := NewNode(nil)
	if n.ID() == (ID{}) || n.ID() == NewNode(nil).ID() || n.base.Wire != "zmtp/3.1" {
		t.Errorf("the defaults are %+v", n.base)
	}
}

func TestNodeFollowsSockets(t *testing.T) {
	inEther(t, func(t *testing.T, e *ether) {
		n, _ := nodeAt(e, 5)
		a, b := bound("PUB"), bound("REP", "tcp://127.0.0.1:9")
		step := func(name string, change func(), revision uint64, log []string, services ...Service) {
			t.Helper()
			change()
			settle(300 * time.Millisecond)
			if got := e.took(); !slices.Equal(got, log) {
				t.Errorf("%s: %v, want %v", name, got, log)
			}
			if r := e.record(); r.Revision != revision || !reflect.DeepEqual(r.Services, services) {
				t.Errorf("%s: revision %d, %+v, want %d, %+v", name, r.Revision, r.Services, revision, services)
			}
		}
		announce, update, goodbye := []string{"announce"}, []string{"update"}, []string{"goodbye"}
		events := Service{"events", "PUB", []string{"tcp://*:1"}}
		both := Service{"events", "PUB", []string{"tcp://*:1", "tcp://*:2"}}
		query := Service{"query", "REP", []string{"tcp://127.0.0.1:9"}}
		step("not bound", func() { must(t, n.Announce(t.Context(), "events", a)) }, 0, nil)
		step("bound", func() { a.bind("tcp://*:1") }, 1, announce, events)
		step("again", func() { must(t, n.Announce(t.Context(), "events", a)) }, 1, nil, events)
		step("another socket", func() { must(t, n.Announce(t.Context(), "query", b)) }, 2, update, events, query)
		if got := e.record().Addrs; !slices.Equal(got, addrs("10.0.0.5")) {
			t.Errorf("addresses %v", got)
		}
		step("bound twice", func() { a.bind("tcp://*:2", "tcp://*:1") }, 3, update, both, query)
		step("another order", func() { a.bind("tcp://*:1", "tcp://*:2") }, 3, nil, both, query)
		step("closed", func() { a.bind() }, 4, update, query)
		if got := e.record().Addrs; got != nil {
			t.Errorf("addresses %v, which nobody needs", got)
		}
		step("the last one too", func() { n.Unannounce("query", b) }, 4, goodbye, query)
		step("no such", func() { n.Unannounce("query", b) }, 4, nil, query)
		settle(5 * time.Second)
		step("back", func() { a.bind("tcp://*:1") }, 5, announce, events)
		step("the end", func() { must(t, n.Shutdown(t.Context())) }, 5, goodbye, events)
		step("after the end", func() { a.bind("tcp://*:3"); n.Unannounce("events", a) }, 5, nil, events)
	})
}

func TestNodeFollowsInterfaces(t *testing.T) {
	inEther(t, func(t *testing.T, e *ether) {
		n, w := nodeAt(e, 5)
		must(t, n.Announce(t.Context(), "orders", bound("PUB", "tcp://*:1")))
		w.set(ifaces.Snapshot{home[0]})
		settle(2 * time.Second)
		if r := e.record(); r.Revision != 2 || r.Addrs != nil {
			t.Errorf("without a network: revision %d, %v", r.Revision, r.Addrs)
		}
		w.set(home)
		settle(2 * time.Second)
		if r := e.record(); r.Revision != 3 || !slices.Equal(r.Addrs, addrs("10.0.0.5", "fd00::5")) {
			t.Errorf("with one: revision %d, %v", r.Revision, r.Addrs)
		}
		before := w.count()
		settle(time.Minute)
		if asked := w.count() - before; asked > 31 {
			t.Errorf("asked for the interfaces %d times in a minute, want every 2 s", asked)
		}
		must(t, n.Shutdown(t.Context()))
	})
}

func TestNodesConnect(t *testing.T) {
	for _, order := range []string{"announce first", "connect first"} {
		t.Run(order, func(t *testing.T) {
			inEther(t, func(t *testing.T, e *ether) {
				server, _ := nodeAt(e, 5)
				client, _ := nodeAt(e, 6)
				alone, _ := nodeAt(e, 7, WithGroup("other"))
				neighbour, _ := nodeAt(e, 5) // on the server's host
				s, s2, s3 := newFakeSocket(), newFakeSocket(), newFakeSocket()
				s.open(0, "tcp://10.0.0.5:5")
				s3.open(0, "tcp://127.0.0.1:6")
				b := bound("PUB", "tcp://*:5")
				announce := func() {
					must(t, server.Announce(t.Context(), "orders", b))
					must(t, server.Announce(t.Context(), "private", bound("PUB", "tcp://127.0.0.1:6")))
				}
				connect := func() {
					must(t, client.Connect("orders", s))
					must(t, client.Connect("orders", s))
					must(t, client.Connect("private", s2))
					must(t, server.Connect("orders", s2)) // to itself
					must(t, alone.Connect("orders", s2))
					must(t, neighbour.Connect("private", s3))
				}
				if order == "announce first" {
					announce()
					connect()
				} else {
					connect()
					synctest.Wait()
					announce()
				}
				settle(0)
				if got := s.state(); !slices.Equal(got, []string{"tcp://10.0.0.5:5+"}) {
					t.Errorf("the client has %v", got)
				}
				if got := s2.state(); len(got) > 0 {
					t.Errorf("another host, group, or the node itself has %v", got)
				}
				if got := s3.state(); !slices.Equal(got, []string{"tcp://127.0.0.1:6+"}) {
					t.Errorf("the same host has %v", got)
				}
				client.Disconnect("orders", s)
				client.Disconnect("orders", s)
				if got := s.state(); len(got) > 0 {
					t.Errorf("disconnected, and has %v", got)
				}
				must(t, client.Connect("orders", s, WithPolicy(Policy{Allow: func(string, *Record) bool { return false }})))
				settle(time.Second)
				if got := s.state(); len(got) > 0 {
					t.Errorf("the policy does not allow %v", got)
				}
				client.Disconnect("orders", s)
				must(t, client.Connect("orders", s))
				settle(0)
				if got := s.state(); len(got) != 1 {
					t.Errorf("connected again, and has %v", got)
				}
				for _, n := range []*Node{alone, client, neighbour, server} {
					must(t, n.Shutdown(t.Context()))
				}
				if got := slices.Concat(s.state(), s2.state(), s3.state()); len(got) > 0 {
					t.Errorf("closed, and there are %v", got)
				}
			})
		})
	}
}

// orderly notes when it is disconnected.
type orderly struct {
	*fakeSocket
	e *ether
}

func (o orderly) Disconnect(endpoint string) error {
	o.e.note("disconnect")
	return o.fakeSocket.Disconnect(endpoint)
}

func TestNodeClose(t *testing.T) {
	inEther(t, func(t *testing.T, e *ether) {
		a, _ := nodeAt(e, 5)
		b, _ := nodeAt(e, 6)
		s := newFakeSocket()
		s.open(0, "tcp://10.0.0.6:2")
		must(t, b.Announce(t.Context(), "orders", bound("PUB", "tcp://*:2")))
		must(t, a.Announce(t.Context(), "orders", bound("PUB", "tcp://*:1")))
		must(t, a.Connect("orders", orderly{s, e}))
		events, err := a.Watch(t.Context(), Query{})
		must(t, err)
		settle(time.Second)
		e.took()
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		must(t, a.Shutdown(ended)) // all the same
		if log := e.took(); !slices.Equal(log, []string{"goodbye", "disconnect"}) {
			t.Errorf("%v, want the goodbye first", log)
		}
		for range events { // until it is closed
		}
		must(t, a.Shutdown(t.Context()))
		if log := e.took(); log != nil {
			t.Errorf("the second time: %v", log)
		}
		_, watch := a.Watch(t.Context(), Query{})
		_, peers := a.Peers(t.Context(), Query{})
		for what, err := range map[string]error{
			"Announce": a.Announce(t.Context(), "x", bound("PUB")), "Connect": a.Connect("orders", s), "Watch": watch,
			"Peers": peers,
		} {
			if !errors.Is(err, ErrClosed) {
				t.Errorf("%s: %v, want ErrClosed", what, err)
			}
		}
		must(t, b.Shutdown(t.Context()))
		failing, _ := nodeAt(e, 8)
		must(t, failing.Announce(t.Context(), "orders", bound("PUB", "tcp://*:1")))
		broken := errors.New("broken")
		e.fail(broken)
		if err := failing.Shutdown(t.Context()); !errors.Is(err, broken) {
			t.Errorf("the goodbye has failed: %v", err)
		}
		idle, _ := nodeAt(e, 7)
		must(t, idle.Shutdown(t.Context()))
	})
}

func TestPeers(t *testing.T) {
	inEther(t, func(t *testing.T, e *ether) {
		var nodes []*Node
		for i := range 5 {
			n, _ := nodeAt(e, byte(10+i), WithID(nth(5-i)))
			must(t, n.Announce(t.Context(), "orders", bound("PUB", "tcp://*:1")))
			nodes = append(nodes, n)
		}
		must(t, nodes[4].Shutdown(t.Context()))
		got, err := nodes[1].Peers(t.Context(), Query{Service: "orders"})
		must(t, err)
		var ids []ID
		for _, r := range got {
			ids = append(ids, r.ID)
		}
		if want := []ID{nth(2), nth(3), nth(5)}; !slices.Equal(ids, want) {
			t.Errorf("%v, want %v", ids, want)
		}
		if got, err := nodes[1].Peers(t.Context(), Query{Service: "nothing"}); err != nil || len(got) > 0 {
			t.Errorf("%v, %v", got, err)
		}
		for _, n := range nodes {
			must(t, n.Shutdown(t.Context()))
		}
	})
	// A backend that does not come to an end with what is there.
	synctest.Test(t, func(t *testing.T) {
		table := NewTable("slow", TableConfig{})
		defer table.Close()
		r := offer(1, "tcp://*:1")
		must(t, table.Put(r, Forever))
		n := NewNode(port{&ether{table: table}, netip.Addr{}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		got, err := n.Peers(ctx, Query{})
		if !errors.Is(err, context.DeadlineExceeded) || len(got) != 1 || got[0].ID != r.ID {
			t.Errorf("%v, %v", got, err)
		}
		must(t, n.Shutdown(t.Context()))
	})
}

func TestNodeWatch(t *testing.T) {
	inEther(t, func(t *testing.T, e *ether) {
		a, _ := nodeAt(e, 5)
		b, _ := nodeAt(e, 6)
		ctx, cancel := context.WithCancel(t.Context())
		events, err := a.Watch(ctx, Query{})
		must(t, err)
		if ev := <-events; ev.Kind != Synced {
			t.Errorf("%+v, want Synced", ev)
		}
		must(t, a.Announce(t.Context(), "orders", bound("PUB", "tcp://*:1")))
		must(t, b.Announce(t.Context(), "orders", bound("PUB", "tcp://*:1")))
		if ev := <-events; ev.Kind != Added || ev.Record.ID != b.ID() {
			t.Errorf("%+v, want the other node", ev)
		}
		must(t, b.Shutdown(t.Context()))
		synctest.Wait()
		cancel()
		for range events { // one that was not read does not keep it open
		}
		must(t, a.Shutdown(t.Context()))
	})
}

func TestNodeErrors(t *testing.T) {
	inEther(t, func(t *testing.T, e *ether) {
		var mu sync.Mutex
		var troubles []error
		n, _ := nodeAt(e, 5, WithTrouble(func(err error) {
			mu.Lock()
			defer mu.Unlock()
			troubles = append(troubles, err)
		}))
		count := func() int { mu.Lock(); defer mu.Unlock(); return len(troubles) }
		for _, name := range []string{"", "Ab", "a b", strings.Repeat("x", 64)} {
			if err := n.Announce(t.Context(), name, bound("PUB")); !errors.Is(err, ErrRecord) {
				t.Errorf("service %q: %v, want ErrRecord", name, err)
			}
		}
		e.fail(ErrReadOnly)
		a, b := bound("PUB", "tcp://*:1"), bound("REP", "tcp://*:2")
		if err := n.Announce(t.Context(), "orders", a); !errors.Is(err, ErrReadOnly) {
			t.Errorf("%v, want ErrReadOnly", err)
		}
		e.fail(nil)
		settle(time.Minute)
		if log := e.took(); log != nil {
			t.Errorf("Announce has failed, and yet: %v", log)
		}
		must(t, n.Announce(t.Context(), "orders", a))
		var huge []string
		for i := range 100 {
			huge = append(huge, fmt.Sprintf("tcp://*:%d", 10000+i))
		}
		if err := n.Announce(t.Context(), "huge", bound("PUB", huge...)); !errors.Is(err, ErrRecord) {
			t.Errorf("%v, want ErrRecord", err)
		}
		must(t, n.Announce(t.Context(), "query", b))
		if r := e.record(); len(r.Services) != 2 {
			t.Errorf("announced %+v", r.Services)
		}
		if count() != 0 {
			t.Errorf("told %v, and somebody was there to take the errors", troubles)
		}
		e.took()
		e.fail(errors.New("down"))
		a.bind("tcp://*:3")
		settle(100 * time.Second)
		if c := count(); c < 3 || c > 10 {
			t.Errorf("told %d errors in 100 s", c)
		}
		e.fail(nil)
		settle(time.Minute)
		if r := e.record(); r.Services[0].Endpoints[0] != "tcp://*:3" {
			t.Errorf("%+v: the change was not announced in the end", r.Services)
		}
		must(t, n.Shutdown(t.Context()))

		e.table.Close()
		n, _ = nodeAt(e, 6)
		if err := n.Connect("orders", newFakeSocket()); !errors.Is(err, ErrClosed) {
			t.Errorf("Connect: %v, want ErrClosed", err)
		}
		if _, err := n.Watch(t.Context(), Query{}); !errors.Is(err, ErrClosed) {
			t.Errorf("Watch: %v, want ErrClosed", err)
		}
		must(t, n.Shutdown(t.Context()))
	})
}

// The watch of a Connect ends: that is told, and Connect can be called again.
func TestNodeWatchEnds(t *testing.T) {
	inEther(t, func(t *testing.T, e *ether) {
		told := make(chan error, 1)
		n, _ := nodeAt(e, 5, WithTrouble(func(err error) { told <- err }))
		must(t, n.Connect("orders", newFakeSocket()))
		e.table.Close()
		if err := <-told; !errors.Is(err, ErrClosed) {
			t.Errorf("told %v", err)
		}
		synctest.Wait()
		if len(n.connects) != 0 {
			t.Error("it is remembered")
		}
		must(t, n.Shutdown(t.Context()))
	})
}

// A slow backend: Shutdown does not wait longer than its context, and the goodbye is said in the end.
func TestNodeShutdownWhileAnnouncing(t *testing.T) {
	inEther(t, func(t *testing.T, e *ether) {
		b := &slow{port: port{e, netip.MustParseAddr("10.0.0.5")}, began: make(chan struct{}), goOn: make(chan struct{})}
		n := NewNode(b, withWorld(here, func() (ifaces.Snapshot, error) { return home, nil }))
		result := make(chan error)
		go func() { result <- n.Announce(t.Context(), "orders", bound("PUB", "tcp://*:1")) }()
		<-b.began
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if err := n.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("Shutdown: %v after %v", err, time.Since(start))
		}
		close(b.goOn)
		must(t, <-result)
		if log := e.took(); !slices.Equal(log, []string{"announce", "goodbye"}) {
			t.Errorf("%v", log)
		}
	})
}

// Close has half a second for the goodbye, of its own or of a Shutdown that is under way.
func TestNodeCloseIsBounded(t *testing.T) {
	for _, tc := range []struct {
		name     string
		shutdown bool
		want     error // of Close
	}{
		{"alone", false, context.DeadlineExceeded},
		{"during a Shutdown", true, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inEther(t, func(t *testing.T, e *ether) {
				b := &deaf{port{e, netip.MustParseAddr("10.0.0.5")}}
				n := NewNode(b, withWorld(here, func() (ifaces.Snapshot, error) { return home, nil }))
				must(t, n.Announce(t.Context(), "orders", bound("PUB", "tcp://*:1")))
				result := make(chan error, 1)
				if tc.shutdown {
					go func() { result <- n.Shutdown(t.Context()) }()
					time.Sleep(time.Minute)
				}
				start := time.Now()
				if err := n.Close(); !errors.Is(err, tc.want) || time.Since(start) != closeTime {
					t.Errorf("Close: %v after %v", err, time.Since(start))
				}
				if tc.shutdown {
					if err := <-result; !errors.Is(err, context.Canceled) {
						t.Errorf("Shutdown: %v", err)
					}
				}
				start = time.Now()
				must(t, n.Close())
				must(t, n.Shutdown(t.Context()))
				if d := time.Since(start); d != 0 {
					t.Errorf("the second time took %v", d)
				}
			})
		})
	}
}

// A deaf backend says goodbye for as long as it may.
type deaf struct{ port }

func (d *deaf) Announce(context.Context, Record) (Announcement, error) { return d, nil }
func (d *deaf) Update(Record) error                                    { return nil }

func (d *deaf) Close(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

type slow struct {
	port
	began, goOn chan struct{}
}

func (s *slow) Announce(ctx context.Context, r Record) (Announcement, error) {
	close(s.began)
	<-s.goOn
	return s.port.Announce(ctx, r)
}

func TestNilOptionsAreIgnored(t *testing.T) {
	inEther(t, func(t *testing.T, e *ether) {
		n := NewNode(port{e, home[0].Addrs[0].Addr()}, nil, WithName("named"), nil)
		if n.base.Name != "named" {
			t.Errorf("the name is %q", n.base.Name)
		}
		asked := make(chan string, 1)
		p := Policy{Allow: func(endpoint string, _ *Record) bool { asked <- endpoint; return false }}
		must(t, n.Connect("orders", newFakeSocket(), nil, WithPolicy(p), nil))
		must(t, e.table.Put(offer(1, "tcp://*:1"), Forever))
		settle(time.Second)
		if len(asked) != 1 {
			t.Error("the policy does not count")
		}
		must(t, n.Shutdown(t.Context()))
	})
}

// An option whose value no record can have is an error of whatever is called first, though NewNode has none.
func TestBadOptions(t *testing.T) {
	for name, o := range map[string]NodeOption{
		"group":    WithGroup("a b"),
		"name":     WithName(strings.Repeat("x", 64)),
		"protocol": WithProtocol("zmtp 3.1"),
		"key":      WithKey("short"),
		"metadata": WithMeta(map[string]string{"Key": "value"}),
	} {
		t.Run(name, func(t *testing.T) {
			inEther(t, func(t *testing.T, e *ether) {
				n, _ := nodeAt(e, 5, o)
				_, watch := n.Watch(t.Context(), Query{})
				_, peers := n.Peers(t.Context(), Query{})
				for what, err := range map[string]error{
					"Announce": n.Announce(t.Context(), "x", bound("PUB")),
					"Connect":  n.Connect("x", newFakeSocket()),
					"Watch":    watch,
					"Peers":    peers,
				} {
					if !errors.Is(err, ErrInvalidOption) || !errors.Is(err, ErrRecord) {
						t.Errorf("%s: %v, want ErrInvalidOption and ErrRecord", what, err)
					}
				}
				must(t, n.Close())
			})
		})
	}
	inEther(t, func(t *testing.T, e *ether) {
		n, _ := nodeAt(e, 5)
		if err := n.Connect("x", newFakeSocket(), WithPolicy(Policy{Group: "a b"})); !errors.Is(err, ErrInvalidOption) {
			t.Errorf("a policy's group: %v, want ErrInvalidOption", err)
		}
		must(t, n.Close())
	})
}
