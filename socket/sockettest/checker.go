package sockettest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// A Checker finds out what happened to a stream of messages: which are missing, which came twice and which came out
// of order. Each message carries a stamp, made by [Checker.Stamp] as it is sent and given to [Checker.See] as it is
// received; a stamp is short text without blanks, for a frame of its own or a part of one.
//
// The zero value is ready, for messages that should each reach one of the receivers, as from a PUSH; set Copies for
// others. All methods may be called by any number of goroutines.
type Checker struct {
	// Copies is how many receivers should get each message, as with a PUB: each of them once. Zero means one.
	Copies int

	mu      sync.Mutex
	sent    map[string]int // by sender, how many
	seen    map[string]map[int][]string
	last    map[[2]string]int // by sender and receiver
	out     []string
	unknown []string
}

// Stamp returns the next stamp of a sender, any name without a "#".
func (c *Checker) Stamp(sender string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sent == nil {
		c.sent = make(map[string]int)
	}
	c.sent[sender]++
	return sender + "#" + strconv.Itoa(c.sent[sender])
}

// Unsend takes back the stamp that the sender got last, for a message that was not accepted after all.
func (c *Checker) Unsend(sender string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent[sender]--
}

// See notes that a receiver, any name, got a stamp. Order is a matter between one sender and one receiver.
func (c *Checker) See(receiver, stamp string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	sender, number, _ := strings.Cut(stamp, "#")
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || c.sent[sender] == 0 {
		c.unknown = append(c.unknown, stamp)
		return
	}
	if c.seen == nil {
		c.seen = make(map[string]map[int][]string)
		c.last = make(map[[2]string]int)
	}
	if c.seen[sender] == nil {
		c.seen[sender] = make(map[int][]string)
	}
	c.seen[sender][n] = append(c.seen[sender][n], receiver)
	way := [2]string{sender, receiver}
	if n < c.last[way] {
		c.out = append(c.out, fmt.Sprintf("%s after %s#%d", stamp, sender, c.last[way]))
	}
	c.last[way] = max(n, c.last[way])
}

// A Report says what a [Checker] found so far.
type Report struct {
	// Sent is the number of stamps made, Received the number seen.
	Sent, Received int
	// Missing lists what did not come, in runs: "a#3", "a#5..9"; with several copies, also how many of them are
	// missing.
	Missing []string
	// Lost is how many messages (with several copies, copies) are missing.
	Lost int
	// Doubled lists what came more often than it should: "a#7 (2 times)".
	Doubled []string
	// OutOfOrder lists what came after a later one of the same sender: "a#4 after a#6".
	OutOfOrder []string
	// Unknown lists stamps that were never made.
	Unknown []string
}

// Report returns what was found so far.
func (c *Checker) Report() Report {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := Report{OutOfOrder: slices.Clone(c.out), Unknown: slices.Clone(c.unknown)}
	copies := max(1, c.Copies)
	for _, sender := range sortedKeys(c.sent) {
		r.Sent += c.sent[sender]
		for n := 1; n <= c.sent[sender]; {
			short := copies - len(c.seen[sender][n])
			last := n
			for short > 0 && last < c.sent[sender] && copies-len(c.seen[sender][last+1]) == short {
				last++
			}
			if short > 0 {
				r.Missing = append(r.Missing, missing(sender, n, last, short, copies))
				r.Lost += short * (last - n + 1)
			}
			n = last + 1
		}
		for _, n := range sortedKeys(c.seen[sender]) {
			got := c.seen[sender][n]
			r.Received += len(got)
			switch {
			case n > c.sent[sender]:
				r.Unknown = append(r.Unknown, fmt.Sprintf("%s#%d", sender, n))
			case len(got) > copies || copies > 1 && repeated(got):
				r.Doubled = append(r.Doubled, fmt.Sprintf("%s#%d (%d times, by %s)", sender, n, len(got), strings.Join(got, ", ")))
			}
		}
	}
	r.Received += len(c.unknown)
	return r
}

func missing(sender string, first, last, short, copies int) string {
	s := fmt.Sprintf("%s#%d", sender, first)
	if last > first {
		s += fmt.Sprintf("..%d", last)
	}
	if copies > 1 {
		s += fmt.Sprintf(" (%d of %d copies)", short, copies)
	}
	return s
}

func repeated(names []string) bool {
	sorted := slices.Sorted(slices.Values(names))
	return len(slices.Compact(sorted)) < len(names)
}

func sortedKeys[K interface{ ~int | ~string }, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Check returns nil if every message came as often as it should and in order, and otherwise an error that says exactly
// what did not.
func (c *Checker) Check() error {
	r := c.Report()
	return r.problem()
}

// CheckOnce is Check for a stream that may lose messages, as from a connection that is cut or a publisher that drops:
// what came must have come once, and in order.
func (c *Checker) CheckOnce() error {
	r := c.Report()
	r.Missing = nil
	return r.problem()
}

// CheckUnordered is CheckOnce for messages that took several ways, such as connections before and after a cut: they are
// received fairly from each, and so in any order.
func (c *Checker) CheckUnordered() error {
	r := c.Report()
	r.Missing, r.OutOfOrder = nil, nil
	return r.problem()
}

// problem makes an error of what the report lists.
func (r Report) problem() error {
	var what []string
	list := func(kind string, items []string) {
		if len(items) == 0 {
			return
		}
		const most = 20
		more := ""
		if len(items) > most {
			items, more = items[:most], fmt.Sprintf(" and %d more", len(items)-most)
		}
		what = append(what, kind+" "+strings.Join(items, ", ")+more)
	}
	list("missing", r.Missing)
	list("doubled", r.Doubled)
	list("out of order", r.OutOfOrder)
	list("unknown", r.Unknown)
	if what == nil {
		return nil
	}
	return &StreamError{Report: r, what: strings.Join(what, "; ")}
}
