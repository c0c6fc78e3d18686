package socket

import (
	"context"
	"testing"
	"time"
)

// A receiver spins in the middle of a stream, once, and not between messages that come one by one.
func TestWhoSpins(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	push, pull := NewPush(), NewPull()
	defer pull.Close()
	defer push.Close()
	_, err := pull.Bind(ctx, "inproc://"+t.Name())
	must(t, err)
	must(t, push.Connect("inproc://"+t.Name()))
	must(t, pull.WaitPeers(ctx, 1))
	must(t, push.WaitPeers(ctx, 1))
	may := func() bool {
		pull.in.mu.Lock()
		defer pull.in.mu.Unlock()
		return pull.in.maySpin() != nil
	}
	pass := func(n int) {
		for range n {
			must(t, push.Send(ctx, Text("message")))
		}
		for range n {
			_, err := pull.Recv(ctx)
			must(t, err)
		}
	}
	pass(1)
	if may() {
		t.Error("after one message")
	}
	pass(spinAfter)
	if !may() {
		t.Error("not after many")
	}
	pass(1)
	if may() {
		t.Error("again so soon")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
