package group

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/socket"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait in these tests; nothing is measured against it.
const patience = 20 * time.Second

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// over is a context that has ended.
func over(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func eachTransport(t *testing.T, test func(t *testing.T, endpoint string)) {
	t.Run("tcp", func(t *testing.T) { test(t, "tcp://127.0.0.1:*") })
	t.Run("inproc", func(t *testing.T) { test(t, "inproc://"+t.Name()) })
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// a returns a member that is closed at the end of the test.
func a(t testing.TB, name string, opts ...Option) *Member[string] {
	return typed[string](t, name, opts...)
}

func typed[T any](t testing.TB, name string, opts ...Option) *Member[T] {
	t.Helper()
	m := New[T](name, opts...)
	t.Cleanup(func() { must(t, m.Close()) })
	return m
}

func bind[T any](t testing.TB, m *Member[T], endpoint string) string {
	t.Helper()
	actual, err := m.Bind(within(t), endpoint)
	must(t, err)
	return actual
}

// meet binds one member, connects another and waits until each knows the other.
func meet[T, U any](t testing.TB, binds *Member[T], connects *Member[U], endpoint string) {
	t.Helper()
	must(t, connects.Connect(bind(t, binds, endpoint)))
	must(t, binds.WaitPeers(within(t), "", 1))
	must(t, connects.WaitPeers(within(t), "", 1))
}

// events waits for as many events as there are in want and compares them, a line each.
func events[T any](t testing.TB, m *Member[T], want ...string) {
	t.Helper()
	var got []string
	for e, err := range m.Events(within(t)) {
		got = append(got, text(e, err))
		if len(got) == len(want) || e.Kind == 0 && err != nil {
			break
		}
	}
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Fatalf("%s was told\n%s\nwant\n%s", m.Name(), g, w)
	}
}

func text[T any](e Event[T], err error) string {
	words := []string{e.Kind.String(), e.Peer.String()}
	if e.Group != "" {
		words = append(words, e.Group)
	}
	if err != nil {
		words = append(words, "error: "+err.Error())
	} else if e.Kind == Shout || e.Kind == Whisper {
		words = append(words, fmt.Sprint(e.Value))
	}
	return strings.Join(words, " ")
}

// the returns the one peer of a member with a name.
func the[T any](t testing.TB, m *Member[T], name string) *Peer {
	t.Helper()
	var found *Peer
	for _, p := range m.Peers("") {
		if p.Name == name && found == nil {
			found = p
		} else if p.Name == name {
			t.Fatalf("%s knows %q twice", m.Name(), name)
		}
	}
	if found == nil {
		t.Fatalf("%s does not know %q", m.Name(), name)
	}
	return found
}

// A raw member is a DEALER, which says what a test wants.
type raw struct {
	t testing.TB
	*socket.Dealer
}

func newRaw(t testing.TB, endpoint string, opts ...socket.DealerOption) raw {
	t.Helper()
	d := socket.NewDealer(opts...)
	t.Cleanup(func() { must(t, d.Close()) })
	must(t, d.Connect(endpoint))
	return raw{t, d}
}

func (r raw) says(h patterns.Head, body ...byte) {
	r.t.Helper()
	must(r.t, r.Send(within(r.t), framed(h.AppendTo(nil), body)))
}

func (r raw) hello(name string) {
	r.t.Helper()
	r.says(patterns.Head{Kind: patterns.KindHello, Method: name, Origin: testID(name)})
}

// hears waits for a message and compares its head, as text, and its body.
func (r raw) hears(want string) {
	r.t.Helper()
	m, err := r.Recv(within(r.t))
	must(r.t, err)
	head, body, ok := read(m)
	if got := fmt.Sprintf("%s %s %x", head.Kind, head.Method, body); !ok || strings.TrimSpace(got) != want {
		r.t.Fatalf("got %q, want %q", got, want)
	}
}
