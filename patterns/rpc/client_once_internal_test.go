package rpc

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
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
