package sockettest

import (
	"strings"
	"testing"
)

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
