package observe

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/spool"
)

var update = flag.Bool("update", false, "write the golden files again")

var golden = filepath.Join("testdata", "snapshot-v1.json")

// The format is as it was written down.
func TestGolden(t *testing.T) {
	got, err := json.MarshalIndent(exemplary().Snapshot(), "", " ")
	must(t, err)
	got = append(got, '\n')
	if *update {
		must(t, os.WriteFile(golden, got, 0o644))
	}
	want, err := os.ReadFile(golden)
	must(t, err)
	if !bytes.Equal(got, want) {
		t.Errorf("the snapshot is not that of %s; if fields came, run the test with -update:\n%s", golden, got)
	}
}

// An olderReader is what a program of the first days made of version 1.
type olderReader struct {
	V       int       `json:"v"`
	Time    time.Time `json:"time"`
	Process struct {
		Name string `json:"name"`
		PID  int    `json:"pid"`
		Node string `json:"node"`
		Host string `json:"host"`
	} `json:"process"`
	Sockets []struct {
		Name      string `json:"name"`
		Type      string `json:"type"`
		Endpoints []struct {
			Endpoint string `json:"endpoint"`
			Bound    bool   `json:"bound"`
			Up       int    `json:"up"`
			Attempts int    `json:"attempts"`
			Failures int    `json:"failures"`
			Cause    string `json:"cause"`
			Error    string `json:"error"`
			RetryMS  int    `json:"retry_ms"`
		} `json:"endpoints"`
		Ledger struct {
			Accepted  [2]int            `json:"accepted"`
			Delivered [2]int            `json:"delivered"`
			Queued    [2]int            `json:"queued"`
			Received  [2]int            `json:"received"`
			Handed    [2]int            `json:"handed"`
			Unread    [2]int            `json:"unread"`
			Dropped   map[string][2]int `json:"dropped"`
			Discarded map[string][2]int `json:"discarded"`
		} `json:"ledger"`
		Subscriptions int            `json:"subscriptions"`
		Events        map[string]int `json:"events"`
		Peers         []struct {
			Type    string `json:"type"`
			Node    string `json:"node"`
			Address string `json:"address"`
			HeardMS int    `json:"heard_ms"`
			RTT     int    `json:"rtt_us"`
			Full    bool   `json:"full"`
		} `json:"peers"`
		PeersMore int `json:"peers_more"`
	} `json:"sockets"`
	Nodes []struct {
		Backend   string   `json:"backend"`
		Announces []string `json:"announces"`
		Known     []struct {
			Services []string `json:"services"`
			Age      float64  `json:"age_s"`
		} `json:"known"`
		Refused map[string]int `json:"refused"`
		Trouble []string       `json:"trouble"`
	} `json:"nodes"`
	Spools []struct {
		Name      string  `json:"name"`
		Messages  int     `json:"messages"`
		Oldest    float64 `json:"oldest_s"`
		Dead      int     `json:"dead"`
		CommitP99 int     `json:"commit_p99_us"`
	} `json:"spools"`
	Checks []struct {
		Name string `json:"name"`
		OK   bool   `json:"ok"`
		Why  string `json:"why"`
	} `json:"checks"`
	Warnings []struct{ Lint, Subject, Text string } `json:"warnings"`
}

func TestOlderReader(t *testing.T) {
	text, err := os.ReadFile(golden)
	must(t, err)
	var s olderReader
	must(t, json.Unmarshal(text, &s))
	k := s.Sockets[0]
	for _, c := range []struct {
		what      string
		got, want any
	}{
		{"version", s.V, 1},
		{"time", s.Time, fixedTime},
		{"process", s.Process.Name + s.Process.Node[:4] + s.Process.Host, "web9ca2a1"},
		{"pid", s.Process.PID, 42},
		{"sockets", len(s.Sockets), 1},
		{"socket", k.Name + " " + k.Type, "news PUB"},
		{"bound", k.Endpoints[0].Bound, true},
		{"up", k.Endpoints[0].Up, 2},
		{"attempts", k.Endpoints[1].Attempts, 9},
		{"failures", k.Endpoints[1].Failures, 9},
		{"cause", k.Endpoints[1].Cause, "refused"},
		{"error", k.Endpoints[1].Error, "connection refused"},
		{"retry", k.Endpoints[1].RetryMS, 1600},
		{"accepted", k.Ledger.Accepted, [2]int{1000, 10000}},
		{"delivered", k.Ledger.Delivered, [2]int{1000, 10000}},
		{"queued", k.Ledger.Queued, [2]int{50, 500}},
		{"received", k.Ledger.Received, [2]int{200, 2000}},
		{"handed", k.Ledger.Handed, [2]int{200, 2000}},
		{"unread", k.Ledger.Unread, [2]int{18, 180}},
		{"dropped", k.Ledger.Dropped["queue full"], [2]int{3, 30}},
		{"discarded", k.Ledger.Discarded["bad envelope"], [2]int{1, 10}},
		{"subscriptions", k.Subscriptions, 12},
		{"events", k.Events["peer up"] + k.Events["slow peer"], 10},
		{"peer", k.Peers[0].Type + " " + k.Peers[0].Address, "SUB 10.0.0.7:4431"},
		{"peer's node", k.Peers[0].Node, "01020000000000000000000000000000"},
		{"heard", k.Peers[0].HeardMS, 310},
		{"rtt", k.Peers[0].RTT, 310},
		{"full", k.Peers[0].Full, true},
		{"more peers", k.PeersMore, 0},
		{"node", s.Nodes[0].Backend + s.Nodes[0].Announces[0] + s.Nodes[0].Known[0].Services[0], "mdnsnews/PUBwork/PULL"},
		{"age", s.Nodes[0].Known[0].Age, 12.0},
		{"refused", s.Nodes[0].Refused["untrusted"], 2},
		{"trouble", s.Nodes[0].Trouble[0], "port 5353 is taken"},
		{"spool", s.Spools[0].Name, "out"},
		{"spooled", s.Spools[0].Messages, 7},
		{"oldest", s.Spools[0].Oldest, 90.0},
		{"dead", s.Spools[0].Dead, 1},
		{"p99", s.Spools[0].CommitP99, 2000},
		{"check", s.Checks[1].Name + s.Checks[1].Why, "moreno peer: connection refused"},
		{"ok", s.Checks[0].OK && !s.Checks[1].OK, true},
		{"subject", s.Warnings[0].Subject, "news→tcp://10.0.0.9:5558"},
		{"warning", s.Warnings[0].Text, "no peer: connection refused, 9 attempts"},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("%s: %v, want %v", c.what, c.got, c.want)
		}
	}
}

// Everything that is written is read, and what a later writer adds does no harm.
func TestParse(t *testing.T) {
	want := exemplary(WithTopics(true)).Snapshot()
	text, err := json.Marshal(want)
	must(t, err)
	later := strings.Replace(string(text), `{"v":1`, `{"later":[{"x":1}],"v":1`, 1)
	later = strings.Replace(later, `"accepted":[1000,10000]`, `"accepted":[1000,10000,7]`, 1)
	for _, given := range []string{string(text), later} {
		got, err := Parse([]byte(given))
		must(t, err)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
	for _, c := range []struct{ name, text, why string }{
		{"nothing", "", "unexpected end"},
		{"no object", "[]", "cannot unmarshal"},
		{"no version", "{}", `it has no "v"`},
		{"a later version", `{"v":2}`, "it is of version 2, and this program reads version 1"},
		{"another type", `{"v":1,"sockets":3}`, "cannot unmarshal"},
		{"below zero", `{"v":1,"sockets":[{"ledger":{"accepted":[-1,0]}}]}`, "cannot unmarshal"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse([]byte(c.text))
			if err == nil || !strings.Contains(err.Error(), c.why) || !strings.Contains(err.Error(), ErrSnapshot.Error()) {
				t.Errorf("%v, want an ErrSnapshot with %q", err, c.why)
			}
		})
	}
}

// What identifies people and subjects is told only if that was asked for.
func TestTopicsAreNotToldUnasked(t *testing.T) {
	for _, show := range []bool{false, true} {
		r := exemplary(WithTopics(show))
		r.Add("more", &fake{typ: "ROUTER", stats: socket.Stats{Endpoints: []socket.EndpointStats{{
			Endpoint: "tcp://*:1", Bound: true, LastFrom: `DEALER 10.0.0.9:1 ("secret name")`, LastErr: privateError{},
		}}}})
		text, err := json.Marshal(r.Snapshot())
		must(t, err)
		for _, private := range []string{`\u0000me`, `x00me`, "zoe", "alerts", "secret"} {
			if told := bytes.Contains(text, []byte(private)); told && !show {
				t.Errorf("WithTopics(false) tells %q", private)
			}
		}
		k := r.Snapshot().Sockets[0]
		if p := k.Peers[0]; show && (p.Identity != `"\x00me"` || p.User != `"zoe"` ||
			!slices.Equal(k.Unwanted, []string{`"alerts\n"`})) {
			t.Errorf("WithTopics(true) tells %+v", k)
		}
	}
}

// privateError names the identity that somebody has claimed.
type privateError struct{}

func (privateError) Error() string        { return "the identity is in use: \"secret\"" }
func (privateError) Is(target error) bool { return target == socket.ErrIdentityInUse }

// A snapshot of real sockets says what they have done, and each of its ledgers balances.
func TestRealSockets(t *testing.T) {
	t.Parallel()
	pull, push := socket.NewPull(), socket.NewPush(socket.WithLabel("work"))
	defer pull.Close()
	defer push.Close()
	at, err := pull.Bind(t.Context(), "tcp://127.0.0.1:0")
	must(t, err)
	must(t, push.Connect(at))
	for range 3 {
		must(t, push.Send(t.Context(), socket.Text("hello")))
	}
	for range 2 {
		_, err := pull.Recv(t.Context())
		must(t, err)
	}
	q, err := spool.Open(t.TempDir(), spool.Options{})
	must(t, err)
	defer q.Close()
	_, err = q.Append(t.Context(), spool.Message{Frames: [][]byte{[]byte("kept")}})
	must(t, err)

	r := New()
	r.Add("in", pull)
	r.Add("", push)
	r.AddSpool("", q)
	text, err := json.Marshal(r.Snapshot())
	must(t, err)
	s, err := Parse(text)
	must(t, err)
	must(t, s.Check())
	in, out, kept := s.Sockets[0], s.Sockets[1], s.Spools[0]
	if in.Name != "in" || in.Type != "PULL" || in.Ledger.Handed != (Count{2, 10}) || in.EndpointCounts.Bound != 1 {
		t.Errorf("the receiver: %+v", in)
	}
	if out.Name != "push" || out.Label != "work" || out.Ledger.Accepted != (Count{3, 15}) || out.EndpointCounts.Up != 1 {
		t.Errorf("the sender: %+v", out)
	}
	if p := out.Peers[0]; p.Node != s.Process.Node || p.Type != "PULL" || p.HeardMS < 1 {
		t.Errorf("the receiver as the sender sees it: %+v", p)
	}
	if kept.Name != "spool" || kept.Messages != 1 {
		t.Errorf("the spool: %+v", kept)
	}
}
