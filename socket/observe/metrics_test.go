package observe

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/socket"
)

var (
	metricName = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*$`)
	sampleLine = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(.*)\})? (\S+)$`)
	labelPair  = regexp.MustCompile(`^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(,|$)`)
)

// exposition reads Prometheus' text format as strictly as Prometheus does, and returns the samples as they are written.
func exposition(t testing.TB, text string) map[string]float64 {
	t.Helper()
	samples, known, family := make(map[string]float64), make(map[string]bool), ""
	if text != "" && !strings.HasSuffix(text, "\n") {
		t.Fatal("the last line does not end")
	}
	helped := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "# HELP "):
			name, help, _ := strings.Cut(strings.TrimPrefix(line, "# HELP "), " ")
			if known[name] || !metricName.MatchString(name) || help == "" {
				t.Fatalf("%q", line)
			}
			helped = name
		case strings.HasPrefix(line, "# TYPE "):
			name, kind, _ := strings.Cut(strings.TrimPrefix(line, "# TYPE "), " ")
			if known[name] || name != helped || kind != "counter" && kind != "gauge" {
				t.Fatalf("%q", line)
			}
			if (kind == "counter") != strings.HasSuffix(name, "_total") {
				t.Errorf("%s is a %s", name, kind)
			}
			known[name], family = true, name
		default:
			m := sampleLine.FindStringSubmatch(line)
			if m == nil || m[1] != family {
				t.Fatalf("in %q: %q", family, line)
			}
			names := make(map[string]bool)
			for rest := m[3]; rest != ""; {
				l := labelPair.FindStringSubmatch(rest)
				if l == nil || names[l[1]] {
					t.Fatalf("labels of %q", line)
				}
				names[l[1]], rest = true, rest[len(l[0]):]
			}
			v, err := strconv.ParseFloat(m[4], 64)
			key := m[1] + m[2]
			if _, twice := samples[key]; twice || err != nil || math.IsNaN(v) {
				t.Fatalf("%q: %v, twice: %v", line, err, twice)
			}
			samples[key] = v
		}
	}
	return samples
}

func written(t testing.TB, s *Snapshot) string {
	t.Helper()
	var b bytes.Buffer
	must(t, WriteMetrics(&b, s.Metrics()))
	return b.String()
}

// The metrics of a snapshot are as they were written down.
func TestMetricsGolden(t *testing.T) {
	got := written(t, exemplary().Snapshot())
	exposition(t, got)
	path := filepath.Join("testdata", "metrics.txt")
	if *update {
		must(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	must(t, err)
	if got != string(want) {
		t.Errorf("the metrics are not those of %s; run the test with -update if they should not be:\n%s", path, got)
	}
}

// hostile is a socket with many peers, each with all that a peer can choose.
func hostile(peers int) *fake {
	f := &fake{typ: "XPUB", stats: socket.Stats{Ledger: balanced(), Events: map[socket.EventKind]uint64{}}}
	for i := range peers {
		name := fmt.Sprintf("evil%d\"} 1\nyodel_up{x=\"\xff\\", i)
		f.stats.Peers = append(f.stats.Peers, socket.PeerStats{
			Peer: &socket.Peer{
				Type: name, Identity: []byte(name), Endpoint: name, Address: name, Node: socket.NodeID{byte(i), 1},
				Mechanism: name, User: name, Proven: map[string]string{name: name}, Metadata: map[string]string{name: name},
			},
			Ledger: socket.Ledger{
				Accepted: socket.Count{Messages: 1},
				Dropped:  map[socket.Reason]socket.Count{socket.Reason(name): {Messages: 1}},
			},
			Full: i%2 == 0, RTT: 1000,
		})
		if i >= 1000 {
			continue
		}
		f.stats.Endpoints = append(f.stats.Endpoints, socket.EndpointStats{
			Endpoint: name, LastErr: fmt.Errorf("%s", name), FailedInARow: 9, LastFrom: name,
		})
		f.stats.Unwanted = append(f.stats.Unwanted, name)
		f.stats.Events[socket.EventKind(1000+i)] = 1
		f.stats.Dropped[socket.Reason(name)] = socket.Count{Messages: 1}
	}
	return f
}

// However many peers there are and whatever they are called, no series comes of it, and a snapshot stays small.
func TestPeersMakeNoSeries(t *testing.T) {
	t.Parallel()
	series := func(peers int) (keys []string, size int) {
		r := New(WithTopics(true))
		r.Add("news", hostile(peers))
		r.AddNode(inspected{NodeState{
			Backend: "evil", Group: "evil", ID: "evil", Announces: []string{"evil"}, Refused: map[string]uint64{"evil": 1},
		}})
		s := r.Snapshot()
		text := written(t, s)
		if strings.Contains(text, "evil") {
			t.Errorf("with %d peers something of theirs is in the metrics", peers)
		}
		return slices.Sorted(maps.Keys(exposition(t, text))), len(s.Sockets[0].Peers)
	}
	few, _ := series(2)
	many, listed := series(10_000)
	if !slices.Equal(few, many) {
		t.Errorf("2 peers make %d series, 10,000 make %d", len(few), len(many))
	}
	if listed != maxListed {
		t.Errorf("%d peers are listed", listed)
	}
}

// Of too many peers those are listed that are full, and the figures are those of all.
func TestFullPeersAreListed(t *testing.T) {
	f := &fake{typ: "PUB"}
	for i := range 1000 {
		f.stats.Peers = append(f.stats.Peers, socket.PeerStats{
			Peer: &socket.Peer{Type: "SUB", Address: fmt.Sprintf("10.0.0.1:%05d", i)}, Full: i >= 990,
			SendFill: float64(i) / 999, Subscriptions: 2,
		})
	}
	r := New()
	r.Add("", f)
	s := r.Snapshot().Sockets[0]
	if s.Peers[0].Address != "10.0.0.1:00990" || s.Peers[10].Address != "10.0.0.1:00000" || s.PeersMore != 800 {
		t.Errorf("listed: %s, …, %s and %d more", s.Peers[0].Address, s.Peers[10].Address, s.PeersMore)
	}
	if s.FullPeers != 10 || s.SendFill != 1 || s.Subscriptions != 2000 || s.PeerCounts[0].Peers != 1000 {
		t.Errorf("%+v", s)
	}
	if len(s.Peers) != maxListed {
		t.Errorf("%d peers are listed", len(s.Peers))
	}
}

// With all that can happen a socket has a bounded number of series, and a registry that of 65 sockets.
func TestSeriesAreBounded(t *testing.T) {
	full := socket.Stats{Events: make(map[socket.EventKind]uint64)}
	full.Dropped, full.Discarded = make(map[socket.Reason]socket.Count), make(map[socket.Reason]socket.Count)
	for _, why := range slices.Concat(dropsAlways, dropsSeldom, discardsAlways, discardsSeldom) {
		full.Dropped[why], full.Discarded[why] = socket.Count{Messages: 1}, socket.Count{Messages: 1}
	}
	for kind := range socket.EventKind(40) {
		full.Events[kind] = 1
	}
	for _, typ := range append(socketTypes, "FTP") {
		for _, id := range []socket.NodeID{{}, {1}} {
			full.Peers = append(full.Peers, socket.PeerStats{Peer: &socket.Peer{Type: typ, Node: id}, RTT: 1})
		}
	}
	count := func(stats socket.Stats, n int) int {
		r := New()
		for i := range n {
			r.Add(fmt.Sprint(i), &fake{typ: "PULL", stats: stats})
		}
		total := 0
		for _, f := range r.Snapshot().Metrics() {
			total += len(f.Samples)
		}
		return total
	}
	plain, most, all := count(socket.Stats{}, 1), count(full, 1), count(full, 70)
	t.Logf("series: %d of a new socket, %d at most, %d of 70 sockets", plain, most, all)
	if plain > 85 || most > 200 || all != 65*(most-1)+1 {
		t.Errorf("series: %d of a new socket, %d at most, %d of 70 sockets", plain, most, all)
	}
}

// The table knows every reason and every kind of event that package socket has.
func TestTableIsComplete(t *testing.T) {
	reasons := slices.Concat(dropsAlways, dropsSeldom, discardsAlways, discardsSeldom)
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", "stats.go"), nil, 0)
	must(t, err)
	found := 0
	ast.Inspect(file, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if typ, ok := v.Type.(*ast.Ident); !ok || typ.Name != "Reason" {
			return true
		}
		found++
		text, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
		must(t, err)
		if !slices.Contains(reasons, socket.Reason(text)) {
			t.Errorf("%s is in no list", v.Names[0])
		}
		return true
	})
	if found < 20 {
		t.Errorf("found %d reasons", found)
	}
	var g group
	g.events = map[string]uint64{socket.Missed.String(): 1, socket.SubscriptionEnded.String(): 1}
	addEventCounts(&g, func(_ float64, labels ...string) {
		if labels[1] == otherName {
			t.Error("the table stops before the last kind of event")
		}
	})
}

func TestEscapes(t *testing.T) {
	var b bytes.Buffer
	must(t, WriteMetrics(&b, []Family{{
		Name: "x", Help: "a\\b\nc", Kind: Gauge,
		Samples: []Sample{{[]Label{{"l", "\"\\\n\xff"}, {"m", ""}}, 0.5}, {nil, 1e21}},
	}}))
	want := "# HELP x a\\\\b\\nc\n# TYPE x gauge\nx{l=\"\\\"\\\\\\n\uFFFD\",m=\"\"} 0.5\nx 1000000000000000000000\n"
	if b.String() != want {
		t.Errorf("%q, want %q", b.String(), want)
	}
}
