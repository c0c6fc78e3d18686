package discovery

import (
	"context"
	"crypto/rand"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/zmtp/curve"
)

var (
	_ checker  = (*socket.Push)(nil)
	_ keyTaker = (*socket.Push)(nil)
)

// A keyed is a fakeSocket that wants to be told the keys of servers.
type keyed struct {
	*fakeSocket
	needs bool
	told  []string
}

func (s *keyed) NeedsServerKey() bool { return s.needs }

func (s *keyed) ConnectServer(endpoint, key string, _ func([16]byte) error) error {
	s.mu.Lock()
	s.told = append(s.told, key)
	s.mu.Unlock()
	return s.Connect(endpoint)
}

func (s *keyed) keys() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.told)
}

// withKey has a record say a key, and be one of which the proof was found to be good.
func withKey(r Record, key string, proven bool) Record {
	r.Key, r.proven = key, proven
	return r
}

// TestKeyOfRecord: a socket that wants the server's key is told that of the record, if the record has a proof; a node
// without is refused, and it is said why. One that wants no key is told none.
func TestKeyOfRecord(t *testing.T) {
	key, other := curve.GenerateKey().Public().String(), curve.GenerateKey().Public().String()
	for _, tt := range []struct {
		name  string
		needs bool
		r     Record
		told  []string
		err   error // of the refusal
	}{
		{"proven", true, withKey(offer(1, first), key, true), []string{key}, nil},
		{"no proof", true, withKey(offer(1, first), key, false), nil, ErrUntrusted},
		{"no key", true, withKey(offer(1, first), "", true), nil, ErrNoEndpoint},
		{"neither", true, offer(1, first), nil, ErrNoEndpoint},
		{"not wanted", false, withKey(offer(1, first), key, true), nil, nil},
		{"not wanted, no proof", false, withKey(offer(1, first), key, false), nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var s *keyed
			var keys []string
			onStage(t, Policy{}, func(f *fakeSocket) Connector {
				s = &keyed{fakeSocket: f, needs: tt.needs}
				return s
			}, func(g *stage) {
				s.open(0, first)
				g.emit(Added, tt.r)
				g.after(time.Second)
				keys = s.keys()
				if up := len(s.state()) == 1; up != (tt.err == nil) {
					t.Errorf("connected to %v", s.state())
				}
				g.mu.Lock()
				defer g.mu.Unlock()
				if tt.err != nil && (len(g.errs) != 1 || !errors.Is(g.errs[0], tt.err)) {
					t.Errorf("it is told %v, want %v", g.errs, tt.err)
				}
			})
			if !slices.Equal(keys, tt.told) {
				t.Errorf("the socket is told %q, want %q", keys, tt.told)
			}
		})
	}
	t.Run("another key", func(t *testing.T) {
		var s *keyed
		onStage(t, Policy{}, func(f *fakeSocket) Connector {
			s = &keyed{fakeSocket: f, needs: true}
			return s
		}, func(g *stage) {
			r := withKey(offer(1, first), key, true)
			g.emit(Added, r)
			g.after(0)
			r.Key, r.Revision = other, 1
			g.emit(Updated, r) // while it is being dialled
			g.after(5 * time.Second)
			if keys := s.keys(); len(keys) < 2 || keys[0] != key || keys[1] != other {
				t.Errorf("it is told %q", keys)
			}
			s.open(0, first)
			g.after(10 * time.Second)
			r.Key, r.Revision = key, 2
			before := len(s.keys())
			g.emit(Updated, r) // a connection that works is kept
			g.after(10 * time.Second)
			if keys := s.keys(); len(keys) != before {
				t.Errorf("it is told %q", keys)
			}
			s.shut(first)
			g.after(20 * time.Second)
			if keys := s.keys(); keys[len(keys)-1] != key {
				t.Errorf("after the connection is lost it is told %q", keys)
			}
		})
	})
}

// TestKeyOfRecordReal: a PUSH that was given no server's key finds its server by a group key, and talks to that alone.
func TestKeyOfRecordReal(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	secret := make([]byte, 32)
	rand.Read(secret)
	trust, err := GroupKey(secret)
	must(t, err)
	for _, group := range []Trust{trust, Open()} {
		t.Run(group.Mode(), func(t *testing.T) {
			table := NewTable("t", TableConfig{Trust: group})
			defer table.Close()
			key := curve.GenerateKey()
			pull := socket.NewPull(socket.WithSecurity(curve.Server(key, curve.Anyone)))
			defer pull.Close()
			at, err := pull.Bind(ctx, "tcp://127.0.0.1:*")
			must(t, err)
			push := socket.NewPush(socket.WithSecurity(curve.Client(curve.GenerateKey(), curve.PublicKey{})))
			defer push.Close()

			r := Record{
				ID: nth(1), Incarnation: 1, Host: here, Key: key.Public().String(), Lifetime: time.Minute,
				Services: []Service{{Name: "orders", Type: "PULL", Endpoints: []string{at}}},
			}
			must(t, group.Seal(&r))
			r.From = []netip.Addr{netip.MustParseAddr("127.0.0.1")}
			must(t, table.Put(r, time.Minute))
			changes := make(chan Change, 16)
			running, stop := context.WithCancel(ctx)
			ended := make(chan error, 1)
			go func() {
				ended <- AutoConnect(running, push, table, "orders", Policy{Host: here, OnChange: func(c Change) { changes <- c }})
			}()
			defer func() {
				stop()
				must(t, <-ended)
			}()
			c := <-changes
			if group.Mode() == "open" {
				if c.Kind != PeerRefused || !errors.Is(c.Err, ErrUntrusted) {
					t.Errorf("it is told %+v", c)
				}
				return
			}
			if c.Kind != PeerConnected || c.Key != r.Key {
				t.Errorf("it is told %+v", c)
			}
			must(t, push.Send(ctx, socket.Text("by its key")))
			m, err := pull.Recv(ctx)
			must(t, err)
			if string(m.Bytes()) != "by its key" || m.From.Mechanism != "CURVE" {
				t.Errorf("received %q from %v", m.Bytes(), m.From)
			}
		})
	}
}
