package sockettest

import (
	"strings"
	"testing"
)

// TestAttempt looks at failures that are not to fail the test around them.
func TestAttempt(t *testing.T) {
	cleaned := 0
	for _, c := range []struct {
		name string
		test func(t testing.TB)
		want string // in what it says, "" for a pass
	}{
		{"passes", func(t testing.TB) { t.Log("not told") }, ""},
		{"error", func(t testing.TB) { t.Errorf("wrong %d", 1) }, "wrong 1"},
		{"fatal", func(t testing.TB) { t.Fatal("at", "once"); t.Error("never") }, "at once"},
		{"panic", func(testing.TB) { panic("oh") }, "panic: oh"},
		{"in a cleanup", func(t testing.TB) { t.Cleanup(func() { t.Error("late") }) }, "late"},
		{"context ends before the cleanups", func(t testing.TB) {
			ctx := t.Context()
			t.Cleanup(func() {
				if ctx.Err() == nil {
					t.Error("still alive")
				}
			})
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := attempt(t, func(t testing.TB) {
				t.Cleanup(func() { cleaned++ })
				c.test(t)
			})
			if (got == "") != (c.want == "") || !strings.Contains(got, c.want) || strings.Contains(got, "never") {
				t.Errorf("attempt says %q, want %q", got, c.want)
			}
		})
	}
	if cleaned != 6 {
		t.Errorf("%d cleanups ran, want 6", cleaned)
	}
}

func TestLacking(t *testing.T) {
	f := Factory{
		Lacks:  map[Capability]string{ExactQueues: "the pairing"},
		Local:  Side{Name: "here", Lacks: map[Capability]string{Unbinding: "the local side"}},
		Remote: Side{Name: "there", Lacks: map[Capability]string{Killing: "the remote side"}},
	}
	for _, c := range []struct {
		name string
		b    behaviour
		want string
	}{
		{"nothing", behaviour{needs: []Capability{Identities}}, ""},
		{"pairing", behaviour{needs: []Capability{ExactQueues}}, "the pairing"},
		{"local", behaviour{needs: []Capability{Identities, Unbinding}}, "the local side"},
		{"remote", behaviour{remote: []Capability{Killing}}, "the remote side"},
		{"local may lack what only the remote needs", behaviour{remote: []Capability{Unbinding}}, ""},
		{"no Dial", behaviour{needs: []Capability{Cuts}}, "the factory has no Dial"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, _, why := f.lacking(c.b); why != c.want {
				t.Errorf("lacks %q, want %q", why, c.want)
			}
		})
	}
}

// TestNames sees to it that a name stands for one behaviour.
func TestNames(t *testing.T) {
	seen := make(map[string]bool)
	for _, name := range Behaviours() {
		if seen[name] || strings.Count(name, "/") != 1 || strings.ContainsAny(name, " _") {
			t.Errorf("%q: want group/name, once, without blanks", name)
		}
		seen[name] = true
	}
	if len(seen) < 100 {
		t.Errorf("%d behaviours, there were 100 and more", len(seen))
	}
}
