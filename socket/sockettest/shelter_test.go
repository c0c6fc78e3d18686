package sockettest_test

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket/sockettest"
)

// A killable is a socket in a process of its own.
type killable struct {
	*processSocket
	killed bool
}

func newKillable(t testing.TB, side, role string, o sockettest.Options) sockettest.Socket {
	t.Helper()
	p, err := startProcess(side, processSlack)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.stop)
	return &killable{processSocket: p.socket(t, role, o)}
}

func (k *killable) Kill() {
	k.killed = true
	k.p.kill()
}

func (k *killable) Close() error {
	if k.killed {
		return nil
	}
	return k.processSocket.Close()
}

// processSlack is for machines that are very slow.
const processSlack = 10 * time.Second

// A shelter keeps the sockets of an implementation that crashes and hangs in a process, and takes another one when a
// test has failed with them.
type shelter struct {
	side  string
	slack time.Duration // the default is processSlack

	mu sync.Mutex
	p  *process
}

// newSocket is a Maker.
func (h *shelter) newSocket(t testing.TB, role string, o sockettest.Options) sockettest.Socket {
	t.Helper()
	if o.Killable {
		return newKillable(t, h.side, role, o)
	}
	h.mu.Lock()
	var err error
	if h.p == nil || h.p.over() {
		h.p, err = startProcess(h.side, cmp.Or(h.slack, processSlack))
	}
	p := h.p
	h.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			h.leave(p)
		}
	})
	return p.socket(t, role, o)
}

// leave ends a process, if it has not been left already.
func (h *shelter) leave(p *process) {
	h.mu.Lock()
	if p != h.p {
		p = nil
	} else {
		h.p = nil
	}
	h.mu.Unlock()
	if p != nil {
		p.kill()
	}
}

func (h *shelter) close() {
	h.mu.Lock()
	p := h.p
	h.mu.Unlock()
	h.leave(p)
}

// wretched is a side with everything that may be wrong with one.
var wretched = sockettest.Side{
	Name: "wretched",
	New:  func(testing.TB, string, sockettest.Options) sockettest.Socket { return wretch{} },
}

type wretch struct{ sockettest.Socket }

func (wretch) Bind(context.Context, string) (string, error) { select {} }
func (wretch) Subscribe(topic string) error                 { return errors.New("not " + topic) }
func (wretch) Close() error                                 { return nil }

func (wretch) Connect(string) error {
	go panic("on a goroutine of its own")
	select {}
}

func (wretch) Recv(ctx context.Context) ([][]byte, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestShelter sees to it that a side that crashes and hangs fails one test, and the next finds another process.
func TestShelter(t *testing.T) {
	h := &shelter{side: "wretched", slack: 10 * time.Second}
	t.Cleanup(h.close)
	ctx, cancel := context.WithCancel(t.Context())
	s := h.newSocket(t, "PULL", sockettest.Options{})
	if err := s.Subscribe("at all"); err == nil || err.Error() != "not at all" {
		t.Errorf("an error comes across as %v", err)
	}
	received := make(chan error, 1)
	go func() {
		_, err := s.Recv(ctx)
		received <- err
	}()
	cancel()
	if err := <-received; !errors.Is(err, context.Canceled) {
		t.Errorf("a call that is given up returns %v", err)
	}
	first := h.p
	first.slack = 10 * time.Millisecond
	if _, err := s.Bind(ctx, ""); err == nil || !strings.Contains(err.Error(), "hangs") {
		t.Errorf("a call that hangs returns %v", err)
	}
	first.slack = 10 * time.Second
	if err := s.Connect(""); err == nil || !strings.Contains(err.Error(), "on a goroutine of its own") {
		t.Errorf("a call in which the process crashes returns %v", err)
	}
	<-first.ended
	if err := s.Close(); err == nil {
		t.Error("a call after the process has crashed returns nil")
	}
	s = h.newSocket(t, "PULL", sockettest.Options{})
	if h.p == first {
		t.Fatal("the next test has the process that has crashed")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestShelterAfterFailure sees to it that what has failed leaves nothing to the next attempt.
func TestShelterAfterFailure(t *testing.T) {
	h := &shelter{side: "wretched"}
	t.Cleanup(h.close)
	for _, failed := range []bool{false, true} {
		tb := &cleaning{TB: t, failed: failed}
		h.newSocket(tb, "PULL", sockettest.Options{})
		p := h.p
		for _, f := range tb.cleanups {
			f()
		}
		if (h.p == p) == failed || p.over() != failed {
			t.Errorf("after a test that failed (%v) its process is over: %v", failed, p.over())
		}
	}
}

// A cleaning is a test whose cleanups are for the caller to run.
type cleaning struct {
	testing.TB
	failed   bool
	cleanups []func()
}

func (c *cleaning) Cleanup(f func()) { c.cleanups = append(c.cleanups, f) }
func (c *cleaning) Failed() bool     { return c.failed }
