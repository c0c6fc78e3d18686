package rpc

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/patterns"
)

// What a client remembers of keys is bounded, in number and time, and a key that was begun nowhere is not remembered.
func TestHolders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewClient()
		r := &replica{id: "service"}
		call := func(key string, begun bool) (known bool) {
			out := &outgoing{callConfig: callConfig{key: key}, info: &Info{Method: "f"}}
			c.hold(out)
			known = c.bound(out)
			out.held.begin(r)
			if !c.bound(out) {
				t.Errorf("%s: an attempt that is out binds nobody", key)
			}
			out.held.over(begun)
			c.release(out.held)
			return known
		}
		expect := func(key string, want bool) {
			t.Helper()
			if got := call(key, true); got != want {
				t.Errorf("%s is known: %v", key, got)
			}
		}
		call("refused", false)
		expect("refused", false)
		call("refused", false)
		expect("refused", true)
		for i := range maxHeld + 5 {
			expect(fmt.Sprint(i), false)
			time.Sleep(time.Millisecond)
		}
		if n := len(c.held); n > maxHeld {
			t.Errorf("%d keys", n)
		}
		expect("4", false) // one of the first five made room
		expect(fmt.Sprint(maxHeld), true)
		time.Sleep(heldFor - time.Nanosecond)
		expect("4", true)
		expect("5", false)
		if n := len(c.held); n > 3 { // and the one before
			t.Errorf("%d keys", n)
		}
		time.Sleep(heldFor)
		expect("4", false)
	})
}

// Of two calls with a key that begin at once, the one that finds the other ahead of it may have been begun by that:
// what it is refused with is true of its own attempt only.
func TestHolderOfACallThatBeganTogether(t *testing.T) {
	c := NewClient()
	call := func() *outgoing { return &outgoing{callConfig: callConfig{key: "k"}, info: &Info{Method: "f"}} }
	first, second := call(), call()
	c.hold(second)
	c.hold(first)
	first.held.begin(&replica{id: "service"})
	c.mu.Lock()
	_, _, _, err := c.choose(time.Now(), second, nil)
	c.mu.Unlock()
	if !errors.Is(err, errHeld) {
		t.Errorf("it went elsewhere: %v", err)
	}
	refused := outcome{sent: true, head: patterns.Head{Code: patterns.CodeUnavailable, NotBegun: true}}
	third := call() // which has no time left to pick again
	c.hold(third)
	third.ran = false // as if it had begun before the first
	c.bound(third)
	for _, out := range []*outgoing{second, third} {
		var ce *CallError
		if err := refused.err(out, 1); !errors.As(err, &ce) || !ce.MayHaveRun {
			t.Errorf("it ended with: %v", err)
		}
	}
}
