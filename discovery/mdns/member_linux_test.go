package mdns

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"math"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/discovery/internal/lan"
)

// A remote is a member on a host of its own, see childMember.
type remote struct {
	t     *testing.T
	name  string
	cmd   *exec.Cmd
	stdin io.WriteCloser

	mu    sync.Mutex
	lines []string
	more  chan struct{} // closed and replaced with each line
	ended chan struct{}
	err   error // how it ended
	shot  bool
}

func newMember(t *testing.T, h *lan.Host, r role) *remote {
	t.Helper()
	arg, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	m := &remote{
		t: t, name: h.Name, cmd: h.Command(context.WithoutCancel(t.Context()), os.Args[0]), more: make(chan struct{}),
		ended: make(chan struct{}),
	}
	// With the race detector on a process takes a second to end, unless it is told otherwise.
	m.cmd.Env = append(os.Environ(), childEnv+"=member "+string(arg), "GORACE=atexit_sleep_ms=10")
	m.cmd.Stderr = os.Stderr
	if m.stdin, err = m.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := m.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go m.read(out)
	t.Cleanup(func() {
		late := time.AfterFunc(patience, func() { _ = m.cmd.Process.Kill() })
		defer late.Stop()
		_ = m.stdin.Close()
		<-m.ended
		if m.err != nil && !m.shot {
			t.Errorf("%s: %v, after\n%s", m.name, m.err, strings.Join(m.said(""), "\n"))
		}
	})
	return m
}

func (m *remote) read(out io.Reader) {
	defer close(m.ended)
	for s := bufio.NewScanner(out); s.Scan(); {
		m.mu.Lock()
		m.lines = append(m.lines, s.Text())
		close(m.more)
		m.more = make(chan struct{})
		m.mu.Unlock()
	}
	m.err = m.cmd.Wait()
}

// kill ends it so that it cannot say anything any more.
func (m *remote) kill() {
	m.t.Helper()
	m.shot = true
	if err := m.cmd.Process.Kill(); err != nil {
		m.t.Fatal(err)
	}
}

func (m *remote) tell(verb string) {
	m.t.Helper()
	if _, err := io.WriteString(m.stdin, verb+"\n"); err != nil {
		m.t.Fatalf("%s: %s: %v", m.name, verb, err)
	}
}

// said returns the lines that begin so.
func (m *remote) said(begin string) (lines []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.lines {
		if strings.HasPrefix(l, begin) {
			lines = append(lines, l)
		}
	}
	return lines
}

// clear forgets what it has said.
func (m *remote) clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lines = nil
}

// says waits for the first line that begins so, and returns the rest of it in words.
func (m *remote) says(begin string) []string {
	m.t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		m.mu.Lock()
		more := m.more
		m.mu.Unlock()
		if found := m.said(begin); len(found) > 0 {
			return strings.Fields(strings.TrimPrefix(found[0], begin))
		}
		select {
		case <-more:
		case <-m.ended:
			m.t.Fatalf("%s ended (%v) and did not say %q, but\n%s", m.name, m.err, begin, strings.Join(m.said(""), "\n"))
		case <-late.C:
			m.t.Fatalf("%s does not say %q, but\n%s", m.name, begin, strings.Join(m.said(""), "\n"))
		}
	}
}

// when is the time in the line that begins so.
func (m *remote) when(begin string) time.Time {
	m.t.Helper()
	return m.stamp(m.says(begin)[0])
}

func (m *remote) stamp(s string) time.Time {
	m.t.Helper()
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		m.t.Fatal(err)
	}
	return time.Unix(0, n)
}

// done has it do something, and waits until it says so.
func (m *remote) done(verb, word string) {
	m.t.Helper()
	m.clear()
	m.tell(verb)
	m.says(word)
}

// offer has one more node announced, and returns its name and when that began.
func (m *remote) offer() (id string, began time.Time) {
	m.t.Helper()
	m.clear()
	m.tell("offer")
	words := m.says("offered ")
	return words[0], m.stamp(words[1])
}

// find has it connect to all, and returns when that began.
func (m *remote) find() (began time.Time) {
	m.t.Helper()
	m.clear()
	m.tell("find")
	return m.when("finding ")
}

// lenient is a bar as it is with the race detector on.
func lenient(bar time.Duration) time.Duration {
	if raceEnabled {
		return bar + 2*time.Second
	}
	return bar
}

// soon logs how long something took, and fails the test if that is over the bar.
func soon(t testing.TB, what string, took, bar time.Duration) {
	t.Helper()
	t.Logf("%s after %v (bar: %v)", what, took.Round(10*time.Microsecond), bar)
	if took > lenient(bar) {
		t.Errorf("%s after %v, want %v", what, took, lenient(bar))
	}
}

// prompt logs the median and the 99th percentile, by nearest rank, and reports whether both are within their bars.
func prompt(t testing.TB, what string, took []time.Duration, median, p99 time.Duration) (ok bool) {
	t.Helper()
	slices.Sort(took)
	mid, last := took[len(took)/2], took[int(math.Ceil(0.99*float64(len(took))))-1]
	t.Logf("%s: median %v (bar: %v), p99 %v (bar: %v) of %d", what, mid.Round(10*time.Microsecond), median,
		last.Round(10*time.Microsecond), p99, len(took))
	return mid <= lenient(median) && last <= lenient(p99)
}
