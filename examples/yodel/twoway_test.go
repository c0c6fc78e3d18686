package main

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// TestTwoWay: both sides read lines and print what arrives, until each has its count.
func TestTwoWay(t *testing.T) {
	for _, tc := range []struct {
		name         string
		here, there  []string
		say, hear    string // what the bound side sends and prints
		tell, listen string // what the connected side sends and prints
	}{
		{
			name: "pair", here: []string{"pair", "--count", "2"}, there: []string{"pair", "--count", "3"},
			say: "1\n2\t2\n\n", hear: "a\nb\tb\n", tell: "a\nb\tb\n", listen: "1\n2\t2\n\n",
		},
		{
			name: "dealers", here: []string{"dealer", "--count", "1", "--wait", "1"}, there: []string{"dealer", "--count", "1"},
			say: "x\n", hear: "y\n", tell: "y\n", listen: "x\n",
		},
		{
			name: "router and dealer", here: []string{"router", "--wait", "1", "--count", "2"},
			there: []string{"dealer", "--id", "D", "--count", "1"},
			say:   "D\thi\n", hear: "D\ta\nD\tb\t\n", tell: "a\nb\t\n", listen: "hi\n",
		},
		{
			name: "formats", here: []string{"router", "--wait", "1", "--count", "1", "--format", "hex", "--delim", "|"},
			there: []string{"dealer", "--id", "D", "--count", "1", "--format", "quoted", "--delim", `\x00`},
			say:   "D|h|i\n", hear: "44|610962\n", tell: "a\tb\n", listen: "\"h\"\x00\"i\"\n",
		},
		{
			name: "xpub and xsub", here: []string{"xpub", "--wait", "1", "--count", "2"},
			there: []string{"xsub", "--count", "1"},
			say:   "weather\tfine\nnews\t1\n", hear: "\x01wea\n\x00wea\n", tell: "\x01wea\n", listen: "weather\tfine\n",
		},
		{
			name:  "xpub with topics",
			here:  []string{"xpub", "--wait", "1", "--count", "2", "--topic", "w", "--format", "quoted"},
			there: []string{"xsub", "--count", "1", "--topic", "w"},
			say:   "1\n", hear: "\"\\x01w\"\n\"\\x00w\"\n", tell: "", listen: "w\t1\n",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			here := startInput(t, tc.say, append(tc.here, "--bind", anyPort)...)
			there := startInput(t, tc.tell, append(tc.there, "--connect", here.endpoint())...)
			there.exit(0)
			here.exit(0)
			here.prints(tc.hear)
			there.prints(tc.listen)
		})
	}
}

// TestDealerAndRep: an empty frame leads requests and replies.
func TestDealerAndRep(t *testing.T) {
	rep := start(t, "rep", "--bind", anyPort)
	dealer := startInput(t, "\ta\n\tb\n", "dealer", "--connect", rep.endpoint(), "--count", "2")
	dealer.exit(0)
	dealer.prints("\ta\n\tb\n")
	dealer.says("dealer: received 2 messages, 2 B, sent 2 messages, 2 B")
	rep.stop()
	rep.exit(0)
}

// TestConversation: neither the end of the input nor a pause in it ends a two-way verb.
func TestConversation(t *testing.T) {
	router := start(t, "router", "--bind", anyPort, "--confirm")
	dealer := start(t, "dealer", "--connect", router.endpoint(), "--id", "D")
	dealer.types("one\n")
	router.prints("D\tone\n")
	router.types("D\t1\n")
	dealer.prints("1\n")
	router.prints("D\tone\nD\t1\n") // confirmed
	router.stdin.Close()
	dealer.types("two\n")
	router.prints("D\tone\nD\t1\nD\ttwo\n")
	dealer.stop()
	dealer.exit(0)
	router.stop()
	router.exit(0)
	router.says("router: received 2 messages, 8 B, sent 1 message, 2 B")
	router.says("interrupted")
}

// TestUnnamedPeer: what is printed of a peer without an identity can be sent back, in every format that is reversible.
func TestUnnamedPeer(t *testing.T) {
	for _, format := range []string{"quoted", "hex", "json"} {
		t.Run(format, func(t *testing.T) {
			router := start(t, "router", "--bind", anyPort, "--format", format, "--input", format)
			dealer := start(t, "dealer", "--connect", router.endpoint(), "--count", "2", "--format", "hex", "--input", "hex")
			for _, text := range []string{"00ff\t0a\n", "\t22095c\n"} {
				before := router.stdout.String()
				dealer.types(text)
				line := router.stdout.waitFor(t, func(s string) bool { return len(s) > len(before) && strings.HasSuffix(s, "\n") })
				router.types(line[len(before):])
				dealer.stdout.waitFor(t, func(s string) bool { return strings.HasSuffix(s, text) })
			}
			dealer.exit(0)
			dealer.prints("00ff\t0a\n\t22095c\n")
			router.stop()
			router.exit(0)
		})
	}
}

// TestRefusedLines: one line that cannot be sent is reported, does not stop the others and is a failure in the end.
func TestRefusedLines(t *testing.T) {
	for _, tc := range []struct{ name, line, says string }{
		{"no such peer", `"nobody"` + "\t" + `"x"`, `"nobody": no peer has this identity; not sent`},
		{"nothing but an identity", `"D"`, "at least one frame after the peer's identity; not sent"},
		{"not quoted", "D\tx", `line "D\tx": write each frame as a Go string`},
		{"no delimiter", `"D""x"`, "the delimiter is missing"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			router := start(t, "router", "--bind", anyPort, "--input", "quoted", "--wait", "1", "--count", "1")
			dealer := start(t, "dealer", "--connect", router.endpoint(), "--id", "D", "--count", "1")
			router.types(tc.line + "\n")
			router.types(`"D"` + "\t" + `"fine"` + "\n")
			dealer.prints("fine\n")
			router.says(tc.says)
			dealer.types("done\n")
			dealer.stdin.Close()
			router.stdin.Close()
			dealer.exit(0)
			router.exit(1)
			router.says("1 line not sent")
		})
	}
}

// TestSubscriptionsInWords: on standard error and in JSON; a dealer's bytes are not taken for one.
func TestSubscriptionsInWords(t *testing.T) {
	xpub := start(t, "xpub", "--bind", anyPort, "--json", "--count", "3")
	xsub := startInput(t, "\x01we\"a\n\x00we\"a\nupstream\n", "xsub", "--connect", xpub.endpoint(), "--wait", "1")
	xpub.stdin.Close()
	xpub.exit(0)
	xsub.stop()
	xsub.exit(0)
	xpub.says(`subscribe "we\"a" from XSUB 127.0.0.1:`)
	xpub.says(`cancel "we\"a" from XSUB 127.0.0.1:`)
	var got []string
	for line := range strings.Lines(xpub.stdout.String()) {
		var m struct {
			Frames             [][]byte
			From, Event, Topic string
		}
		if err := json.Unmarshal([]byte(line), &m); err != nil || m.From == "" {
			t.Fatalf("%q: %v", line, err)
		}
		got = append(got, string(m.Frames[0]), m.Event, m.Topic)
	}
	if s, want := strings.Join(got, "|"), "\x01we\"a|subscribe|we\"a|\x00we\"a|cancel|we\"a|upstream||"; s != want {
		t.Errorf("got %q, want %q", s, want)
	}

	dealer := start(t, "dealer", "--bind", anyPort, "--json", "--count", "1")
	startInput(t, "\x01x\n", "dealer", "--connect", dealer.endpoint())
	dealer.stdin.Close()
	dealer.exit(0)
	if s := dealer.stdout.String(); strings.Contains(s, "event") {
		t.Error(s)
	}
}

// TestTwoWayDataAndFile: sent once, whatever --count says.
func TestTwoWayDataAndFile(t *testing.T) {
	pair := start(t, "pair", "--bind", anyPort)
	other := startInput(t, "not read\n", "pair", "--connect", pair.endpoint(), "--data", "a\tb", "--count", "2")
	pair.prints("a\tb\n")
	pair.types("1\n2\n")
	other.exit(0)
	other.prints("1\n2\n")
	pair.stop()
	pair.exit(0)
	pair.prints("a\tb\n")
}

// TestCountOutrunsNothing: what was given as input is sent even if the count is reached at once.
func TestCountOutrunsNothing(t *testing.T) {
	t.Run("lines", func(t *testing.T) {
		pair := start(t, "pair", "--bind", anyPort)
		other := start(t, "pair", "--connect", pair.endpoint(), "--count", "1")
		pair.types("enough\n")
		other.prints("enough\n")
		other.types("a\nb\n")
		other.exit(0)
		pair.prints("a\nb\n")
		pair.stop()
		pair.exit(0)
	})
	t.Run("endless input", func(t *testing.T) {
		pair := start(t, "pair", "--bind", anyPort)
		other := startWith(t, repeatedReader("x\n"), nil, "pair", "--connect", pair.endpoint(), "--count", "1", "--confirm")
		pair.types("enough\n")
		other.exit(0)
		pair.stop()
		pair.exit(0)
	})
	t.Run("interval", func(t *testing.T) {
		pair := start(t, "pair", "--bind", anyPort)
		other := startInput(t, "a\nb\n", "pair", "--connect", pair.endpoint(), "--count", "1", "--interval", "1h")
		pair.prints("a\n")
		pair.types("enough\n")
		other.exit(0)
		pair.stop()
		pair.exit(0)
	})
	t.Run("peers that never come", func(t *testing.T) {
		dealer := startInput(t, "a\n", "dealer", "--bind", anyPort, "--count", "1", "--wait", "2")
		startInput(t, "x\n", "dealer", "--connect", dealer.endpoint())
		dealer.exit(0)
		dealer.says("sent 0 messages")
	})
}

// repeatedReader is an endless input.
type repeatedReader string

func (r repeatedReader) Read(b []byte) (int, error) {
	return copy(b, strings.Repeat(string(r), max(1, len(b)/len(r)))), nil
}

func TestTwoWayTimeout(t *testing.T) {
	t.Parallel()
	t.Run("nothing at all", func(t *testing.T) {
		for _, args := range []string{
			"pair --bind tcp://127.0.0.1:0", "dealer --connect NOBODY", "router --bind tcp://127.0.0.1:0",
			"xpub --bind tcp://127.0.0.1:0", "xsub --connect NOBODY", "xpub --bind tcp://127.0.0.1:0 --count 2",
			"dealer --connect NOBODY --data x", "pair --bind tcp://127.0.0.1:0 --data x",
			"xpub --bind tcp://127.0.0.1:0 --data x --wait 1",
		} {
			t.Run(strings.ReplaceAll(args, "/", ""), func(t *testing.T) {
				p := startInput(t, "",
					append(strings.Fields(strings.ReplaceAll(args, "NOBODY", ipcEndpoint(t))), "--timeout", "50ms")...)
				p.exit(3)
				p.says("50ms")
			})
		}
	})
	for _, tc := range []struct {
		name   string
		args   []string
		input  string
		status int
		says   string
	}{
		{"received", nil, "", 0, "received 2 messages"},
		{"received and sent", nil, "x\n", 0, "sent 1 message"},
		{"less than the count", []string{"--count", "5"}, "x\n", 1, "got 2 messages of 5, then nothing for 700ms"},
		{"refused", []string{"--input", "hex"}, "x\n", 1, "1 line not sent"},
		{"waits in vain", []string{"--wait", "2"}, "x\n", 1, "1 message not delivered: --timeout passed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			there := startInput(t, "a\nb\n", "dealer", "--bind", anyPort)
			here := startInput(t, tc.input,
				append([]string{"dealer", "--connect", there.endpoint(), "--timeout", "700ms"}, tc.args...)...)
			here.exit(tc.status)
			here.says(tc.says)
			here.prints("a\nb\n")
			there.stop()
			there.exit(0)
		})
	}
	t.Run("sent only", func(t *testing.T) {
		there := start(t, "dealer", "--bind", anyPort)
		here := startInput(t, "x\n", "dealer", "--connect", there.endpoint(), "--timeout", "700ms")
		here.exit(0)
		there.prints("x\n")
		there.stop()
		there.exit(0)
	})
	t.Run("sent only, but a count was asked for", func(t *testing.T) {
		there := start(t, "dealer", "--bind", anyPort)
		here := startInput(t, "x\n", "dealer", "--connect", there.endpoint(), "--timeout", "100ms", "--count", "1")
		here.exit(3)
		here.says("nothing received for 100ms")
		there.stop()
		there.exit(0)
	})
}

func TestTwoWayInterrupt(t *testing.T) {
	t.Parallel()
	t.Run("before its count", func(t *testing.T) {
		p := start(t, "router", "--bind", anyPort, "--count", "2")
		p.endpoint()
		p.stop()
		p.exit(1)
		p.says("interrupted: got 0 messages of 2")
	})
	t.Run("messages left", func(t *testing.T) {
		p := startInput(t, "a\nb\n", "dealer", "--connect", ipcEndpoint(t), "--confirm")
		p.prints("a\nb\n")
		p.stop()
		p.exit(1)
		p.says("2 messages not delivered: interrupted")
	})
	t.Run("blocked", func(t *testing.T) {
		p := startInput(t, "a\n", "pair", "--bind", anyPort)
		p.endpoint()
		p.stop()
		p.exit(0)
	})
}

// TestTwoWayLinger: the count is reached and what was to be sent cannot leave.
func TestTwoWayLinger(t *testing.T) {
	for _, linger := range []string{"0", "50ms"} {
		t.Run(linger, func(t *testing.T) {
			pair := socket.NewPair()
			defer pair.Close()
			at, err := pair.Bind(t.Context(), anyPort)
			if err != nil {
				t.Fatal(err)
			}
			p := start(t, "pair", "--connect", at, "--count", "1", "--linger", linger)
			if err := pair.WaitPeers(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
			if err := pair.Send(t.Context(), socket.Text("bye")); err != nil {
				t.Fatal(err)
			}
			p.prints("bye\n")
			pair.Close()
			p.stdin.Close()
			p.exit(0) // nothing was to be sent
		})
	}
	t.Run("stuck", func(t *testing.T) {
		big := filepath.Join(t.TempDir(), "big")
		if err := os.WriteFile(big, make([]byte, 30<<20), 0o600); err != nil { // more than a kernel takes
			t.Fatal(err)
		}
		p := start(t, "dealer", "--bind", anyPort, "--count", "1", "--linger", "50ms", "--file", big)
		conn := rawPeer(t, p.endpoint(), zmtp.Config{SocketType: zmtp.Dealer})
		if _, err := conn.Write(append(zmtp.AppendHeader(nil, 0, 6), "enough"...)); err != nil {
			t.Fatal(err)
		}
		p.exit(1)
		p.prints("enough\n")
		p.says("--linger passed")
	})
}

func TestTwoWayFailures(t *testing.T) {
	t.Run("output", func(t *testing.T) {
		p := startWith(t, strings.NewReader(""), failing{}, "pair", "--bind", anyPort)
		startInput(t, "", "pair", "--connect", p.endpoint(), "--data", "x")
		p.exit(1)
		p.says("standard output: no space left on device")
	})
	t.Run("closed output", func(t *testing.T) {
		p := startWith(t, strings.NewReader(""), brokenPipe{}, "pair", "--bind", anyPort)
		startInput(t, "", "pair", "--connect", p.endpoint(), "--data", "x")
		p.exit(1)
		// What it was told of is gone; the message is not, without a word.
		if s := p.stderr.String(); strings.Count(s, "\n") != 2 ||
			!strings.HasSuffix(s, "\npair: 1 message received and not printed\n") {
			t.Errorf("stderr %q", s)
		}
	})
	t.Run("too large", func(t *testing.T) {
		there := start(t, "pair", "--bind", anyPort, "--count", "1")
		here := startInput(t, "fine\n"+strings.Repeat("x\t", 2000)+"\n", "pair", "--connect", there.endpoint())
		here.exit(1)
		here.says("2001 frames")
		there.stdin.Close()
		there.exit(0) // what was accepted before is delivered
		there.prints("fine\n")
	})
	t.Run("bad --data", func(t *testing.T) {
		p := startInput(t, "", "pair", "--bind", anyPort, "--input", "json", "--data", "x")
		p.exit(2)
		p.says("--data: ")
	})
	t.Run("a bad line fails a sender", func(t *testing.T) {
		p := startInput(t, "zz\n", "push", "--connect", ipcEndpoint(t), "--input", "hex")
		p.exit(1)
		p.says("two digits a byte")
	})
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }
