package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// TestDedup: a receiver that is killed and comes back prints what it has not printed, and nothing twice, whichever of
// the two ends was killed.
func TestDedup(t *testing.T) {
	t.Parallel()
	store, notes, at := filepath.Join(t.TempDir(), "q"), filepath.Join(t.TempDir(), "d"), ipcEndpoint(t)
	p := start(t, "push", "--connect", at, "--spool", store)
	r, kill := process(t, nil, "pull", "--bind", at, "--dedup", notes)
	r.endpoint()
	p.types(numbers(1, 20))
	r.prints(numbers(1, 20))
	p.types(numbers(21, 21)) // it waits for the next one when it has noted those before
	r.prints(numbers(1, 21))
	waitForEmpty(t, store)
	kill()
	p.types(numbers(22, 40))
	r, kill = process(t, nil, "pull", "--bind", at, "--dedup", notes)
	r.endpoint()
	r.prints(numbers(22, 40))
	waitForEmpty(t, store)
	p.stop()
	p.exit(0)
	kill()
	p, kill = process(t, strings.NewReader(numbers(41, 60)), "push", "--connect", at, "--spool", store, "--confirm")
	p.prints(numbers(41, 60))
	kill()
	rest := startInput(t, "", "pull", "--bind", at, "--dedup", notes, "--count", "20")
	rest.endpoint()
	startInput(t, "", "push", "--connect", at, "--spool", store).exit(0)
	rest.exit(0)
	rest.prints(numbers(41, 60))
}

// waitForEmpty waits until all that a spool holds was acknowledged.
func waitForEmpty(t *testing.T, dir string) {
	t.Helper()
	waitForMessages(t, dir, 0)
}

// waitForMessages waits until so many messages are left in a spool.
func waitForMessages(t *testing.T, dir string, n int) {
	t.Helper()
	for {
		out, _ := tooled(t, 0, "spool", "ls", dir)
		if strings.Contains(out, fmt.Sprintf("  %d messages  ", n)) {
			return
		}
		if t.Context().Err() != nil {
			t.Fatal(out)
		}
	}
}

// TestDedupInUse: the second receiver with the same notes is told who has them.
func TestDedupInUse(t *testing.T) {
	t.Parallel()
	notes := filepath.Join(t.TempDir(), "d")
	r := startInput(t, "", "pull", "--bind", ipcEndpoint(t), "--dedup", notes)
	r.endpoint()
	_, stderr := tooled(t, 1, "pull", "--bind", ipcEndpoint(t), "--dedup", notes)
	if !strings.Contains(stderr, "in use by pid") {
		t.Errorf("stderr %q", stderr)
	}
	r.stop()
	r.exit(0)
}
