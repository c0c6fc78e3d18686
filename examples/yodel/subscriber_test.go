package main

import (
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// A subscription is where a publisher and a subscriber with a name keep what they have.
type subscription struct{ at, store, notes string }

func newSubscription(t *testing.T) *subscription {
	t.Helper()
	return &subscription{ipcEndpoint(t), filepath.Join(t.TempDir(), "q"), filepath.Join(t.TempDir(), "d")}
}

func (x *subscription) pub(more ...string) []string {
	return append([]string{"pub", "--bind", x.at, "--spool", x.store}, more...)
}

func (x *subscription) sub(more ...string) []string {
	return append([]string{"sub", "--connect", x.at, "--dedup", x.notes, "--subscriber", "ann"}, more...)
}

// begin has a subscriber come for the first time and get one message.
func (x *subscription) begin(t *testing.T, first string) {
	t.Helper()
	s := startInput(t, "", x.sub("--count", "1")...)
	startInput(t, first, x.pub()...).exit(0)
	s.exit(0)
	s.prints(first)
	waitForEmpty(t, x.store)
}

// TestSubscriberAway: a subscriber that is killed, and started again, prints what was published, also by a publisher
// that was killed, once and in order.
func TestSubscriberAway(t *testing.T) {
	x := newSubscription(t)
	s, killSub := process(t, nil, x.sub()...)
	in, lines := io.Pipe()
	defer lines.Close()
	p, killPub := process(t, in, x.pub("--confirm")...)
	types := func(text string) {
		t.Helper()
		if _, err := io.WriteString(lines, text); err != nil {
			t.Fatal(err)
		}
	}
	types(numbers(1, 20))
	s.prints(numbers(1, 20))
	waitForEmpty(t, x.store)
	killSub()
	types(numbers(21, 100))
	p.prints(numbers(1, 100))
	in.Close()
	killPub()
	startInput(t, numbers(101, 120), x.pub("--confirm", "--linger", "100ms")...).exit(0) // nobody is there
	out, _ := tooled(t, 0, "spool", "show", x.store)
	if want := `"subscriber/ann" waits at 21: 100 messages`; !strings.Contains(out, want) {
		t.Errorf("show lacks %q: %s", want, out)
	}

	s, killSub = process(t, nil, x.sub()...)
	p, killPub = process(t, strings.NewReader(numbers(121, 140)), x.pub("--confirm")...)
	p.prints(numbers(121, 140))
	p.says(x.store + ": 100 messages from before")
	s.prints(numbers(21, 140))
	p.exit(0)
	killPub()
	waitForEmpty(t, x.store)
	killSub()
	s = startInput(t, "", x.sub("--count", "1")...)
	startInput(t, "end\n", x.pub()...).exit(0)
	s.exit(0)
	s.prints("end\n")
}

// TestSubscriberStartOrder: a publisher that is there first waits for a subscriber, unless it keeps a subscription to
// the topic of what it publishes first.
func TestSubscriberStartOrder(t *testing.T) {
	x := newSubscription(t)
	p := startInput(t, "a\t1\n", x.pub("--confirm")...)
	p.endpoint()
	s := startInput(t, "", x.sub("--topic", "a", "--count", "1")...)
	p.exit(0)
	s.exit(0)
	s.prints("a\t1\n")
	p = startInput(t, "a\t2\nb\t3\na\t4\n", x.pub("--linger", "100ms")...) // b is for nobody
	p.exit(0)
	p.says("2 messages kept in " + x.store)
	_, stderr := tooled(t, 3, x.pub("--topic", "b", "--data", "5", "--timeout", "100ms")...)
	if !strings.Contains(stderr, `wait for 1 subscribers to "b"`) {
		t.Errorf("stderr %q", stderr)
	}
	_, stderr = tooled(t, 3, x.pub("--topic", "a", "--data", "5", "--wait", "1", "--timeout", "100ms")...)
	if !strings.Contains(stderr, `wait for 1 subscribers to "a"`) {
		t.Errorf("stderr %q", stderr)
	}
	s = startInput(t, "", x.sub("--topic", "a", "--count", "3")...)
	startInput(t, "a\t5\n", x.pub()...).exit(0)
	s.exit(0)
	s.prints("a\t2\na\t4\na\t5\n")
}

// TestSubscriberGap: what was dropped for want of room the subscriber is told, and prints the rest.
func TestSubscriberGap(t *testing.T) {
	x := newSubscription(t)
	x.begin(t, "0\n")
	var text strings.Builder
	const n = 100
	for i := range n {
		fmt.Fprintf(&text, "%d %s\n", i+1, strings.Repeat("x", 30_000))
	}
	p := startInput(t, text.String(), x.pub("--spool-max", "1048576", "--overflow", "drop-oldest", "--linger", "0")...)
	p.exit(0)
	p.says("kept in " + x.store)
	s := start(t, x.sub()...)
	last := startInput(t, "end\n", x.pub()...)
	out := s.stdout.waitFor(t, func(text string) bool { return strings.HasSuffix(text, "end\n") })
	last.exit(0)
	stderr := s.stderr.waitFor(t, func(text string) bool { return strings.Contains(text, " of a publisher missing, ") })
	s.stop()
	s.exit(0)
	missing := 0
	for _, m := range regexp.MustCompile(`(\d+) messages? of a publisher missing`).FindAllStringSubmatch(stderr, -1) {
		k, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		missing += k
	}
	if got := strings.Count(out, "\n") - 1; missing == 0 || missing+got != n {
		t.Errorf("%d are missing and %d came, of %d:\n%s", missing, got, n, stderr)
	}
	if want := strconv.Itoa(missing+1) + " xx"; !strings.HasPrefix(out, want) {
		t.Errorf("begins with %.20q, want %q", out, want)
	}
}

// TestSubscriberRejected: under --overflow reject a line that there is no room for is told, and the next may do better.
func TestSubscriberRejected(t *testing.T) {
	x := newSubscription(t)
	x.begin(t, "0\n")
	line := strings.Repeat("x", 100_000) + "\n"
	small := []string{"--spool-max", "1048576", "--linger", "0", "--overflow"}
	p := startInput(t, strings.Repeat(line, 20)+"end\n", x.pub(append(small, "reject")...)...)
	p.exit(1)
	p.says("not sent")
}

// TestSubscriberForeign: a publisher without a spool keeps nothing, and the subscriber is told; one with a spool serves
// subscribers without a name as any does.
func TestSubscriberForeign(t *testing.T) {
	x := newSubscription(t)
	s := startInput(t, "", x.sub("--count", "1")...)
	startInput(t, "1\n", "pub", "--bind", x.at).exit(0)
	s.exit(0)
	s.prints("1\n")
	s.says("peer foreign PUB")

	s = startInput(t, "", "sub", "--connect", x.at, "--count", "1")
	p := startInput(t, "2\n", x.pub("--confirm")...)
	p.exit(0)
	s.exit(0)
	s.prints("2\n")
	if strings.Contains(p.stderr.String(), "kept in") {
		t.Errorf("stderr %q", p.stderr)
	}
}
