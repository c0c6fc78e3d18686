package line

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/yodel-mq/yodel/socket"
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

func eachTransport(t *testing.T, test func(t *testing.T, endpoint string)) {
	for name, endpoint := range map[string]string{"tcp": "tcp://127.0.0.1:*", "inproc": "inproc://"} {
		t.Run(name, func(t *testing.T) {
			if name == "inproc" {
				endpoint += t.Name()
			}
			test(t, endpoint)
		})
	}
}

// A story is a Handler that writes down what it is told.
type story struct {
	mu    sync.Mutex
	told  []string
	conns []*Conn
	errs  []error
	more  chan struct{} // closed at each change
	echo  bool
}

func newStory() *story { return &story{more: make(chan struct{})} }

func (s *story) tell(format string, args ...any) {
	s.told = append(s.told, fmt.Sprintf(format, args...))
	close(s.more)
	s.more = make(chan struct{})
}

func (s *story) Up(c *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.Data = len(s.conns)
	s.conns = append(s.conns, c)
	s.tell("up %d", c.Data)
}

func (s *story) Message(c *Conn, m socket.Msg) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tell("%d: %s", c.Data, m.Bytes())
	if s.echo {
		if err := c.TrySend(m); err != nil {
			s.errs = append(s.errs, err)
		}
	}
}

func (s *story) Down(c *Conn, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errs = append(s.errs, err)
	s.tell("down %d", c.Data)
}

func (s *story) Failed(_ string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errs = append(s.errs, err)
	s.tell("failed")
}

// until waits until something was told, and returns all.
func (s *story) until(t testing.TB, what string) []string {
	t.Helper()
	ctx := within(t)
	for {
		s.mu.Lock()
		told, more := append([]string(nil), s.told...), s.more
		s.mu.Unlock()
		if slices.Contains(told, what) {
			return told
		}
		select {
		case <-more:
		case <-ctx.Done():
			t.Fatalf("waits for %q in vain: %q", what, told)
		}
	}
}

func (s *story) conn(i int) *Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conns[i]
}

func (s *story) failures() []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]error(nil), s.errs...)
}

func newBound(t testing.TB, p Pattern, h Handler) *Bound {
	t.Helper()
	b := NewBound(p, h)
	t.Cleanup(func() { must(t, b.Close()) })
	return b
}

func newDialer(t testing.TB, p Pattern, h Handler) *Dialer {
	t.Helper()
	d := NewDialer(p, h)
	t.Cleanup(func() { must(t, d.Close()) })
	return d
}
