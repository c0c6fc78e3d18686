//go:build lockcheck

package lockorder

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

// violation returns what f panics with, "" if it does not.
func violation(f func()) (said string) {
	defer func() {
		if v := recover(); v != nil {
			said = fmt.Sprint(v)
		}
	}()
	f()
	return ""
}

type pair struct {
	out Mutex[Outbox]
	in  Mutex[Inbox]
	rw  RWMutex[Wanted]
}

func ofOneSocket() *pair {
	p := new(pair)
	Own(p, &p.out, &p.in, &p.rw)
	return p
}

func TestPanicsAgainstTheTable(t *testing.T) {
	a, b := ofOneSocket(), ofOneSocket()
	loose := new(pair)
	for _, c := range []struct {
		name string
		take func()
		want string // both locks, in the panic; "" for no panic
	}{
		{"as the table says", func() { a.out.Lock(); a.in.Lock() }, ""},
		{"as it says of two sockets", func() { a.out.Lock(); b.in.Lock() }, ""},
		{"for reading", func() { a.in.Lock(); a.rw.RLock() }, ""},
		{"against it", func() { a.in.Lock(); a.out.Lock() }, "outbox.mu is taken while inbox.mu of the same socket is held"},
		{
			"one of another socket", func() { a.in.Lock(); b.out.Lock() },
			"outbox.mu is taken while inbox.mu of another socket is held",
		},
		{
			"two of the same rank", func() { a.out.Lock(); b.out.Lock() },
			"outbox.mu is taken while outbox.mu of another socket is held",
		},
		{
			"what may be held of one's own socket only", func() { a.in.Lock(); b.rw.Lock() },
			"subscriptions.mu is taken while inbox.mu of another socket is held",
		},
		{
			"a reader that would wait", func() { b.rw.Lock(); a.rw.RLock() },
			"subscriptions.mu is taken while subscriptions.mu of another socket is held",
		},
		{"twice", func() { a.in.Lock(); a.in.Lock() }, "inbox.mu is taken by a goroutine that holds it already"},
		{"without an owner, as it might be", func() { loose.out.Lock(); a.in.Lock() }, ""},
		{
			"without an owner, against it", func() { a.in.Lock(); loose.out.Lock() },
			"outbox.mu is taken while inbox.mu of some socket is held",
		},
		{
			"behind one that was tried", func() { a.in.TryLock(); a.out.Lock() },
			"outbox.mu is taken while inbox.mu of the same socket is held",
		},
		{"tried against it", func() { a.in.Lock(); a.out.TryLock() }, ""},
		{"after it was released", func() { a.in.Lock(); a.in.Unlock(); a.out.Lock() }, ""},
		{"after reading", func() { a.rw.RLock(); a.rw.RUnlock(); a.out.Lock() }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			*a, *b, *loose = pair{}, pair{}, pair{}
			Own(a, &a.out, &a.in, &a.rw)
			Own(b, &b.out, &b.in, &b.rw)
			done := make(chan string)
			go func() { done <- violation(c.take) }() // what it leaves locked is that goroutine's
			if said := <-done; (said == "") != (c.want == "") || !strings.Contains(said, c.want) {
				t.Errorf("panics with %q, want %q", said, c.want)
			}
		})
	}
}

// What one goroutine holds is nothing to another one.
func TestEachGoroutineByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the checks work in a bubble, and wait for nothing there
		a := ofOneSocket()
		a.in.Lock()
		var others sync.WaitGroup
		for range 10 {
			others.Go(func() {
				if said := violation(func() { a.out.Lock(); a.out.Unlock() }); said != "" {
					t.Error(said)
				}
			})
		}
		others.Wait()
		a.in.Unlock()
		for _, s := range shards {
			s.mu.Lock()
			for id, held := range s.held {
				for _, h := range held {
					if h.by.owner == a {
						t.Errorf("goroutine %d counts as holding %s after it was released", id, h.lock.Name)
					}
				}
			}
			s.mu.Unlock()
		}
	})
}

func TestUnlockByAStranger(t *testing.T) {
	a := ofOneSocket()
	if said := violation(func() { a.in.Unlock() }); said == "" {
		t.Error("a lock that nobody holds can be unlocked")
	}
}

func BenchmarkLock(b *testing.B) {
	a := ofOneSocket()
	for b.Loop() {
		a.out.Lock()
		a.in.Lock()
		a.in.Unlock()
		a.out.Unlock()
	}
}
