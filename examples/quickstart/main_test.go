package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/yodel-mq/yodel/discovery"
	"github.com/yodel-mq/yodel/discovery/mdns"
	"github.com/yodel-mq/yodel/socket"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestQuickstart is the promise of the README: one command, a few seconds, exit status 0.
func TestQuickstart(t *testing.T) {
	if out, err := exec.Command("go", "build", "-o", filepath.Join(t.TempDir(), "quickstart"),
		".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out) // fills the build cache, so that the time below is that of the program
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	temp, err := os.MkdirTemp("", "qs") // shorter than t.TempDir: paths of sockets are limited
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(temp) })
	cmd := exec.CommandContext(ctx, "go", "run", ".")
	cmd.Env = append(os.Environ(), "TMPDIR="+temp)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("go run: %v\n%s", err, out)
	}
	for _, want := range []string{
		"Every message is accounted for.", "Guest ann", "Guest bob", "found the host by name", "REP", "PUB", "PULL", "SUB",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the output lacks %q:\n%s", want, out)
		}
	}
	left, err := os.ReadDir(temp)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range left {
		t.Errorf("left behind: %s", f.Name())
	}
}

func TestGuestUsage(t *testing.T) {
	if err := guest(t.Context(), []string{"ann"}); err == nil {
		t.Error("a guest without a group did not fail")
	}
}

// TestNobodyFound: whatever the reason, the last line says what to do about it.
func TestNobodyFound(t *testing.T) {
	for _, tc := range []struct {
		name    string
		trouble error
		want    string
	}{
		{"port taken", fmt.Errorf("%w on lo: address already in use", mdns.ErrPort), "stop it or have it share the port"},
		{"no interface", mdns.ErrNoInterface, "bring it up"},
		{"firewall, perhaps", nil, "Let it pass"},
		{"something else", os.ErrPermission, "permission denied"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := advise(tc.trouble)
			if err == nil || !strings.Contains(err.Error(), tc.want) || !errors.Is(err, tc.trouble) && tc.trouble != nil {
				t.Errorf("got %v, want it to say %q", err, tc.want)
			}
		})
	}
	t.Run("interrupted", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		stopped := errors.New("stopped")
		cancel(stopped)
		node := join("quickstart-" + discovery.NewID().String())
		defer leave(node)
		req := socket.NewReq()
		defer req.Close()
		if err := found(ctx, node, req); !errors.Is(err, stopped) {
			t.Errorf("got %v", err)
		}
	})
}

// TestPipeline runs the part that needs one process only.
func TestPipeline(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	rows, err := pipeline(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 2+2*workers {
		t.Fatalf("%d rows", len(rows))
	}
	for _, r := range rows {
		if r.Problem != "" {
			t.Errorf("%s: %s", r.Type, r.Problem)
		}
	}
}

// TestCheck: the exit status is worth something only if a message that is missing is noticed.
func TestCheck(t *testing.T) {
	n := func(messages uint64) socket.Count { return socket.Count{Messages: messages, Bytes: 10 * messages} }
	good := func() []report {
		asked := uint64(requestsPerGuest)
		guest := func(name string, news uint64, heard map[string]int) report {
			return report{Name: name, Replies: requestsPerGuest, Heard: heard, Rows: []row{
				{Type: "REQ", Out: "questions", In: "answers", Ledger: socket.Ledger{Delivered: n(asked), Received: n(asked)}},
				{Type: "SUB", In: "news", Ledger: socket.Ledger{Received: n(news)}},
			}}
		}
		return []report{
			{Name: "host", Rows: []row{
				{
					Type: "REP", Out: "answers", In: "questions",
					Ledger: socket.Ledger{Delivered: n(2 * asked), Received: n(2 * asked)},
				},
				{Type: "PUB", Out: "news", Ledger: socket.Ledger{
					Delivered: n(3*newsPerTopic + 2),
					Dropped:   map[socket.Reason]socket.Count{socket.NoSubscriber: n(newsPerTopic)},
				}},
				{Type: "PUSH", Out: "jobs", Ledger: socket.Ledger{Delivered: n(jobs)}},
				{Type: "PULL", In: "jobs", Ledger: socket.Ledger{Received: n(jobs)}},
				{Type: "PUSH", Out: "results", Ledger: socket.Ledger{Delivered: n(jobs)}},
				{Type: "PULL", In: "results", Ledger: socket.Ledger{Received: n(jobs)}},
			}},
			guest("ann", newsPerTopic+1, map[string]int{"weather": newsPerTopic}),
			guest("bob", 2*newsPerTopic+1, map[string]int{"weather": newsPerTopic, "sport": newsPerTopic}),
		}
	}
	if err := check(good()); err != nil {
		t.Fatalf("what is right was refused: %v", err)
	}
	for _, tc := range []struct {
		name   string
		change func(all []report)
		want   string
	}{
		{"lost on the way", func(all []report) { all[1].Rows[1].Ledger.Received = n(newsPerTopic) }, "news"},
		{"bytes changed", func(all []report) { all[2].Rows[0].Ledger.Received.Bytes++ }, "answers"},
		{"queued", func(all []report) { all[0].Rows[2].Ledger.Queued = n(1) }, "queued 1"},
		{"unread", func(all []report) { all[0].Rows[3].Ledger.Unread = n(1) }, "unread 1"},
		{"dropped", func(all []report) { all[0].Rows[1].Ledger.Dropped[socket.QueueFull] = n(1) }, "dropped"},
		{"unbalanced", func(all []report) { all[0].Rows[0].Problem = "ledger: off by one" }, "off by one"},
		{"reply missing", func(all []report) { all[1].Replies-- }, "replies"},
		{"wrong topic", func(all []report) { all[1].Heard["chess"] = 1 }, "heard of"},
		{"news missing", func(all []report) { all[2].Heard["sport"]-- }, "sport"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			all := good()
			tc.change(all)
			err := check(all)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want it to name %q", err, tc.want)
			}
		})
	}
}
