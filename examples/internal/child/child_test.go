package child_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/yodel-mq/yodel/examples/internal/child"
)

const variable = "CHILD_TEST"

func TestMain(m *testing.M) {
	if what := os.Getenv(variable); what != "" {
		os.Exit(be(what))
	}
	goleak.VerifyTestMain(m)
}

// be is what a child does, in the order of the words: it says them, but for those that mean something.
func be(what string) (status int) {
	in := bufio.NewReader(os.Stdin)
	for word := range strings.FieldsSeq(what) {
		switch word {
		case "complain":
			fmt.Fprintln(os.Stderr, strings.Repeat("!", 20<<10))
		case "echo":
			line, _ := in.ReadString('\n')
			fmt.Print(line)
		case "wait": // for the end of its input
			for line := ""; ; {
				if _, err := fmt.Fscan(in, &line); err != nil {
					break
				}
			}
		case "stay":
			time.Sleep(time.Hour)
		case "fail":
			return 3
		case "half":
			fmt.Print(word)
		default:
			fmt.Println(word)
		}
	}
	return 0
}

func start(t *testing.T, what string, take func(line string) bool) *child.Process {
	t.Helper()
	p, err := child.Start(t.Context(), nil, []string{variable + "=" + what}, func(line []byte) bool {
		return take(string(line))
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// patience is how long a child may take to end.
const patience = time.Minute

// TestLines: what a child says is taken line by line, but for half a line at its end; it hears what it is told.
func TestLines(t *testing.T) {
	for name, c := range map[string]struct {
		does, takes string
		most        int // lines that are taken
	}{
		"all":                {"a echo b wait c", "a told b c", 9},
		"until it is enough": {"a echo b wait c", "a told", 2},
		"not half a line":    {"a wait half", "a", 9},
	} {
		t.Run(name, func(t *testing.T) {
			var took []string
			p := start(t, c.does, func(line string) bool {
				took = append(took, line)
				return len(took) < c.most
			})
			if err := p.Tell([]byte("told")); err != nil && strings.Contains(c.does, "echo") {
				t.Error(err)
			}
			if err := p.Finish(patience); err != nil {
				t.Error(err)
			}
			if got := strings.Join(took, " "); got != c.takes || p.Err() != nil || p.Complaint() != "" {
				t.Errorf("took %q, want %q; it ended by %v and said %q", got, c.takes, p.Err(), p.Complaint())
			}
		})
	}
}

// TestEnds: how a child has ended is told, unless it was killed, and so is what it has complained of, up to 16 KiB.
func TestEnds(t *testing.T) {
	for name, c := range map[string]struct {
		does          string
		kill, fails   bool
		stuck         bool
		complainsMore int
	}{
		"well":       {does: "wait"},
		"by itself":  {does: "fail", fails: true},
		"killed":     {does: "said stay", kill: true},
		"not at all": {does: "said stay", stuck: true},
		"complains":  {does: "complain", complainsMore: 16 << 10},
	} {
		t.Run(name, func(t *testing.T) {
			said := make(chan struct{}, 1)
			p := start(t, c.does, func(string) bool { said <- struct{}{}; return true })
			within := patience
			if c.kill || c.stuck {
				<-said
				within = time.Millisecond
			}
			if c.kill {
				p.Kill()
			}
			if err := p.Finish(within); errors.Is(err, child.ErrStuck) != c.stuck {
				t.Errorf("Finish returns %v", err)
			}
			<-p.Done()
			if (p.Err() != nil) != c.fails || len(p.Complaint()) != c.complainsMore {
				t.Errorf("it ended by %v, and said %d bytes", p.Err(), len(p.Complaint()))
			}
		})
	}
}

// TestContextEnds: a child does not outlive its context.
func TestContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	p, err := child.Start(ctx, nil, []string{variable + "=stay"}, func([]byte) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if p.Err() == nil {
		t.Error("it ended well")
	}
}

// TestSuspend: a child that is stopped says nothing until it goes on.
func TestSuspend(t *testing.T) {
	if !child.CanSuspend {
		return
	}
	said := make(chan string, 1)
	p := start(t, "ready echo wait", func(line string) bool { said <- line; return true })
	<-said
	p.Suspend()
	if err := p.Tell([]byte("told")); err != nil {
		t.Fatal(err)
	}
	select {
	case line := <-said:
		t.Errorf("it says %q while it is stopped", line)
	case <-time.After(50 * time.Millisecond): // a wait that is too short finds no fault
	}
	p.Resume()
	if line := <-said; line != "told" {
		t.Errorf("it says %q", line)
	}
	if err := p.Finish(patience); err != nil || p.Err() != nil {
		t.Errorf("%v, %v", err, p.Err())
	}
}
