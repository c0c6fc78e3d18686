package subject

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	sixteen := strings.Repeat("t.", 15) + "t"
	for _, tt := range []struct {
		s       string
		problem string // of a subject and of a pattern
	}{
		{"a", ""},
		{"orders.eu.created", ""},
		{sixteen, ""},
		{strings.Repeat("x", 255), ""},
		{"a b.ü", ""},
		{"", "a token is empty"},
		{".", "a token is empty"},
		{"a.", "a token is empty"},
		{".a", "a token is empty"},
		{"a..b", "a token is empty"},
		{sixteen + ".t", "more than 16 tokens"},
		{strings.Repeat("x", 256), "256 bytes, over 255"},
		{"a\x00", "NUL"},
		{"a\xff", "not UTF-8"},
		{"a*b", "wildcard"},
		{"a.#b", "wildcard"},
	} {
		for err, want := range map[error]error{Check(tt.s): ErrSubject, CheckPattern(tt.s): ErrPattern} {
			if tt.problem == "" && err == nil {
				continue
			}
			if !errors.Is(err, want) || tt.problem == "" || !strings.Contains(err.Error(), tt.problem) {
				t.Errorf("%q: %v; want %q", tt.s, err, tt.problem)
			}
		}
	}
	for _, tt := range []struct {
		s  string
		ok bool // as a pattern
	}{
		{"*", true},
		{">", true},
		{"#", true},
		{"a.*.b", true},
		{"*.*.>", true},
		{"a.#", true},
		{"a.#.b", false},
		{">.a", false},
		{"#.#", false},
		{"**", false},
		{"a>", false},
	} {
		if Check(tt.s) == nil {
			t.Errorf("%q is a subject", tt.s)
		}
		if err := CheckPattern(tt.s); (err == nil) != tt.ok {
			t.Errorf("pattern %q: %v", tt.s, err)
		}
	}
}

// naive is Match by what the words of WIRE.md say.
func naive(pattern, subject []string) bool {
	if len(pattern) == 0 {
		return len(subject) == 0
	}
	switch pattern[0] {
	case "#":
		return true
	case ">":
		return len(subject) > 0
	}
	return len(subject) > 0 && (pattern[0] == "*" || pattern[0] == subject[0]) && naive(pattern[1:], subject[1:])
}

func tokens(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ".")
}

func check1(t *testing.T, pattern, subject string) (matched bool) {
	t.Helper()
	got := Match(pattern, subject)
	if want := naive(tokens(pattern), tokens(subject)); got != want {
		t.Fatalf("Match(%q, %q) is %t", pattern, subject, got)
	}
	if prefix := Prefix(pattern); got && !strings.HasPrefix(subject, prefix) {
		t.Fatalf("%q matches %q, which does not begin with %q", pattern, subject, prefix)
	}
	return got
}

func TestMatchIsTheNaiveOne(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	name := func(words []string, last []string) string {
		out := make([]string, 1+r.IntN(4))
		for i := range out {
			out[i] = words[r.IntN(len(words))]
		}
		if r.IntN(3) == 0 {
			out[len(out)-1] = last[r.IntN(len(last))]
		}
		return strings.Join(out, ".")
	}
	matched := 0
	for range 1_000_000 {
		pattern := name([]string{"a", "b", "ab", "*"}, []string{">", "#"})
		subject := name([]string{"a", "b", "ab"}, []string{"", "a"})
		if CheckPattern(pattern) != nil {
			t.Fatalf("%q", pattern)
		}
		if check1(t, pattern, subject) {
			matched++
		}
	}
	if matched < 100_000 {
		t.Errorf("only %d matched", matched)
	}
}

func TestMatchAllocatesNothing(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() {
		if !Match("orders.*.created.#", "orders.eu.created.by.hand") || Prefix("orders.*") != "orders." {
			t.Fatal()
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzMatch: no panic; Match is the naive one, for subjects of any bytes, and a Tree finds the same; what a pattern
// matches begins with its prefix; a subject that can be published is a pattern that matches it alone.
func FuzzMatch(f *testing.F) {
	for _, seed := range [][2]string{
		{
			"orders.eu", "orders.eu",
		},
		{"orders.*", "orders.eu"},
		{"orders.>", "orders"},
		{"orders.#", "orders"},
		{
			"#",
			"",
		},
		{
			">", "",
		},
		{"*", ""},
		{"*.*", "."},
		{"a.*.b", "a..b"},
		{"", ""},
		{"a#", "a#"},
		{"a.#.b", "a.b"},
		{"\x00", "\xff"},
		{"a.", "a."},
		{strings.Repeat("*.", 15) + ">", strings.Repeat("a.", 16)},
		{"*.*.#", "a"},
		{strings.Repeat("x", 256), "x"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, pattern, subject string) {
		if CheckPattern(pattern) == nil {
			var tree Tree[int]
			if added, err := tree.Add(pattern, 1); !added || err != nil {
				t.Errorf("the tree does not take %q: %v", pattern, err)
			}
			if found := len(tree.Match(nil, subject)) == 1; found != check1(t, pattern, subject) {
				t.Errorf("the tree has %q for %q: %t", pattern, subject, found)
			}
			if !tree.Remove(pattern, 1) || len(tree.Match(nil, subject)) != 0 {
				t.Errorf("the tree keeps %q", pattern)
			}
			if len(tokens(pattern)) > MaxTokens || len(pattern) > MaxBytes {
				t.Errorf("%q is a pattern", pattern)
			}
		}
		_, _ = Match(pattern, subject), Prefix(pattern) // whatever it is, they do not panic
		if Check(subject) != nil {
			return
		}
		if CheckPattern(subject) != nil || !Match(subject, subject) || Match(subject, subject+".x") ||
			Prefix(subject) != subject {
			t.Errorf("the subject %q is no pattern for itself", subject)
		}
	})
}
