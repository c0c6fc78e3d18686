package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/examples/internal/clitest"
)

func TestMain(m *testing.M) { clitest.Main(m, main) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestCollectorIsAway: a log is written while its collector is away half of the time, killed each time, and the shipper
// is killed and started again too; in the end the collector has all of it, once and in order.
func TestCollectorIsAway(t *testing.T) {
	dir, err := os.MkdirTemp("", "l") // short: paths of sockets are limited
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	log, copied := filepath.Join(dir, "log"), filepath.Join(dir, "copy")
	at := "ipc://" + filepath.Join(dir, "at")
	f, err := os.Create(log)
	must(t, err)
	defer f.Close()
	line := 0
	writes := func(n int) {
		for range n {
			line++
			_, err := fmt.Fprintf(f, "line %d %s\n", line, strings.Repeat("x", line%500))
			must(t, err)
		}
	}
	ship := func() *clitest.Process {
		p := clitest.Start(t, "--at", at, "ship", log, filepath.Join(dir, "spool"))
		p.Says("shipping")
		return p
	}
	collect := func() *clitest.Process {
		p := clitest.Start(t, "--at", at, "collect", copied)
		p.Says("collecting")
		return p
	}
	has := func(collector *clitest.Process, least int64) {
		t.Helper()
		for begin := time.Now(); ; time.Sleep(time.Millisecond) {
			if info, err := os.Stat(copied); err == nil && info.Size() >= least {
				return
			}
			if time.Since(begin) > 20*time.Second {
				t.Fatalf("the collector does not get %d bytes, %v: %s", least, collector.Lines(), collector.Fails())
			}
		}
	}
	size := func() int64 {
		info, err := f.Stat()
		must(t, err)
		return info.Size()
	}

	writes(500)
	shipper := ship()
	for round := range 4 {
		writes(500) // nobody collects
		if round == 2 {
			shipper.Dies()
			shipper = ship()
		}
		before := size()
		collector := collect()
		writes(500)
		if round < 3 {
			has(collector, before/2)
			collector.Dies()
			continue
		}
		_, err := f.WriteString("the end, without a newline")
		must(t, err)
		_, err = f.WriteString(", and with it\n")
		must(t, err)
		has(collector, size())
		collector.Signal(os.Interrupt)
		collector.Ends()
	}
	shipper.Signal(os.Interrupt)
	shipper.Ends()
	want, err := os.ReadFile(log)
	must(t, err)
	got, err := os.ReadFile(copied)
	must(t, err)
	if !bytes.Equal(got, want) {
		t.Errorf("the copy has %d bytes, the log %d", len(got), len(want))
	}
}

// TestAnotherFile: a collector that has less than the shipper takes for granted says so, and takes nothing.
func TestAnotherFile(t *testing.T) {
	dir, err := os.MkdirTemp("", "l")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	log, at := filepath.Join(dir, "log"), "ipc://"+filepath.Join(dir, "at")
	must(t, os.WriteFile(log, []byte("one\ntwo\n"), 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "spool.position"), []byte("4"), 0o644))
	clitest.Start(t, "--at", at, "ship", log, filepath.Join(dir, "spool"))
	collector := clitest.Start(t, "--at", at, "collect", filepath.Join(dir, "copy"))
	if said := collector.Fails(); !strings.Contains(said, "0 bytes are here") {
		t.Errorf("it says %q", said)
	}
}
