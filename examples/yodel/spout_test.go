package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

// window is a tool in a process of its own whose standard output is a file, with its state in a directory.
func window(t *testing.T, state, outFile string, args ...string) (kill func(), ended <-chan int) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out, err := os.OpenFile(outFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Env = append(os.Environ(), asTool+"=1", stateEnv+"="+state)
	stderr := newOutput()
	cmd.Stdout, cmd.Stderr = out, stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	over, status := make(chan struct{}), make(chan int, 1)
	go func() {
		defer close(over)
		_ = cmd.Wait() // the status says how it ended
		_ = out.Close()
		status <- cmd.ProcessState.ExitCode()
	}()
	kill = func() {
		cancel()
		<-over
	}
	t.Cleanup(func() {
		kill()
		if t.Failed() {
			t.Logf("yodel %s: stderr: %.2000s", strings.Join(args, " "), stderr)
		}
	})
	return kill, status
}

// linesIn waits until a file has so many lines, and returns them all.
func linesIn(t *testing.T, file string, n int) []string {
	t.Helper()
	for deadline := time.Now().Add(3 * patience); ; {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Count(text, []byte("\n")) >= n {
			return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: waited for %d lines in vain: %.2000s", file, n, text)
		}
		time.Sleep(2 * time.Millisecond) // another process writes it
	}
}

// with is args and then more flags.
func with(flags []string, args ...string) []string { return append(args, flags...) }

var uuid = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`)

// TestSpoutTutorial is the session of Qpid's tutorial, word for word: in testdata/spout_tutorial.txt are what is typed
// in two windows and what shows there, with each message's random ID as ID.
func TestSpoutTutorial(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("testdata", "spout_tutorial.txt"))
	if err != nil {
		t.Fatal(err)
	}
	where := []string{"--group", ownGroup(), "--interface", loopback(t)}
	command := func(line string) []string {
		args := strings.Fields(strings.TrimPrefix(line, "$ yodel "))
		for i, arg := range args {
			args[i] = strings.Trim(arg, "'")
		}
		return append(args, where...)
	}
	first, second, _ := strings.Cut(strings.TrimPrefix(string(text), "First window:\n"), "\nSecond window:\n")
	typed, shows, _ := strings.Cut(first, "\n")
	drain := start(t, command(typed)...)
	drain.says("announced as news-service")
	var got strings.Builder
	for line := range strings.Lines(second) {
		if line = strings.TrimSuffix(line, "\n"); !strings.HasPrefix(line, "$ ") {
			continue
		}
		spout := start(t, command(line)...)
		spout.exit(0)
		fmt.Fprintln(&got, line)
		got.WriteString(uuid.ReplaceAllString(spout.stdout.String(), "ID"))
	}
	drain.stdout.waitFor(t, func(s string) bool { return strings.Count(s, "\n") >= strings.Count(shows, "\n") })
	drain.stop()
	drain.exit(0)
	if got := got.String(); got != second {
		t.Errorf("second window:\n%s\nwant\n%s", got, second)
	}
	if got := uuid.ReplaceAllString(drain.stdout.String(), "ID"); got != shows {
		t.Errorf("first window:\n%s\nwant\n%s", got, shows)
	}
}

// TestSpoutThousand: a thousand messages come, each once and in order, whoever starts first.
func TestSpoutThousand(t *testing.T) {
	t.Parallel()
	var want strings.Builder
	for n := range 1000 {
		fmt.Fprintf(&want, "run:%d hello\n", n)
	}
	for _, tc := range []struct{ name, drain, spout string }{
		{"queue", "orders", "orders"},
		{"topic", "orders/#", "orders/a.b"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			where := []string{"-b", ownGroup(), "--interface", loopback(t)}
			spout := start(t, with(where, "spout", "-c", "1000", "-I", "run", "--print=false", tc.spout, "hello")...)
			drain := start(t, with(where, "drain", "-c", "1000", "-f", "-p", "%(P[spout-id])s %(C)s", tc.drain)...)
			drain.exit(0)
			spout.exit(0)
			drain.prints(want.String())
		})
	}
}

// TestSpoutLeavesTheRest: what one drain has not printed is the next one's.
func TestSpoutLeavesTheRest(t *testing.T) {
	t.Parallel()
	at := ipcEndpoint(t)
	spout := start(t, "spout", "-c", "10", "-I", "run", at)
	for n := range 2 {
		drain := start(t, "drain", "-c", "5", "-f", "-p", "%(P[spout-id])s", at)
		drain.exit(0)
		var want strings.Builder
		for i := range 5 {
			fmt.Fprintf(&want, "run:%d\n", 5*n+i)
		}
		drain.prints(want.String())
	}
	spout.exit(0)
}

// TestSpoutCarries: what the flags of spout say is what drain prints.
func TestSpoutCarries(t *testing.T) {
	t.Parallel()
	at := ipcEndpoint(t)
	drain := start(t, "drain", "-f", "-c", "3", "name", "-b", at)
	for _, args := range [][]string{
		{"-S", "sale", "-R", "answers", "-P", "a=1=2", "-P", "b", "--id", "x", "two", "words"},
		{"-M", "sku=7", "-M", "none", "-I", "y", "a text"},
		{"--content", "c", "-r", "-i", "0.1", "-l", "1000", "-t", "60", "-I", "z"},
	} {
		spout := start(t, append([]string{"spout", "name", "-b", at}, args...)...)
		spout.exit(0)
	}
	drain.exit(0)
	drain.prints(`Message(subject='sale', reply_to='answers', ` +
		`properties={'a': '1=2', 'b': '', 'qpid.subject': 'sale', 'spout-id': 'x:0'}, content='two words')
Message(properties={'spout-id': 'y:0'}, content={'none': None, 'sku': '7', 'text': 'a text'})
Message(properties={'spout-id': 'z:0'}, content='c')
`)
	drain = start(t, "drain", "-f", "-c", "1", "--json", at)
	spout := start(t, "spout", "--json", "-I", "x", "-M", "k=v", at)
	spout.exit(0)
	drain.exit(0)
	for _, p := range []*tool{spout, drain} {
		p.prints(`{"properties":{"spout-id":"x:0"},"content":{"k":"v"}}` + "\n")
	}
}

// TestSpoutToOthers: spout and drain talk with the tool's other verbs.
func TestSpoutToOthers(t *testing.T) {
	t.Parallel()
	at := ipcEndpoint(t)
	drain := start(t, "drain", "-f", "-c", "1", at)
	startInput(t, "", "push", "--connect", at, "--data", "plain").exit(0)
	drain.exit(0)
	drain.prints("Message('plain')\n")
	sub := start(t, "sub", "--bind", at, "--topic", "a", "--count", "1")
	sub.endpoint()
	start(t, "spout", "-S", "a.b", at, "text").exit(0)
	sub.exit(0)
	if got := sub.stdout.String(); !strings.HasPrefix(got, "a.b\t") || !strings.HasSuffix(got, "\ttext\n") {
		t.Errorf("sub got %q", got)
	}
}

// TestSpoutEnds: how runs end that come to nothing.
func TestSpoutEnds(t *testing.T) {
	t.Parallel()
	where := []string{"-b", ownGroup(), "--interface", loopback(t)}
	for _, tc := range []struct {
		name   string
		args   []string
		status int
		says   string
	}{
		{
			"nobody", with(where, "spout", "-t", "0.1", "-c", "3", "orders"), 1,
			"3 messages not sent: nobody in group",
		},
		{
			"nobody listens",
			[]string{"spout", "-t", "0.3", nobody},
			1,
			"1 message not sent: --timeout passed: tcp://127.0.0.1:1: ",
		},
		{
			"given up",
			[]string{"spout", "-l", "2", nobody},
			1,
			"1 message not sent: --reconnect-limit reached: tcp://127.0.0.1:1: connection refused",
		},
		{
			"given up on a topic",
			[]string{"spout", "-l", "2", nobody + "; {node: {type: topic}}"},
			1,
			"1 message not sent: --reconnect-limit reached: no peer: connection refused",
		},
		{"nothing there", []string{"drain", anyPort}, 0, "listening on"},
		{"too few", []string{"drain", "-c", "2", anyPort}, 1, "got 0 messages of 2"},
		{"nothing in time", []string{"drain", "-t", "50ms", anyPort}, 3, "nothing received for 50ms"},
		{
			"this host", with(where[2:], "drain", "orders", "-t", "0.05", "-b", "localhost"), 3,
			"listening on tcp://127.0.0.1:",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			p := start(t, tc.args...)
			p.exit(tc.status)
			p.says(tc.says)
		})
	}
}

func TestSpoutUsage(t *testing.T) {
	for _, tc := range []struct{ args, says string }{
		{"spout", "yodel spout: spout needs an address, such as news-service/usa.news\n"},
		{"drain", "yodel drain: drain needs an address, such as news-service/usa.news\n"},
		{"spout A", `address "A": the name "A" must have`},
		{"drain a;{mode:peek}", "mode must be browse or consume"},
		{"drain a b", `unexpected argument "b"`},
		{"spout tcp://h", "no port"},
		{"spout udp://h:1", "no such transport"},
		{"spout -b tcp://h:1 tcp://h:2", "exclude each other"},
		{"spout -b g --group h a", "exclude each other"},
		{"spout -b G a", `--broker "G": it must have 1 to 63`},
		{"drain -b h: a", "tcp://h:"},
		{"spout -c -1 a", "--count is negative"},
		{"spout -l -1 a", "--reconnect-limit is negative"},
		{"spout -i x a", "it must be a number of seconds"},
		{"drain -t -1 a", "it must be a number of seconds"},
		{"spout -S *.news a", `the subject "*.news" of a message cannot have wildcards`},
		{"spout a/#", "cannot have wildcards"},
		{"spout -P =x a", `--property ""`},
		{"spout -P reply-to=x a", `--property "reply-to"`},
		{"spout -M =x a", "the name of an entry is empty"},
		{"spout --content x a y", "exclude each other"},
		{"spout -P " + strings.Repeat("x", 9000) + " a", "the properties: "},
		{"spout a;{mode:browse}", "mode: browse is for drain"},
		{"drain --durable a;{mode:browse}", "--durable means nothing"},
		{"drain a/b;{node:{type:queue}}", "by subject"},
		{"drain -p %(X)s a", "--print: %(X)s: there are %(M)s"},
		{"drain --json -p x a", "contradict each other"},
		{"drain -P a=b a", "unknown shorthand flag: 'P'"},
		{"spout -f a", "unknown shorthand flag: 'f'"},
		{"spout --interface nosuch0 a", `--interface "nosuch0"`},
	} {
		t.Run(tc.args, func(t *testing.T) {
			p := startInput(t, "", strings.Fields(tc.args)...)
			p.exit(2)
			if !strings.Contains(p.stderr.String(), tc.says) || p.stdout.String() != "" {
				t.Errorf("stdout %q, stderr %q, want %q in it", p.stdout, p.stderr, tc.says)
			}
		})
	}
}

// TestSpoutHelp: both have three examples, the seed's flags, and completion of each value.
func TestSpoutHelp(t *testing.T) {
	a := &app{con: &console{w: newOutput()}}
	for _, tc := range []struct {
		cmd   *cobra.Command
		flags string
	}{
		{a.spoutCommand(), "b r i l c t I S R P M v"},
		{a.drainCommand(), "b c f r i l t p v"},
	} {
		name := tc.cmd.Name()
		if n := strings.Count(examples[name], "\n") + 1; n != 3 {
			t.Errorf("%s has %d examples, want 3", name, n)
		}
		for letter := range strings.FieldsSeq(tc.flags) {
			if tc.cmd.Flags().ShorthandLookup(letter) == nil {
				t.Errorf("%s has no -%s", name, letter)
			}
		}
		p := startInput(t, "", "--help")
		p.exit(0)
		if s := p.stdout.String(); !strings.Contains(s, "\n  "+name+" ") {
			t.Errorf("the help lacks %s:\n%s", name, s)
		}
		p = startInput(t, "", name, "--help")
		p.exit(0)
		if s := p.stdout.String(); !strings.Contains(s, "Examples:\n"+examples[name]) {
			t.Errorf("the help of %s:\n%s", name, s)
		}
	}
	for args, want := range map[string]string{
		"spout --broker ": "localhost\ntcp://\nipc://\n:4\n",
		"drain --print ":  "%(M)s\n%(P)s\n%(C)s\n:4\n",
		"drain --count ":  ":4\n",
		"spout a ":        ":4\n",
	} {
		p := startInput(t, "", append([]string{"__complete"}, strings.Split(args, " ")...)...)
		p.exit(0)
		p.prints(want)
	}
}

// TestDrainBrowses: what spout --durable keeps can be looked at, and stays.
func TestDrainBrowses(t *testing.T) {
	state, at := t.TempDir(), ipcEndpoint(t)
	t.Setenv(stateEnv, state)
	p := start(t, "drain", "orders; {mode: browse}")
	p.exit(1)
	p.says("no spout --durable has kept anything for orders; {mode: browse} on this host")
	p = start(t, "spout", "--durable", "-c", "3", "-I", "x", "-b", at, "orders; {node: {type: queue}}", "hello")
	p.stdout.waitFor(t, func(s string) bool { return strings.Count(s, "\n") == 3 })
	p.stop()
	p.exit(1)
	p.says("3 messages not acknowledged, kept in " + filepath.Join(state, "yodel", "spout", "orders"))
	for range 2 {
		p = start(t, "drain", "-c", "2", "-p", "%(P[spout-id])s", "orders; {mode: browse}")
		p.exit(0)
		p.prints("x:0\nx:1\n")
	}
	drain := start(t, "drain", "--durable", "-c", "3", "-f", "-p", "%(P[spout-id])s", "-b", at, "orders")
	p = start(t, "spout", "--durable", "-c", "1", "-I", "y", "-b", at, "orders") // it sends what is left, too
	drain.exit(0)
	drain.prints("x:0\nx:1\nx:2\n")
	drain = start(t, "drain", "--durable", "-c", "1", "-f", "--json", "-b", at, "orders")
	drain.exit(0)
	p.exit(0)
	var m mailJSON
	if err := json.Unmarshal([]byte(drain.stdout.String()), &m); err != nil || m.Properties[spoutID] != "y:0" {
		t.Errorf("%v: %s", err, drain.stdout)
	}
}

// TestSpoutDurable: of a thousand messages none is lost or printed twice, though both sides are killed again and again
// and started anew by the same command.
func TestSpoutDurable(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, drain, spout string }{
		{"queue", "orders", "orders"},
		{"topic", "orders/#.b", "orders/a.b"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			const all = 1000
			dir := t.TempDir()
			state, sent, got := filepath.Join(dir, "state"), filepath.Join(dir, "sent"), filepath.Join(dir, "got")
			at := []string{"-b", "ipc://" + filepath.Join(dir, "s")}
			drainArgs := append([]string{"drain", "--durable", "-f", "-p", "%(P[spout-id])s", tc.drain}, at...)
			spoutArgs := append([]string{"spout", "--durable", "-c", fmt.Sprint(all), tc.spout, "hello"}, at...)
			killDrain, _ := window(t, state, got, drainArgs...)
			killSpout, ended := window(t, state, sent, spoutArgs...)
			// The first kill is of a spout whose messages are being printed. After that it is killed only when it
			// waits for a drain that was killed before: one that has come to its end begins anew.
			linesIn(t, sent, 50)
			killSpout()
			status := <-ended
			if status != 0 {
				killSpout, ended = window(t, state, sent, spoutArgs...)
			}
			for n := 100; n < all; n += 150 {
				linesIn(t, got, n)
				killDrain() // just when it has printed
				if status != 0 && len(linesIn(t, got, n)) < all {
					linesIn(t, sent, n)
					killSpout()
					killSpout, ended = window(t, state, sent, spoutArgs...)
				}
				killDrain, _ = window(t, state, got, drainArgs...)
			}
			if status != 0 {
				status = <-ended
			}
			if status != 0 {
				t.Errorf("the last spout: status %d", status)
			}
			lines := linesIn(t, got, all)
			killDrain()
			id, _, _ := strings.Cut(lines[0], ":")
			var want []string
			for n := range all {
				want = append(want, fmt.Sprintf("%s:%d", id, n))
			}
			if !slices.Equal(lines, want) {
				count := make(map[string]int)
				for _, l := range lines {
					count[l]++
				}
				for _, w := range want {
					if count[w] != 1 {
						t.Errorf("%s came %d times", w, count[w])
					}
				}
				t.Errorf("%d lines, want %d in order", len(lines), all)
			}
		})
	}
}
