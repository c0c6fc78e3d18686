package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/patterns/pubsub"
	"github.com/yodel-mq/yodel/socket"
)

// TestPublishLines: subscribers get what their patterns match, in the form that was asked for.
func TestPublishLines(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name          string
		patterns      []string
		pub, sub      []string
		input         string
		status        int
		want, pubSays string
	}{
		{name: "lines", patterns: []string{"a.b"}, input: "{\"x\": 1}\n\n2\n", want: "a.b {\"x\":1}\na.b 2\n"},
		{name: "wildcards", patterns: []string{"x", "a.*", "a.>"}, input: "1\n2\n", want: "a.b 1\na.b 2\n"},
		{
			name: "data, often", patterns: []string{"#"}, pub: []string{"--data", `"x"`, "--count", "2"},
			want: "a.b \"x\"\na.b \"x\"\n",
		},
		{
			name: "json", patterns: []string{"a.b"}, sub: []string{"--json"}, input: "1\n[]\n",
			want: `{"subject":"a.b","value":1,"from":"ADDRESS"}` + "\n" + `{"subject":"a.b","value":[],"from":"ADDRESS"}` + "\n",
		},
		{
			name: "no JSON", patterns: []string{"a.b"}, input: "1\nx y\n2\n", status: 1, want: "a.b 1\na.b 2\n",
			pubSays: "yodel publish: 1 line not sent",
		},
		{
			name: "in turn", patterns: []string{"a.b"}, sub: []string{"--queue-group", "g"}, input: "1\n2\n",
			want: "a.b 1\na.b 2\n",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			pub := startInput(t, tc.input, append([]string{"publish", "a.b", "--bind", anyPort}, tc.pub...)...)
			at := pub.endpoint()
			sub := startInput(t, "", append(append([]string{"subscribe"}, tc.patterns...),
				append([]string{"--connect", at, "--count", "2"}, tc.sub...)...)...)
			sub.exit(0)
			sub.prints(strings.ReplaceAll(tc.want, "ADDRESS", strings.TrimPrefix(at, "tcp://")))
			pub.exit(tc.status)
			pub.says(tc.pubSays)
			pub.says("published 2 events")
		})
	}
}

// TestPublishByName: publishers are found by name.
func TestPublishByName(t *testing.T) {
	t.Parallel()
	there := []string{"--interface", loopback(t), "--group", ownGroup()}
	pub := startInput(t, "1\n", append([]string{"publish", "a", "--announce", "svc"}, there...)...)
	sub := startInput(t, "", append([]string{"subscribe", "a", "--find", "svc", "--count", "1"}, there...)...)
	sub.exit(0)
	sub.prints("a 1\n")
	pub.exit(0)
}

// TestSubscribeToThePast: what a publisher keeps comes to who asks for it, and is marked.
func TestSubscribeToThePast(t *testing.T) {
	t.Parallel()
	pub := start(t, "publish", "a", "--bind", anyPort, "--wait", "0", "--last-values", "1", "--replay", "2")
	at := pub.endpoint()
	pub.types("6\n7\n")
	beside := startInput(t, "", "subscribe", "a", "--connect", at, "--count", "2", "--replay", "2")
	beside.exit(0) // both are published
	beside.prints("a 6\na 7\n")
	for _, flag := range []string{"--last", "--replay=1"} {
		sub := startInput(t, "", "subscribe", "a", "--connect", at, "--count", "1", flag, "--json")
		sub.exit(0)
		var e struct {
			Value  int
			Replay bool
		}
		if err := json.Unmarshal([]byte(sub.stdout.String()), &e); err != nil || e.Value != 7 || !e.Replay {
			t.Errorf("%s: %s", flag, sub.stdout)
		}
	}
	pub.stdin.Close()
	pub.exit(0)
}

// TestSubscribeIsTold: what was missed, what a publisher does not give, and who is no publisher.
func TestSubscribeIsTold(t *testing.T) {
	t.Parallel()
	t.Run("refused", func(t *testing.T) {
		pub := start(t, "publish", "a", "--bind", anyPort)
		sub := startInput(t, "", "subscribe", "a", "--connect", pub.endpoint(), "--last")
		sub.says("subscribe: ")
		sub.says("refuses")
		sub.stop()
		sub.exit(0)
		pub.stop()
		pub.exit(0)
	})
	t.Run("why there is no peer", func(t *testing.T) {
		sub := startInput(t, "", "subscribe", "a", "--connect", nobody, "--timeout", "1500ms")
		sub.exit(3)
		sub.says("subscribe: tcp://127.0.0.1:1: connection refused; still trying (is the other side running?)\n")
		sub.says("yodel subscribe: nothing received for 1.5s: no peer: connection refused")
	})
	t.Run("connected again", func(t *testing.T) {
		at := ipcEndpoint(t)
		pub := startInput(t, "1\n", "publish", "a", "--bind", at)
		sub := startInput(t, "", "subscribe", "a", "--connect", at)
		pub.exit(0)
		sub.prints("a 1\n")
		pub = startInput(t, "2\n", "publish", "a", "--bind", at)
		pub.exit(0)
		sub.prints("a 1\na 2\n")
		sub.says("was connected again, and nobody knows how many events of it are missed\n")
		sub.stop()
		sub.exit(0)
	})
}

// TestGapsInWords: how many events did not come is told.
func TestGapsInWords(t *testing.T) {
	for _, tc := range []struct {
		missed int
		want   string
	}{
		{0, ""},
		{1, "subscribe: 1 event of XPUB 127.0.0.1:4 missed\n"},
		{5, "subscribe: 5 events of XPUB 127.0.0.1:4 missed\n"},
		{-1, "subscribe: XPUB 127.0.0.1:4 was connected again, and nobody knows how many events of it are missed\n"},
	} {
		var said, out strings.Builder
		a := &app{con: &console{w: &said}, stdout: &out, json: true}
		x := &task{meeting: meeting{app: a}, out: newPrinter(&out, "line", nil)}
		e := rawEvent{Subject: "a", Missed: tc.missed, From: &socket.Peer{Type: "XPUB", Address: "127.0.0.1:4"}}
		e.Value = jsonBody([]byte("1"))
		s := new(subscriber)
		s.tellGap(x, &e)
		if err := s.print(x, &e); err != nil {
			t.Fatal(err)
		}
		if said.String() != tc.want {
			t.Errorf("%q, want %q", said.String(), tc.want)
		}
		if strings.Contains(out.String(), "missed") != (tc.missed != 0) {
			t.Errorf("%q", out.String())
		}
	}
}

// TestSubscribeOthers: the second frame of a plain publisher is the value, whatever it is.
func TestSubscribeOthers(t *testing.T) {
	t.Parallel()
	pub := startInput(t, "a\t1\na\tb c\n", "pub", "--bind", anyPort)
	sub := startInput(t, "", "subscribe", "a", "--connect", pub.endpoint(), "--count", "2")
	sub.exit(0)
	sub.prints("a 1\na \"b c\"\n")
	pub.exit(0)
}

// TestPublishToOthers: subscribers in Go get values of their own types.
func TestPublishToOthers(t *testing.T) {
	t.Parallel()
	type point struct{ X int }
	pub := startInput(t, `{"X":5}`+"\n", "publish", "a", "--bind", anyPort)
	sub := pubsub.NewSubscriber[point]()
	defer sub.Close()
	if err := sub.Subscribe("a"); err != nil {
		t.Fatal(err)
	}
	if err := sub.Connect(pub.endpoint()); err != nil {
		t.Fatal(err)
	}
	for e, err := range sub.Events(t.Context()) {
		if err != nil || e.Value != (point{5}) {
			t.Errorf("%v, %v", e, err)
		}
		break
	}
	pub.exit(0)
}
