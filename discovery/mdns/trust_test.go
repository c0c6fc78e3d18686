package mdns

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/discovery"
)

// trusts makes the trust of each mode, twice: for two nodes that trust each other.
func trusts(t testing.TB) map[string][2]discovery.Trust {
	t.Helper()
	good := func(tr discovery.Trust, err error) discovery.Trust {
		if err != nil {
			t.Fatal(err)
		}
		return tr
	}
	key := bytes.Repeat([]byte{7}, 32)
	one, two := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, 32)), ed25519.NewKeyFromSeed(bytes.Repeat([]byte{2}, 32))
	return map[string][2]discovery.Trust{
		"open":      {nil, nil},
		"group key": {good(discovery.GroupKey(key)), good(discovery.GroupKey(key))},
		"signed":    {good(discovery.Signed(one)), good(discovery.Signed(two))},
	}
}

// idOf is the ID of a node that signs with the first key of trusts.
func idOf() discovery.ID {
	return discovery.KeyID(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, 32)).Public().(ed25519.PublicKey))
}

func TestTrust(t *testing.T) {
	for mode, pair := range trusts(t) {
		t.Run(mode, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newMemLAN()
				h, other, evil := l.host(), l.host(), l.host()
				r := node(h)
				r.ID = idOf()
				v := watch(t, on(other, WithTrust(pair[1])), discovery.Query{})
				early := announce(t, on(h, WithTrust(pair[0])), r)
				synctest.Wait()
				if !v.has(r.ID) {
					t.Fatalf("not found: %v", v.kinds())
				}
				late := watch(t, on(l.host(), WithTrust(pair[1])), discovery.Query{})
				synctest.Wait()
				if !late.has(r.ID) {
					t.Errorf("not found by asking: %v", late.kinds())
				}
				time.Sleep(time.Minute)
				if got := v.kinds(); slices.Contains(got, discovery.Expired) {
					t.Errorf("expired: %v", got)
				}

				// A goodbye that somebody else sends.
				forger := engineOf(t, on(evil))
				forger.multicast(func(*link) ([]byte, error) { return goodbye(r.ID.String()) })
				time.Sleep(5 * time.Second)
				if !v.has(r.ID) || slices.Contains(v.kinds(), discovery.Left) || slices.Contains(v.kinds(), discovery.Expired) {
					t.Errorf("after a forged goodbye: %v", v.kinds())
				}

				// One that does not know the key, or signs with none.
				stranger := announce(t, on(evil), node(evil))
				time.Sleep(5 * time.Second)
				if want := 1; mode != "open" && v.count() != want {
					t.Errorf("%d nodes with a stranger's, want %d", v.count(), want)
				}
				bye(t, stranger)

				bye(t, early)
				synctest.Wait()
				if v.has(r.ID) || !slices.Contains(v.kinds(), discovery.Left) || slices.Contains(v.kinds(), discovery.Expired) {
					t.Errorf("after the goodbye: %v", v.kinds())
				}

				// It may come back, with the same record and with a new one.
				time.Sleep(5 * time.Second)
				again := announce(t, on(h, WithTrust(pair[0])), r)
				time.Sleep(5 * time.Second)
				if !v.has(r.ID) {
					t.Errorf("not found again: %v", v.kinds())
				}
				bye(t, again)
				v.close()
				late.close()
				forger.release()
			})
		})
	}
}

type sender struct {
	*engine
	release func()
}

// engineOf runs a backend's engine to send what no honest one would.
func engineOf(t testing.TB, b *Backend) sender {
	t.Helper()
	return sender{b.acquire(), b.release}
}

func TestGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newMemLAN()
		h, other := l.host(), l.host()
		r := node(h)
		r.Group = "one"
		a := announce(t, on(h), r)
		b := on(other)
		one, two, none := watch(t, b, discovery.Query{Group: "one"}), watch(t, b, discovery.Query{Group: "two"}),
			watch(t, b, discovery.Query{})
		service := watch(t, b, discovery.Query{Group: "one", Service: "other"})
		time.Sleep(10 * time.Second)
		if one.count() != 1 || two.count() != 0 || none.count() != 0 || service.count() != 0 {
			t.Errorf("found %d in the group, %d in another, %d in the default one, %d of another service", one.count(),
				two.count(), none.count(), service.count())
		}
		bye(t, a)
		for _, v := range []*view{one, two, none, service} {
			v.close()
		}
	})
}

func TestUpdate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newMemLAN()
		h, other := l.host(), l.host()
		v := watch(t, on(other), discovery.Query{})
		r := node(h)
		a := announce(t, on(h), r)
		synctest.Wait()
		r.Revision++
		r.Services = append(r.Services, discovery.Service{Name: "news", Type: "PUB", Endpoints: []string{"tcp://*:6666"}})
		if err := a.Update(r); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := v.get(r.ID); len(got.Services) != 2 {
			t.Errorf("after the update: %+v", got)
		}
		bad := r.Clone()
		bad.ID = discovery.NewID()
		if err := a.Update(bad); !errors.Is(err, discovery.ErrRecord) {
			t.Errorf("an update with another id: %v", err)
		}
		bad = r.Clone()
		bad.Services[0].Name = "not a name!"
		if err := a.Update(bad); !errors.Is(err, discovery.ErrRecord) {
			t.Errorf("an update with a bad name: %v", err)
		}
		bye(t, a)
		if err := a.Update(r); !errors.Is(err, discovery.ErrClosed) {
			t.Errorf("an update after Close: %v", err)
		}
		v.close()
	})
}

// Whoever has no time says goodbye once.
func TestCloseWithEndedContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newMemLAN()
		h, other := l.host(), l.host()
		v := watch(t, on(other), discovery.Query{})
		a := announce(t, on(h), node(h))
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := a.Close(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Close: %v", err)
		}
		synctest.Wait()
		if v.count() != 0 {
			t.Errorf("events %v", v.kinds())
		}
		v.close()
	})
}
