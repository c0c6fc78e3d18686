package dns

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/discovery"
)

func sorted(s []string) string {
	slices.Sort(s)
	return strings.Join(s, " ")
}

// A script is a resolver that answers as it is told, and notes when it was asked.
type script struct {
	mu    sync.Mutex
	hosts map[string]any // []string of addresses, or error
	srv   any            // []*net.SRV, or error
	asked []time.Time
}

func (s *script) LookupSRV(context.Context, string, string, string) (string, []*net.SRV, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, time.Now())
	if err, ok := s.srv.(error); ok {
		return "", nil, err
	}
	list, _ := s.srv.([]*net.SRV)
	return "", list, nil
}

func (s *script) LookupNetIP(_ context.Context, _, host string) (out []netip.Addr, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if host == svc {
		s.asked = append(s.asked, time.Now())
	}
	switch a := s.hosts[host].(type) {
	case error:
		return nil, a
	case []string:
		for _, text := range a {
			out = append(out, netip.MustParseAddr(text))
		}
	default:
		return nil, none
	}
	return out, nil
}

func (s *script) set(do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do()
}

var (
	none = &net.DNSError{Err: "no such host", IsNotFound: true}
	sick = &net.DNSError{Err: "server misbehaving", IsTemporary: true}
)

// follow runs do on virtual time with a backend that is watched; nodes returns what it knows.
func follow(t *testing.T, s *script, opts []Option, do func(b *Backend, nodes func() string)) {
	synctest.Test(t, func(t *testing.T) {
		b, err := New(svc, append(opts, WithResolver(s))...)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		events, err := b.Watch(ctx, discovery.Query{})
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		known := make(map[discovery.ID]discovery.Record)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for e := range events {
				mu.Lock()
				switch e.Kind {
				case discovery.Added, discovery.Updated:
					known[e.Record.ID] = e.Record
				case discovery.Expired, discovery.Left:
					delete(known, e.Record.ID)
				}
				mu.Unlock()
			}
		}()
		do(b, func() string {
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			var all []string
			for _, r := range known {
				for _, service := range r.Services {
					all = append(all, service.Endpoints...)
				}
			}
			return sorted(all)
		})
		cancel()
		<-done
	})
}

func TestNoSuchNameIsConfirmed(t *testing.T) {
	for name, gone := range map[string]any{"NXDOMAIN": none, "no records": []string{}} {
		t.Run(name, func(t *testing.T) {
			s := &script{hosts: map[string]any{svc: []string{"10.0.0.1"}}}
			follow(t, s, []Option{WithPort("a", 1)}, func(_ *Backend, nodes func() string) {
				if got := nodes(); got != "tcp://10.0.0.1:1" {
					t.Fatalf("at first %q", got)
				}
				s.set(func() { s.hosts[svc] = gone; s.asked = nil })
				for len(s.times()) == 0 {
					time.Sleep(50 * time.Millisecond)
				}
				if got := nodes(); got != "tcp://10.0.0.1:1" {
					t.Errorf("the first answer without it counts: %q", got)
				}
				time.Sleep(1500 * time.Millisecond)
				if got := nodes(); got != "" {
					t.Errorf("%v later still %q, want it confirmed and gone", 1500*time.Millisecond, got)
				}
			})
		})
	}
	t.Run("not confirmed", func(t *testing.T) {
		s := &script{hosts: map[string]any{svc: []string{"10.0.0.1"}}}
		follow(t, s, []Option{WithPort("a", 1)}, func(_ *Backend, nodes func() string) {
			for range 5 { // there and not there, in turn
				nodes()
				s.set(func() { s.hosts[svc] = none; s.asked = nil })
				for len(s.times()) == 0 {
					time.Sleep(50 * time.Millisecond)
				}
				s.set(func() { s.hosts[svc] = []string{"10.0.0.1"} })
				time.Sleep(20 * time.Second)
				if got := nodes(); got != "tcp://10.0.0.1:1" {
					t.Fatalf("got %q", got)
				}
			}
		})
	})
}

func (s *script) times() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

func TestCadence(t *testing.T) {
	s := &script{hosts: map[string]any{svc: []string{"10.0.0.1"}}}
	follow(t, s, []Option{WithPort("a", 1), WithInterval(10 * time.Second)}, func(_ *Backend, nodes func() string) {
		time.Sleep(10 * time.Minute)
		gaps := make(map[time.Duration]bool)
		asked := s.times()
		for i := range asked[1:] {
			gap := asked[i+1].Sub(asked[i])
			gaps[gap] = true
			if gap < 9*time.Second || gap > 11*time.Second {
				t.Errorf("%v between looks, want 10 s give or take 1", gap)
			}
		}
		if len(gaps) < 10 {
			t.Errorf("only %d different gaps: no jitter", len(gaps))
		}

		s.set(func() { s.hosts[svc] = error(sick); s.asked = nil })
		time.Sleep(30 * time.Minute)
		asked = s.times()
		if n := len(asked); n < 25 || n > 40 { // one a minute after 10, 20, 40 s
			t.Errorf("%d looks in half an hour of failures, want about 32", n)
		}
		if gap := asked[len(asked)-1].Sub(asked[len(asked)-2]); gap < 54*time.Second || gap > 66*time.Second {
			t.Errorf("%v between looks at the end, want a minute", gap)
		}
		if got := nodes(); got != "tcp://10.0.0.1:1" {
			t.Errorf("failures took nodes away: %q", got)
		}
		s.set(func() { s.hosts[svc] = []string{"10.0.0.2"}; s.asked = nil })
		time.Sleep(66 * time.Second)
		if got := nodes(); got != "tcp://10.0.0.2:1" {
			t.Errorf("after the failures %q", got)
		}
		time.Sleep(time.Minute)
		if n := len(s.times()); n < 6 {
			t.Errorf("%d looks in the two minutes after, want it back to one each 10 s", n)
		}
	})
}

// One of the targets cannot be resolved: the others change all the same, and what is known of it stays.
func TestOneTargetFails(t *testing.T) {
	s := &script{
		hosts: map[string]any{"a.": []string{"10.0.0.1"}, "b.": []string{"10.0.0.2"}},
		srv:   []*net.SRV{{Target: "a.", Port: 1}, {Target: "B.", Port: 1}},
	}
	follow(t, s, []Option{WithSRV("x", "")}, func(_ *Backend, nodes func() string) {
		if got := nodes(); got != "tcp://10.0.0.1:1 tcp://10.0.0.2:1" {
			t.Fatalf("at first %q", got)
		}
		s.set(func() { s.hosts["a."] = error(sick); s.hosts["b."] = []string{"10.0.0.3"} })
		time.Sleep(10 * time.Second)
		if got := nodes(); got != "tcp://10.0.0.1:1 tcp://10.0.0.3:1" {
			t.Errorf("while one fails %q", got)
		}
		s.set(func() { s.srv = []*net.SRV{{Target: "b.", Port: 1}} }) // not even listed any more
		time.Sleep(30 * time.Second)
		if got := nodes(); got != "tcp://10.0.0.3:1" {
			t.Errorf("once it is not listed %q", got)
		}
	})
}

// Of two lookups one fails: the other's changes count.
func TestOneLookupFails(t *testing.T) {
	s := &script{
		hosts: map[string]any{svc: []string{"10.0.0.1"}, "a.": []string{"10.0.0.9"}},
		srv:   []*net.SRV{{Target: "a.", Port: 9}},
	}
	follow(t, s, []Option{WithSRV("x", ""), WithPort("y", 1)}, func(_ *Backend, nodes func() string) {
		nodes()
		s.set(func() { s.srv = error(sick); s.hosts[svc] = []string{"10.0.0.2"} })
		time.Sleep(10 * time.Second)
		if got := nodes(); got != "tcp://10.0.0.2:1 tcp://10.0.0.9:9" {
			t.Errorf("got %q", got)
		}
	})
}

func TestConfirmLooksSoon(t *testing.T) {
	s := &script{hosts: map[string]any{svc: []string{"10.0.0.1"}}}
	follow(t, s, []Option{WithPort("a", 1), WithInterval(time.Hour)}, func(b *Backend, nodes func() string) {
		nodes()
		time.Sleep(time.Minute)
		s.set(func() { s.hosts[svc] = []string{"10.0.0.2"} })
		b.Confirm(discovery.ID{})
		if got := nodes(); got != "tcp://10.0.0.2:1" {
			t.Errorf("after Confirm %q", got)
		}
		s.set(func() { s.asked = nil })
		for range 1000 {
			b.Confirm(discovery.ID{})
			time.Sleep(10 * time.Millisecond)
		}
		if n := len(s.times()); n < 5 || n > 12 {
			t.Errorf("%d looks in ten seconds of failing connections, want about one a second", n)
		}
	})
}

func TestFirstLookFails(t *testing.T) {
	s := &script{hosts: map[string]any{svc: error(sick)}}
	synctest.Test(t, func(t *testing.T) {
		b, err := New(svc, WithPort("a", 1), WithResolver(s))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		events, err := b.Watch(ctx, discovery.Query{})
		if err != nil {
			t.Fatal(err)
		}
		if e := <-events; e.Kind != discovery.Trouble || !errors.Is(e.Err, sick) {
			t.Errorf("first %v, want Trouble", e)
		}
		if e := <-events; e.Kind != discovery.Synced {
			t.Errorf("then %v, want Synced: who waits for it must not wait for ever", e)
		}
		s.set(func() { s.hosts[svc] = []string{"10.0.0.1"} })
		if e := <-events; e.Kind != discovery.Added {
			t.Errorf("then %v, want Added", e)
		}
		cancel()
		for range events {
		}
	})
}
