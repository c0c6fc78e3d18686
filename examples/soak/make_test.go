package main

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/yodel-mq/yodel/examples/internal/child"
)

func TestSameSeedSamePlan(t *testing.T) {
	for n := range 200 {
		a, b := asJSON(t, makePlan(7, n)), asJSON(t, makePlan(7, n))
		if a != b {
			t.Fatalf("plan %d differs from itself:\n%s\n%s", n, a, b)
		}
		if other := asJSON(t, makePlan(8, n)); a == other {
			t.Errorf("plan %d of another seed is the same: %s", n, other)
		}
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestPlansAreWhole: what a plan names is there, and can do what it should.
func TestPlansAreWhole(t *testing.T) {
	for n := range 3000 {
		p := makePlan(uint64(n/100), n)
		for i, m := range p.Members {
			if m.ID != i+1 || !m.Binds && len(m.To) == 0 {
				t.Errorf("plan %d: member %+v has no place", n, m)
			}
			for _, to := range m.To {
				if !p.member(to).Binds {
					t.Errorf("plan %d: member %d connects to %d, which does not bind", n, m.ID, to)
				}
			}
			if p.Transport == "inproc" && m.Process != 0 {
				t.Errorf("plan %d: member %d of an inproc plan has a process of its own", n, m.ID)
			}
		}
		for i, st := range p.Steps {
			if i > 0 && st.At < p.Steps[i-1].At || st.At > p.For {
				t.Errorf("plan %d: step %+v comes at the wrong time", n, st)
			}
			if st.Member < 1 || st.Member > len(p.Members) {
				t.Errorf("plan %d: step %+v is for nobody", n, st)
			}
		}
		for _, f := range p.Flows {
			if len(f.From) == 0 || len(f.To) == 0 || len(f.Via) != 0 && len(f.Via) != 2 {
				t.Errorf("plan %d: flow %+v goes nowhere", n, f)
			}
		}
	}
}

// TestPlansCoverEverything: a few hundred plans have every pattern over every transport, every step and every flood.
func TestPlansCoverEverything(t *testing.T) {
	seen := make(map[string]bool)
	for n := range 2000 {
		p := makePlan(1, n)
		seen[p.Pattern+" "+p.Transport] = true
		for _, m := range p.Members {
			seen[m.Role] = true
		}
		for _, st := range p.Steps {
			seen[st.Do] = true
			seen[st.How] = true
		}
	}
	want := []string{
		stepKill, stepPause, stepCut, stepStall, stepMove, stepRejoin, stepEnd, stepFlood, stepReplace, stepFlap,
		floodPing, floodTopics, floodGarbage, floodHalfOpen, floodConnect, floodClaims, floodDeaf,
		rolePush, rolePull, rolePub, roleSub, roleReq, roleRep, roleDealer, roleRouter, rolePair, roleXPub, roleXSub,
	}
	if child.CanSuspend {
		want = append(want, stepStop)
	}
	for _, name := range patterns {
		for _, transport := range []string{"tcp", "ipc", "inproc"} {
			want = append(want, name+" "+transport)
		}
	}
	for _, w := range want {
		if !seen[w] {
			t.Errorf("no plan has %q; they have %v", w, slices.Sorted(func(yield func(string) bool) {
				for s := range seen {
					if !yield(s) {
						return
					}
				}
			}))
		}
	}
}
