package sockettest_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/socket/sockettest"
)

func TestChecker(t *testing.T) {
	for _, c := range []struct {
		name   string
		copies int
		sent   int      // by "a"
		seen   []string // "receiver stamp"
		strict string   // what Check says, "" for nothing
		once   string   // what CheckOnce says
		any    string   // what CheckUnordered says
	}{
		{name: "nothing"},
		{name: "all in order", sent: 3, seen: []string{"x a#1", "x a#2", "x a#3"}},
		{name: "shared out", sent: 4, seen: []string{"x a#2", "y a#1", "x a#4", "y a#3"}},
		{name: "one missing", sent: 3, seen: []string{"x a#1", "x a#3"}, strict: "missing a#2"},
		{name: "runs missing", sent: 9, seen: []string{"x a#4"}, strict: "missing a#1..3, a#5..9"},
		{
			name: "doubled", sent: 1, seen: []string{"x a#1", "y a#1"},
			strict: "doubled a#1 (2 times, by x, y)", once: "doubled a#1 (2 times, by x, y)",
			any: "doubled a#1 (2 times, by x, y)",
		},
		{
			name: "out of order", sent: 2, seen: []string{"x a#2", "x a#1"}, strict: "out of order a#1 after a#2",
			once: "out of order a#1 after a#2",
		},
		{
			name: "unknown", sent: 1, seen: []string{"x a#1", "x a#2", "x b#1", "x nonsense"},
			strict: "unknown b#1, nonsense, a#2", once: "unknown b#1, nonsense, a#2", any: "unknown b#1, nonsense, a#2",
		},
		{name: "two copies", copies: 2, sent: 2, seen: []string{"x a#1", "y a#1", "x a#2", "y a#2"}},
		{
			name: "a copy missing", copies: 2, sent: 2, seen: []string{"x a#1", "y a#1", "y a#2"},
			strict: "missing a#2 (1 of 2 copies)",
		},
		{
			name: "twice the same copy", copies: 2, sent: 1, seen: []string{"x a#1", "x a#1"},
			strict: "doubled a#1 (2 times, by x, x)", once: "doubled a#1 (2 times, by x, x)",
			any: "doubled a#1 (2 times, by x, x)",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			check := sockettest.Checker{Copies: c.copies}
			for range c.sent {
				check.Stamp("a")
			}
			for _, s := range c.seen {
				receiver, stamp, _ := strings.Cut(s, " ")
				check.See(receiver, stamp)
			}
			for _, is := range []struct {
				name string
				err  error
				want string
			}{
				{"Check", check.Check(), c.strict},
				{"CheckOnce", check.CheckOnce(), c.once},
				{"CheckUnordered", check.CheckUnordered(), c.any},
			} {
				var e *sockettest.StreamError
				switch {
				case is.want == "" && is.err != nil:
					t.Errorf("%s: %v, want nothing", is.name, is.err)
				case is.want != "" && (!errors.As(is.err, &e) || !strings.HasSuffix(is.err.Error(), ": "+is.want)):
					t.Errorf("%s: %v, want %q", is.name, is.err, is.want)
				}
			}
			if r := check.Report(); r.Sent != c.sent || r.Received != len(c.seen) {
				t.Errorf("report: %d sent, %d received; want %d and %d", r.Sent, r.Received, c.sent, len(c.seen))
			}
		})
	}
}

func TestCheckerUnsend(t *testing.T) {
	var c sockettest.Checker
	c.See("x", c.Stamp("a"))
	c.Stamp("a")
	c.Unsend("a")
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	if got := c.Stamp("a"); got != "a#2" {
		t.Fatalf("the next stamp is %s, want a#2", got)
	}
}

func TestCheckerShortensLongLists(t *testing.T) {
	var c sockettest.Checker
	for i := range 100 {
		c.See("x", c.Stamp(fmt.Sprint("sender-", i)))
		c.Stamp(fmt.Sprint("sender-", i))
	}
	if err := c.Check(); err == nil || !strings.HasSuffix(err.Error(), "and 80 more") {
		t.Fatalf("%v; want 20 names and the number of the others", err)
	}
}
