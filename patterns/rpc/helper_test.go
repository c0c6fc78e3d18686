package rpc_test

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/yodel-mq/yodel/patterns/rpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait in these tests; nothing is measured against it.
const patience = 30 * time.Second

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// is fails unless got is want.
func is[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

type adds struct{ A, B int }

type sum struct{ Sum int }

const add rpc.Method[adds, sum] = "add"

// newService returns a service that adds, and is closed at the end.
func newService(t testing.TB, opts ...rpc.ServiceOption) *rpc.Service {
	t.Helper()
	s := rpc.NewService(opts...)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	add.Handle(s, func(_ context.Context, in adds) (sum, error) { return sum{in.A + in.B}, nil })
	return s
}

func newClient(t testing.TB, opts ...rpc.ClientOption) *rpc.Client {
	t.Helper()
	c := rpc.NewClient(opts...)
	t.Cleanup(func() { must(t, c.Close()) })
	return c
}

func bind(t testing.TB, s *rpc.Service, endpoint string) string {
	t.Helper()
	at, err := s.Bind(within(t), endpoint)
	must(t, err)
	return at
}

// linked is a client that is connected to services.
func linked(t testing.TB, endpoint string, services ...*rpc.Service) *rpc.Client {
	t.Helper()
	c := newClient(t)
	for _, s := range services {
		must(t, c.Connect(bind(t, s, endpoint)))
	}
	must(t, c.WaitReplicas(within(t), len(services)))
	return c
}

const loopback = "tcp://127.0.0.1:*"

func eachTransport(t *testing.T, test func(t *testing.T, endpoint string)) {
	for name, endpoint := range map[string]string{"tcp": loopback, "inproc": "inproc://"} {
		t.Run(name, func(t *testing.T) {
			if name == "inproc" {
				endpoint += t.Name()
			}
			test(t, endpoint)
		})
	}
}
