package memfs_test

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/socket/spool/internal/memfs"
)

func TestKillKeepsWhatTheProcessSawAndThatItIsNotSynced(t *testing.T) {
	m := memfs.New(memfs.Config{})
	f := synced(t, m, "a", fill('a', 2))
	write(t, f, sector, fill('b', 1))
	_, err := m.Create("c")
	must(t, err)
	next := m.Cut(memfs.Kill, 1)
	if got := letters(content(t, next, "a")); got != "ab" {
		t.Errorf("after the kill the file is %s, want ab", got)
	}
	if got := names(t, next); !slices.Equal(got, []string{"a", "c"}) {
		t.Errorf("after the kill there are %v, want a and c", got)
	}
	last := next.Cut(memfs.Synced, 1)
	if got := letters(content(t, last, "a")); got != "aa" {
		t.Errorf("after kill and power cut the file is %s, want aa: nobody had synced it", got)
	}
	if got := names(t, last); !slices.Equal(got, []string{"a"}) {
		t.Errorf("after kill and power cut there are %v, want a alone", got)
	}
	f, err = next.Open("a")
	must(t, err)
	must(t, f.Sync())
	must(t, next.SyncDir())
	last = next.Cut(memfs.Synced, 1)
	if got := letters(content(t, last, "a")) + strings.Join(names(t, last), ""); got != "abac" {
		t.Errorf("what the next process syncs is not durable: %s", got)
	}
}

func TestSyncedLosesAllElse(t *testing.T) {
	m := memfs.New(memfs.Config{})
	f := synced(t, m, "a", fill('a', 2))
	synced(t, m, "gone", fill('g', 1))
	write(t, f, sector, fill('b', 3))
	must(t, f.Allocate(1<<20))
	_, err := m.Create("new")
	must(t, err)
	must(t, m.Remove("gone"))
	must(t, m.Rename("a", "z"))
	next := m.Cut(memfs.Synced, 1)
	if got := names(t, next); !slices.Equal(got, []string{"a", "gone"}) {
		t.Errorf("there are %v, want a and gone", got)
	}
	if got := letters(content(t, next, "a")) + letters(content(t, next, "gone")); got != "aag" {
		t.Errorf("the files are %s, want aa and g", got)
	}
	if got := letters(content(t, m, "z")); got != "abbb"+strings.Repeat(".", 2048-4) {
		t.Errorf("the cut changed what was cut: %.10s", got)
	}
}

func TestSyncedKeepsWhatWasSynced(t *testing.T) {
	m := memfs.New(memfs.Config{})
	f := synced(t, m, "a", fill('a', 2))
	write(t, f, 100, []byte("in the middle"))
	must(t, f.Truncate(700))
	must(t, f.Sync())
	must(t, m.Rename("a", "b"))
	must(t, m.SyncDir())
	want := bytes.Repeat([]byte("a"), 700)
	copy(want[100:], "in the middle")
	for _, p := range memfs.Policies {
		for seed := range uint64(20) {
			next := m.Cut(p, seed)
			if got := content(t, next, "b"); !bytes.Equal(got, want) || len(names(t, next)) != 1 {
				t.Fatalf("%v, seed %d: %d bytes of %s", p, seed, len(got), letters(got))
			}
		}
	}
}

// A name is durable by the directory's sync alone, the content by the file's alone.
func TestNamesAndContentsAreSyncedApart(t *testing.T) {
	m := memfs.New(memfs.Config{})
	f, err := m.Create("a")
	must(t, err)
	write(t, f, 0, fill('a', 1))
	must(t, f.Sync())
	if got := names(t, m.Cut(memfs.Synced, 1)); len(got) != 0 {
		t.Errorf("a name that was not synced is there: %v", got)
	}
	must(t, m.SyncDir())
	write(t, f, sector, fill('b', 1))
	must(t, m.SyncDir())
	if got := letters(content(t, m.Cut(memfs.Synced, 1), "a")); got != "a" {
		t.Errorf("the file is %s, want a", got)
	}
}

func TestSectorsAreOldOrOneOfTheirVersions(t *testing.T) {
	m := memfs.New(memfs.Config{})
	f := synced(t, m, "a", fill('a', 3))
	write(t, f, 0, fill('b', 2))
	write(t, f, sector, fill('c', 2))
	seen := outcomes(m, memfs.Sectors, func(m *memfs.FS) string { return letters(content(t, m, "a")) })
	want := make(map[string]bool)
	for _, one := range "ab" {
		for _, two := range "abc" {
			for _, three := range "ac" {
				want[string([]rune{one, two, three})] = true
			}
		}
	}
	for got, n := range seen {
		if !want[got] {
			t.Errorf("%d times %s, which no power cut gives", n, got)
		}
		delete(want, got)
	}
	if len(want) != 0 {
		t.Errorf("in %d cuts never %v", images, want)
	}
}

// What is written into a part of a sector changes the whole of it or nothing.
func TestSectorsTakeTheirRestAlong(t *testing.T) {
	m := memfs.New(memfs.Config{})
	f := synced(t, m, "a", fill('a', 1))
	write(t, f, 0, []byte("bb"))
	write(t, f, 4, []byte("cc"))
	seen := outcomes(m, memfs.Sectors, func(m *memfs.FS) string { return string(content(t, m, "a")[:6]) })
	if len(seen) != 3 || seen["aaaaaa"] == 0 || seen["bbaaaa"] == 0 || seen["bbaacc"] == 0 {
		t.Errorf("seen %v, want aaaaaa, bbaaaa and bbaacc", seen)
	}
}

func TestSectorsHaveOneOfTheSizes(t *testing.T) {
	m := memfs.New(memfs.Config{})
	f := synced(t, m, "a", fill('a', 1))
	write(t, f, sector, fill('b', 1))
	must(t, f.Allocate(3*sector))
	seen := outcomes(m, memfs.Sectors, func(m *memfs.FS) string { return letters(content(t, m, "a")) })
	for _, want := range []string{"a", "ab", "a.", "ab.", "a.."} {
		if seen[want] == 0 {
			t.Errorf("never %s", want)
		}
		delete(seen, want)
	}
	if len(seen) != 0 {
		t.Errorf("what no power cut gives: %v", seen)
	}
}

func TestNamesArriveInOrder(t *testing.T) {
	m := memfs.New(memfs.Config{})
	synced(t, m, "a", nil)
	_, err := m.Create("b")
	must(t, err)
	must(t, m.Remove("a"))
	must(t, m.Rename("b", "c"))
	_, err = m.Create("a")
	must(t, err)
	for _, p := range []memfs.Policy{memfs.Sectors, memfs.Garbage} {
		seen := outcomes(m, p, func(m *memfs.FS) string { return strings.Join(names(t, m), " ") })
		for _, want := range []string{"a", "a b", "b", "c", "a c"} {
			if seen[want] == 0 {
				t.Errorf("%v: never %q", p, want)
			}
			delete(seen, want)
		}
		if len(seen) != 0 {
			t.Errorf("%v: what no journal gives: %v", p, seen)
		}
	}
}

func TestRenameIsOneStep(t *testing.T) {
	m := memfs.New(memfs.Config{})
	synced(t, m, "a", fill('a', 1))
	synced(t, m, "b", fill('b', 1))
	must(t, m.Rename("a", "b"))
	seen := outcomes(m, memfs.Sectors, func(m *memfs.FS) string {
		return letters(content(t, m, "a")) + " " + letters(content(t, m, "b"))
	})
	if len(seen) != 2 || seen["a b"] == 0 || seen[" a"] == 0 {
		t.Errorf("seen %v, want both files or the first under the other's name", seen)
	}
}

func TestGarbageIsOnlyWhereNothingWas(t *testing.T) {
	m := memfs.New(memfs.Config{})
	synced(t, m, "gone", fill('x', 12))
	must(t, m.Remove("gone"))
	f := synced(t, m, "a", fill('a', 8))
	must(t, f.Allocate(32*sector))
	write(t, f, 16*sector, fill('s', 1)) // a page that is synced with one sector written
	must(t, f.Sync())
	write(t, f, 6*sector, fill('b', 4))  // two sectors that held something, two that did not
	write(t, f, 17*sector, fill('d', 1)) // behind the one that is synced
	random, stale, zeros, whole := 0, 0, 0, 0
	for seed := range uint64(4 * images) {
		p := content(t, m.Cut(memfs.Garbage, seed), "a")
		got := letters(p)
		switch {
		case len(got) != 32:
			t.Fatalf("seed %d: the size is that of %d sectors", seed, len(got))
		case got[:6] != "aaaaaa", strings.Trim(got[6:8], "ab") != "":
			t.Fatalf("seed %d: garbage in what held something: %s", seed, got)
		case got[16] != 's', got[17] != 'd' && got[17] != '.', strings.Trim(got[18:], ".") != "":
			t.Fatalf("seed %d: garbage in a page that was synced, or in one that nobody writes: %s", seed, got)
		case strings.Trim(got[8:16], "b.x?") != "", strings.Contains(got[10:16], "b"):
			t.Fatalf("seed %d: %s", seed, got)
		}
		random += strings.Count(got[8:16], "?")
		stale += strings.Count(got[8:16], "x")
		zeros += strings.Count(got[8:10], ".")
		whole += strings.Count(got[6:10], "bbbb")
	}
	if random == 0 || stale == 0 || zeros == 0 || whole == 0 {
		t.Errorf("random %d, of a removed file %d, nothing %d, all there %d: each must come about",
			random, stale, zeros, whole)
	}
}

// What Garbage leaves of a removed file can be a block in its old place.
func TestGarbageKeepsThePlaceOfABlock(t *testing.T) {
	m := memfs.New(memfs.Config{})
	synced(t, m, "gone", slices.Concat(fill('0', 1), fill('1', 1), fill('2', 1), fill('3', 1)))
	must(t, m.Remove("gone"))
	f, err := m.Create("a")
	must(t, err)
	must(t, m.SyncDir())
	must(t, f.Allocate(4*sector))
	must(t, f.Sync())
	write(t, f, 0, fill('a', 4))
	seen := outcomes(m, memfs.Garbage, func(m *memfs.FS) string { return letters(content(t, m, "a")) })
	if seen["0123"] == 0 {
		t.Errorf("never the old file whole: %v", seen)
	}
}

// The file system of a test had this fault once: a write that was lost came back after it was overwritten.
func TestALostWriteStaysLost(t *testing.T) {
	for seed := range uint64(50) {
		m := memfs.New(memfs.Config{Seed: seed})
		f := synced(t, m, "a", fill('a', 8))
		write(t, f, 0, fill('L', 8))
		if seed%2 == 0 {
			m.Fail(memfs.Fault{On: memfs.Sync, Nth: 1})
			if f.Sync() == nil {
				t.Fatal("the sync did not fail")
			}
		} else {
			m = m.Cut(memfs.Sectors, seed)
			var err error
			f, err = m.Open("a")
			must(t, err)
		}
		write(t, f, 0, fill('b', 8))
		must(t, f.Sync())
		write(t, f, 0, fill('c', 8))
		for _, p := range memfs.Policies {
			for seed := range uint64(20) {
				again := m.Cut(p, seed).Cut(memfs.Sectors, seed)
				if got := letters(content(t, again, "a")); strings.Trim(got, "bc") != "" {
					t.Fatalf("seed %d, %v: %s", seed, p, got)
				}
			}
		}
	}
}

// After a sync that failed the cache shows what the medium may not have, and no later sync moves it.
func TestAFailedSyncMarksAllClean(t *testing.T) {
	believed, dropped, moved := 0, 0, 0
	for seed := range uint64(100) {
		m := memfs.New(memfs.Config{Seed: seed})
		f := synced(t, m, "a", fill('a', 4))
		write(t, f, 0, fill('b', 4))
		m.Fail(memfs.Fault{On: memfs.Sync, Nth: 1})
		if f.Sync() == nil {
			t.Fatal("the sync did not fail")
		}
		sees := letters(content(t, m, "a"))
		m = m.Cut(memfs.Kill, seed)
		f, err := m.Open("a")
		must(t, err)
		must(t, f.Sync())
		has := letters(content(t, m.Cut(memfs.Sectors, seed), "a"))
		switch {
		case sees == has && strings.Contains(has, "a"):
			dropped++
		case sees == "bbbb" && has != sees:
			believed++
		case sees != has:
			t.Fatalf("seed %d: reads show %s, the medium has %s", seed, sees, has)
		}
		moved += strings.Count(has, "b")
	}
	if believed == 0 || dropped == 0 || moved == 0 || moved == 400 {
		t.Errorf("%d times the cache went on to show what was lost, %d times not; %d of 400 sectors moved",
			believed, dropped, moved)
	}
}

func TestOneSeedOneImage(t *testing.T) {
	life := func(seed uint64) (string, []memfs.Op) {
		m := memfs.New(memfs.Config{Seed: seed, Trace: true, Capacity: 64 * sector})
		m.FailRate(memfs.Changes&^memfs.Create, 0.3)
		r := rand.New(rand.NewPCG(1, 1))
		f, err := m.Create("a")
		must(t, err)
		failed := 0
		for range 60 {
			var err error
			switch r.IntN(5) {
			case 0:
				err = f.Sync()
			case 1:
				err = m.SyncDir()
			case 2:
				err = f.Truncate(r.Int64N(40 * sector))
			default:
				err = f.WriteVec([][]byte{fill(byte('a'+r.IntN(26)), 1+r.IntN(20))}, r.Int64N(40*sector))
			}
			if err != nil {
				failed++
			}
		}
		if failed == 0 {
			t.Fatal("nothing failed")
		}
		var s strings.Builder
		for _, p := range memfs.Policies {
			next := m.Cut(p, seed)
			s.Write(content(t, next, "a"))
			s.WriteString(strings.Join(names(t, next), " "))
		}
		return s.String(), m.Trace()
	}
	one, trace := life(7)
	for range 3 {
		again, t2 := life(7)
		if again != one || !slices.EqualFunc(trace, t2, func(a, b memfs.Op) bool { return a.String() == b.String() }) {
			t.Fatal("the same seed and operations gave something else")
		}
	}
	if other, _ := life(8); other == one {
		t.Error("another seed gave the very same")
	}
}
