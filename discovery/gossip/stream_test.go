package gossip

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/discovery/internal/watchtest"
)

// A caller is a connection from an address, which tells whether it was closed.
type caller struct {
	net.Conn
	from   netip.Addr
	closed atomic.Bool
}

func (c *caller) RemoteAddr() net.Addr        { return net.TCPAddrFromAddrPort(netip.AddrPortFrom(c.from, 1)) }
func (c *caller) Write(b []byte) (int, error) { return len(b), nil }
func (c *caller) Close() error {
	c.closed.Store(true)
	return nil
}

// Who opens streams and proves nothing has room taken from it, and takes none from others.
func TestOldestUnprovenStreamGivesWay(t *testing.T) {
	const honest = "10.0.0.1"
	many := func(n int, format string) (list []string) {
		for i := range n {
			list = append(list, fmt.Sprintf(format, i))
		}
		return list
	}
	one := func(addr string, n int) (list []string) {
		for range n {
			list = append(list, addr)
		}
		return list
	}
	join := func(lists ...[]string) (all []string) {
		for _, l := range lists {
			all = append(all, l...)
		}
		return all
	}
	for _, tc := range []struct {
		name   string
		open   []string // where streams come from, in order
		proven int      // how many of the first of them are answered
		then   string   // where one more comes from
		gone   int      // which gives way, -1 for none
		taken  bool     // whether the new one is
	}{
		{"room for all", one("10.0.0.2", maxPerSource-1), 0, "10.0.0.2", -1, true},
		{"one address has its share", join([]string{honest}, one("10.0.0.2", maxPerSource)), 0, "10.0.0.2", 1, true},
		{"what is proven stays", join(one("10.0.0.2", maxPerSource)), 3, "10.0.0.2", 3, true},
		{"nothing but what is proven", one("10.0.0.2", maxPerSource), maxPerSource, "10.0.0.2", -1, false},
		{"a /64 is one", join([]string{honest}, many(maxPerSource, "fd00::%x")), 0, "fd00::ffff", 1, true},
		{"another /64 is another", many(maxPerSource, "fd00::%x"), 0, "fd00:0:0:1::1", -1, true},
		{"IPv4 in IPv6 is IPv4", one("::ffff:10.0.0.2", maxPerSource), 0, "10.0.0.2", 0, true},
		{"a zone makes no difference", one("fe80::1%eth0", maxPerSource), 0, "fe80::2%eth1", 0, true},
		{
			"few strangers hold all",
			join([]string{honest}, one("10.0.0.2", maxPerSource), one("10.0.0.3", maxPerSource), one("10.0.0.4", maxPerSource),
				one("10.0.0.5", maxPerSource-1)),
			0, "10.0.0.9", 1, true,
		},
		{"many strangers hold all", many(maxStreams, "10.0.1.%d"), 0, honest, 0, true},
		{"many strangers, one of them proven", many(maxStreams, "10.0.1.%d"), 1, honest, 1, true},
		{"full of friends", many(maxStreams, "10.0.1.%d"), maxStreams, honest, -1, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tr := newTransport(t)
			var callers []*caller
			for i, from := range tc.open {
				c := &caller{from: netip.MustParseAddr(from)}
				s := tr.track(c, true)
				if s == nil {
					t.Fatalf("stream %d is refused", i)
				}
				if i < tc.proven {
					_, _ = s.Write([]byte("an answer"))
				}
				callers = append(callers, c)
			}
			last := &caller{from: netip.MustParseAddr(tc.then)}
			s := tr.track(last, true)
			if (s != nil) != tc.taken || last.closed.Load() == tc.taken {
				t.Errorf("the new one is taken: %t, closed: %t", s != nil, last.closed.Load())
			}
			for i, c := range callers {
				if c.closed.Load() != (i == tc.gone) {
					t.Errorf("stream %d from %v is closed: %t", i, c.from, c.closed.Load())
				}
			}
			want := len(callers)
			if tc.taken && tc.gone < 0 {
				want++
			}
			if got := tr.incoming(); got != want {
				t.Errorf("%d streams are counted, want %d", got, want)
			}
		})
	}
}

// A stream that was closed twice, or read after it was closed, counts as one that has gone.
func TestClosedStreamsLeaveTheBooks(t *testing.T) {
	tr := newTransport(t)
	s := tr.track(zeros{}, true)
	_, _ = s.Read(make([]byte, 10))
	s.Close()
	s.Close()
	_, _ = s.Read(make([]byte, 10))
	if tr.in != 0 || len(tr.open) != 0 || len(tr.perSource) != 0 || tr.streaming != 0 {
		t.Errorf("%d streams, %d bytes are counted: %v", tr.in, tr.streaming, tr.perSource)
	}
}

// Strangers without the key hold as many streams as they can, again and again. A new member is there within seconds.
func TestStrangersKeepNobodyOut(t *testing.T) {
	c := newCluster(t, fast)
	first := c.start()
	to := first.session().transport.bound.String()
	var wg sync.WaitGroup
	defer wg.Wait()
	stop := make(chan struct{})
	defer close(stop)
	for i := range 6 * maxPerSource {
		from := &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(i%6))}
		wg.Go(func() {
			d := net.Dialer{LocalAddr: from}
			for {
				s, err := d.DialContext(t.Context(), "tcp", to)
				if err == nil {
					_ = s.SetReadDeadline(time.Now().Add(watchtest.Patience))
					closed := make(chan struct{})
					go func() {
						defer close(closed)
						_, _ = s.Read(make([]byte, 1))
					}()
					select {
					case <-stop:
						_ = s.Close()
						<-closed
					case <-closed:
						_ = s.Close()
					}
				}
				pause := time.NewTimer(10 * time.Millisecond)
				select {
				case <-stop:
					pause.Stop()
					return
				case <-pause.C:
				}
			}
		})
	}
	for deadline := time.Now().Add(watchtest.Patience); first.session().transport.incoming() < maxStreams; {
		if time.Now().After(deadline) {
			t.Fatal("the strangers do not get in")
		}
		time.Sleep(time.Millisecond)
	}
	second := c.start()
	atMost(t, "among strangers the new member was seen", c.allSee(first, second), 10*time.Second)
}
