package pubsub_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/yodel-mq/yodel/patterns/pubsub"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// within bounds a call that should end much sooner.
func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// closing closes what a test has made.
func closing[C interface{ Close() error }](t testing.TB, c C) C {
	t.Helper()
	t.Cleanup(func() { must(t, c.Close()) })
	return c
}

// eachTransport runs a test over tcp and inproc.
func eachTransport(t *testing.T, f func(t *testing.T, endpoint string)) {
	t.Helper()
	t.Run("tcp", func(t *testing.T) { f(t, "tcp://127.0.0.1:*") })
	t.Run("inproc", func(t *testing.T) { f(t, "inproc://"+t.Name()) })
}

// bound binds a publisher.
func bound[T any](t testing.TB, p *pubsub.Publisher[T], endpoint string) string {
	t.Helper()
	at, err := p.Bind(within(t), endpoint)
	must(t, err)
	return at
}

// subscribe connects a subscriber with some patterns, and returns once the publisher knows of them.
func subscribe[T, U any](t testing.TB, p *pubsub.Publisher[T], s *pubsub.Subscriber[U], at string, patterns ...string) {
	t.Helper()
	before := len(p.Bindings())
	for _, pattern := range patterns {
		must(t, s.Subscribe(pattern))
	}
	must(t, s.Connect(at))
	must(t, p.WaitBindings(within(t), before+len(patterns)))
}

// take receives n events, without errors.
func take[T any](t testing.TB, s *pubsub.Subscriber[T], n int) (events []pubsub.Event[T]) {
	t.Helper()
	if n == 0 {
		return nil
	}
	for e, err := range s.Events(within(t)) {
		must(t, err)
		if events = append(events, e); len(events) == n {
			break
		}
	}
	return events
}

// values are those of events, each with its subject.
func values[T any](events []pubsub.Event[T]) (list []string) {
	for _, e := range events {
		list = append(list, fmt.Sprint(e.Subject, "=", e.Value))
	}
	return list
}
