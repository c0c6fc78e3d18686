package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSubmitIsKilled: what was accepted is on disk, and is done by the next run.
func TestSubmitIsKilled(t *testing.T) {
	t.Parallel()
	dir, at, log := filepath.Join(t.TempDir(), "q"), ipcEndpoint(t), filepath.Join(t.TempDir(), "log")
	in, lines := io.Pipe()
	p, kill := process(t, in, "submit", "--connect", at, "--spool", dir, "--confirm")
	if _, err := io.WriteString(lines, numbers(1, 20)); err != nil {
		t.Fatal(err)
	}
	p.prints(numbers(1, 20))
	in.Close()
	kill()
	if out, _ := tooled(t, 0, "spool", "ls", dir); !strings.Contains(out, "20 messages") {
		t.Errorf("ls: %q", out)
	}
	work := startInput(t, "", "work", "--bind", at, "--exec", "tee -a "+log, "--count", "25", "--parallel", "1")
	submit := startInput(t, numbers(21, 25), "submit", "--connect", at, "--spool", dir)
	submit.says(dir + ": 20 jobs from before")
	submit.exit(0)
	submit.says("submit: 25 of 25 jobs done, in")
	work.exit(0)
	if got, err := os.ReadFile(log); err != nil || string(got) != numbers(1, 25) {
		t.Errorf("the commands got %q, %v", got, err)
	}
}

// TestSubmitIsKilledAtWork: a worker that has a job goes on with it, and says so to the next run.
func TestSubmitIsKilledAtWork(t *testing.T) {
	t.Parallel()
	dir, at := filepath.Join(t.TempDir(), "q"), ipcEndpoint(t)
	log, goOn := filepath.Join(t.TempDir(), "log"), filepath.Join(t.TempDir(), "go")
	work := startInput(t, "", "work", "--bind", at, "--exec",
		"echo >&2 begun; while ! [ -e "+goOn+" ]; do sleep 0.1; done; tee -a "+log)
	_, kill := process(t, nil, "submit", "--connect", at, "--spool", dir, "--data", "7")
	work.says("begun")
	kill()
	if err := os.WriteFile(goOn, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	submit := startInput(t, "", "submit", "--connect", at, "--spool", dir)
	submit.exit(0)
	submit.says("submit: 1 of 1 job done, in")
	work.stop()
	work.exit(0)
	if got, err := os.ReadFile(log); err != nil || string(got) != "7\n" {
		t.Errorf("the commands got %q, %v", got, err)
	}
}

// TestSubmitKeeps: what is not settled at the end is kept, and what comes to nothing is a dead letter.
func TestSubmitKeeps(t *testing.T) {
	t.Parallel()
	dir, at := filepath.Join(t.TempDir(), "q"), ipcEndpoint(t)
	_, stderr := tooled(t, 1, "submit", "--bind", at, "--spool", dir, "--data", "7", "--linger", "50ms")
	if want := "1 job not settled, and kept in " + dir + ": --linger passed"; !strings.Contains(stderr, want) {
		t.Errorf("stderr %q, want %q", stderr, want)
	}
	_, stderr = tooled(t, 3, "submit", "--bind", at, "--spool", dir, "--timeout", "100ms")
	if want := "nothing was done for 100ms: 1 job not settled, and kept in "; !strings.Contains(stderr, want) {
		t.Errorf("stderr %q, want %q", stderr, want)
	}
	work := startInput(t, "", "work", "--bind", at, "--exec", "echo >&2 bad; exit 65", "--count", "1")
	_, stderr = tooled(t, 1, "submit", "--connect", at, "--spool", dir)
	if want := "1 job came to nothing: see yodel spool dead " + dir; !strings.Contains(stderr, want) {
		t.Errorf("stderr %q, want %q", stderr, want)
	}
	work.exit(0)
	if out, _ := tooled(t, 0, "spool", "dead", dir); strings.Count(out, ": bad\"") != 1 {
		t.Errorf("dead letters: %s", out)
	}
	other := filepath.Join(t.TempDir(), "other")
	tooled(t, 1, "push", "--connect", at, "--spool", other, "--data", "9", "--linger", "0")
	if _, stderr = tooled(t, 1, "submit", "--bind", at, "--spool", other); !strings.Contains(stderr, "it has a cursor") {
		t.Errorf("a spool of push: %q", stderr)
	}
}

// events are the lines that subscribe prints.
func events(subject string, from, to int) string {
	var b strings.Builder
	for n := from; n <= to; n++ {
		fmt.Fprintln(&b, subject, n)
	}
	return b.String()
}

// TestSubscribeIsAway: a subscriber that is killed, and started again, prints what was published, also by a publisher
// that was killed, once and in order.
func TestSubscribeIsAway(t *testing.T) {
	t.Parallel()
	dir, at := filepath.Join(t.TempDir(), "q"), ipcEndpoint(t)
	sub := []string{"subscribe", "a.>", "--connect", at, "--subscriber", "ann"}
	pub := []string{"publish", "a.b", "--bind", at, "--spool", dir}
	s, killSub := process(t, nil, sub...)
	in, lines := io.Pipe()
	p, killPub := process(t, in, pub...)
	p.endpoint()
	types := func(text string) {
		t.Helper()
		if _, err := io.WriteString(lines, text); err != nil {
			t.Fatal(err)
		}
	}
	types(numbers(1, 20))
	s.prints(events("a.b", 1, 20))
	waitForEmpty(t, dir)
	killSub()
	types(numbers(21, 100))
	waitForMessages(t, dir, 80)
	in.Close()
	killPub()
	p = startInput(t, numbers(101, 120), append(pub, "--linger", "100ms")...) // nobody is there
	p.exit(0)
	p.says("100 events kept in " + dir)

	s, killSub = process(t, nil, sub...)
	p = startInput(t, numbers(121, 140), pub...)
	s.prints(events("a.b", 21, 140))
	p.exit(0)
	killSub()
	if out, _ := tooled(t, 0, "spool", "unsubscribe", dir, "ann"); out != "\"ann\" 0 messages\n" {
		t.Errorf("unsubscribe: %q", out)
	}
}

// TestSubscribeToNoSpool: a subscriber with a name is told of a publisher that keeps nothing.
func TestSubscribeToNoSpool(t *testing.T) {
	t.Parallel()
	pub := start(t, "publish", "a", "--bind", anyPort)
	sub := startInput(t, "", "subscribe", "a", "--connect", pub.endpoint(), "--subscriber", "ann")
	sub.says("refuses")
	sub.stop()
	sub.exit(0)
	pub.stop()
	pub.exit(0)
}
