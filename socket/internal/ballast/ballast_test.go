package ballast

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"sync"
	"testing"
)

// held is what the ballast takes of the heap now.
func held() int {
	n := 0
	for _, w := range []*weight{&common, &large} {
		w.mu.Lock()
		n += w.memory.Cap()
		w.mu.Unlock()
	}
	return n
}

// want checks that the ballast has a size, and that the heap in use and the collector's goal are what that makes them.
func want(t *testing.T, when string, size int) {
	t.Helper()
	if got := held(); got < size || got > size+size/8 {
		t.Errorf("%s: %d bytes, want %d", when, got, size)
	}
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if in := int(m.HeapAlloc); in < size || in > size+size/8+4<<20 {
		t.Errorf("%s: %d bytes in use, want about %d", when, in, size)
	}
	goal := []metrics.Sample{{Name: "/gc/heap/goal:bytes"}}
	metrics.Read(goal)
	if got := int(goal[0].Value.Uint64()); got < 2*size || got > 2*(size+size/8)+16<<20 {
		t.Errorf("%s: the collector starts at %d bytes, want about %d", when, got, 2*size)
	}
}

// alone skips a test if the collector of this process was set up by somebody.
func alone(t *testing.T) {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		t.Skip("GOGC or GOMEMLIMIT is set")
	}
}

// TestBallast: it comes with the first busy connection, grows with the first that brings large bodies, and is given
// back when the last of either kind has ended; and so once more.
func TestBallast(t *testing.T) {
	alone(t)
	for range 2 {
		var idle, busy, bulky, again Share
		want(t, "at first", 0)
		idle.Update(BusyAfter-1, BusyAfterLarge-1)
		want(t, "with an idle connection", 0)
		busy.Update(BusyAfter, 0)
		busy.Update(10*BusyAfter, BusyAfterLarge-1)
		want(t, "with a busy one", Size)
		bulky.Update(BusyAfterLarge, BusyAfterLarge)
		again.Update(BusyAfterLarge, BusyAfterLarge)
		want(t, "with one that brings large bodies", Size+SizeLarge)
		busy.End()
		bulky.End()
		want(t, "when one of two has ended", Size+SizeLarge)
		again.End()
		want(t, "when the last has ended", 0)
		idle.End()
		again.End() // once more, to no effect
		want(t, "at the end", 0)
	}
}

// TestBallastLarge: the part for large bodies ends with the connections that bring them.
func TestBallastLarge(t *testing.T) {
	alone(t)
	var busy, bulky Share
	busy.Update(BusyAfter, 0)
	bulky.Update(BusyAfterLarge, BusyAfterLarge)
	bulky.End()
	want(t, "with the busy one", Size)
	busy.End()
	want(t, "at the end", 0)
}

// TestBallastOfManyAtOnce: connections come and go at the same time.
func TestBallastOfManyAtOnce(t *testing.T) {
	alone(t)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			for range 100 {
				var s Share
				s.Update(BusyAfter, 0)
				s.Update(BusyAfterLarge, BusyAfterLarge)
				s.End()
			}
		})
	}
	all.Wait()
	want(t, "at the end", 0)
}

// TestNoBallastBySetting: who has set up the collector from within the program gets none, and who takes that back does.
func TestNoBallastBySetting(t *testing.T) {
	alone(t)
	for _, tt := range []struct {
		name string
		set  func() (undo func())
		size int
	}{
		{"GC percent 50", func() func() { old := debug.SetGCPercent(50); return func() { debug.SetGCPercent(old) } }, 0},
		{"GC percent 400", func() func() { old := debug.SetGCPercent(400); return func() { debug.SetGCPercent(old) } }, 0},
		{"GC off", func() func() { old := debug.SetGCPercent(-1); return func() { debug.SetGCPercent(old) } }, 0},
		{"limit of 255 MiB", limit(255 << 20), 0},
		{"limit of 256 MiB", limit(256 << 20), Size},
		{"limit of 1 GiB", limit(1 << 30), Size + SizeLarge},
	} {
		t.Run(tt.name, func(t *testing.T) {
			undo := tt.set()
			var s, later Share
			s.Update(BusyAfterLarge, BusyAfterLarge)
			got := held()
			undo()
			if got < tt.size || got > tt.size+tt.size/8 {
				t.Errorf("%d bytes, want %d", got, tt.size)
			}
			later.Update(BusyAfterLarge, BusyAfterLarge)
			want(t, "once that is undone", Size+SizeLarge)
			s.End()
			later.End()
		})
	}
	want(t, "at the end", 0)
}

func limit(bytes int64) func() func() {
	return func() func() {
		old := debug.SetMemoryLimit(bytes)
		return func() { debug.SetMemoryLimit(old) }
	}
}

// TestNoBallastByEnvironment: the same by the environment, where GOGC=100 counts as set although that is the default.
func TestNoBallastByEnvironment(t *testing.T) {
	if os.Getenv("BALLAST_CHILD") != "" {
		var s Share
		s.Update(BusyAfterLarge, BusyAfterLarge)
		fmt.Println("held", held())
		return
	}
	for _, tt := range []struct {
		env  string
		want func(n int) bool
	}{
		{"NOTHING=", func(n int) bool { return n >= Size+SizeLarge }},
		{"GOGC=", func(n int) bool { return n >= Size+SizeLarge }},
		{"GOGC=100", func(n int) bool { return n == 0 }},
		{"GOGC=50", func(n int) bool { return n == 0 }},
		{"GOGC=off", func(n int) bool { return n == 0 }},
		{"GOMEMLIMIT=100MiB", func(n int) bool { return n == 0 }},
		{"GOMEMLIMIT=512MiB", func(n int) bool { return n >= Size && n < SizeLarge }},
	} {
		t.Run(tt.env, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestNoBallastByEnvironment$", "-test.v")
			cmd.Env = append(os.Environ(), "GOGC=", "GOMEMLIMIT=", "BALLAST_CHILD=1", tt.env)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			n := -1
			for line := range strings.Lines(string(out)) {
				_, _ = fmt.Sscanf(line, "held %d", &n)
			}
			if !tt.want(n) {
				t.Errorf("%d bytes held\n%s", n, out)
			}
		})
	}
}
