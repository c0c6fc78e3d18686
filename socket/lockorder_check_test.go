//go:build lockcheck

package socket

import (
	"fmt"
	"strings"
	"testing"
)

// The locks of a socket are checked in this build: one that is taken against the order panics.
func TestLocksAreChecked(t *testing.T) {
	push, pull := NewPush(), NewPull()
	defer push.Close()
	defer pull.Close()
	for _, c := range []struct {
		name string
		take func()
		want string
	}{
		{"own inbox, then own outbox", func() {
			push.in.mu.Lock()
			defer push.in.mu.Unlock()
			push.out.mu.Lock()
		}, "outbox.mu is taken while inbox.mu of the same socket is held"},
		{"a peer's inbox, then own outbox", func() {
			pull.in.mu.Lock()
			defer pull.in.mu.Unlock()
			push.out.mu.Lock()
		}, "outbox.mu is taken while inbox.mu of another socket is held"},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer func() {
				if said := fmt.Sprint(recover()); !strings.Contains(said, c.want) {
					t.Errorf("panics with %q, want %q", said, c.want)
				}
			}()
			c.take()
		})
	}
}
