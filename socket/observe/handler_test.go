package observe

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
)

// Each path has its answer, wherever the handler is mounted.
func TestPaths(t *testing.T) {
	r := exemplary()
	mux := http.NewServeMux()
	mux.Handle("/debug/yodel/", r.Handler())
	for _, c := range []struct {
		path, mediaType, says string
		status                int
	}{
		{"v1/snapshot", "application/json", `{"v":1,`, 200},
		{"v1/events", "application/json", `{"v":1,"events":[]}`, 200},
		{"metrics", "text/plain; version=0.0.4; charset=utf-8", "# HELP yodel_socket_messages_total ", 200},
		{"healthz", "text/plain; charset=utf-8", "ok\n", 200},
		{"readyz", "application/json", `{"ready":false,"checks":[{"name":"news has a peer","ok":true},{"name":"more",`, 503},
		{"", "text/plain; charset=utf-8", "/v1/snapshot ", 200},
		{"v2/snapshot", "text/plain; charset=utf-8", "there is nothing here\n", 404},
	} {
		for _, h := range []struct {
			http.Handler
			at string
		}{{mux, "/debug/yodel/"}, {r.Handler(), "/"}} {
			w := answered(h, ask(h.at+c.path))
			mediaType, body := w.Header().Get("Content-Type"), w.Body.String()
			if w.Code != c.status || mediaType != c.mediaType || !strings.HasPrefix(body, c.says) {
				t.Errorf("%s%s: %d %s: %.200s", h.at, c.path, w.Code, mediaType, body)
			}
			for name, value := range map[string]string{
				"X-Content-Type-Options":  "nosniff",
				"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
			} {
				if got := w.Header().Get(name); got != value {
					t.Errorf("%s%s: %s is %q", h.at, c.path, name, got)
				}
			}
		}
	}
	w := answered(r.Handler(), ask("/v1/snapshot"))
	s, err := Parse(w.Body.Bytes())
	must(t, err)
	if s.Sockets[0].Name != "news" || s.Process.Name != "web" {
		t.Errorf("%+v", s)
	}
	exposition(t, answered(r.Handler(), ask("/metrics")).Body.String())
	if w := answered(r.Handler(), ask("/metrics", "PUT")); w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("405 does not say what is allowed: %v", w.Header())
	}
	if w := answered(r.Handler(WithToken(testToken)), ask("/metrics")); w.Header().Get("WWW-Authenticate") == "" {
		t.Errorf("401 does not say how: %v", w.Header())
	}
}

// Health is about this process alone: who has no peer is healthy, whose ledger does not balance is not.
func TestHealth(t *testing.T) {
	spoilt := balanced()
	spoilt.Queued.Messages++
	for _, c := range []struct {
		name           string
		stats          socket.Stats
		healthy, ready int
	}{
		{"nobody there", socket.Stats{}, 200, 503},
		{"a peer", socket.Stats{Peers: []socket.PeerStats{{Peer: &socket.Peer{}}}}, 200, 200},
		{"unbalanced", socket.Stats{Ledger: spoilt}, 503, 503},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, s := New(), &fake{typ: "PULL", stats: c.stats}
			r.Add("work", s)
			r.Ready("work has a peer", Peers(s, 1))
			for _, from := range []string{"127.0.0.1:1", "10.0.0.9:1"} {
				healthy := answered(r.Handler(), ask("/healthz", "from: "+from)).Code
				ready := answered(r.Handler(), ask("/readyz", "from: "+from)).Code
				if healthy != c.healthy || ready != c.ready {
					t.Errorf("from %s: healthz %d, readyz %d; want %d and %d", from, healthy, ready, c.healthy, c.ready)
				}
			}
			r.Ending()
			if code := answered(r.Handler(), ask("/readyz")).Code; code != 503 {
				t.Errorf("about to end: readyz %d", code)
			}
		})
	}
}

// Events are told in order, of all sockets or one, and not without bound.
func TestEvents(t *testing.T) {
	at := func(n int) time.Time { return fixedTime.Add(time.Duration(n) * time.Second) }
	peer := &socket.Peer{Type: "PULL", Address: "10.0.0.9:1", Identity: []byte("secret")}
	a, b := &fake{typ: "PUSH"}, &fake{typ: "PUB"}
	for i := range 400 {
		a.events = append(a.events, socket.Event{Kind: socket.PeerUp, Time: at(2 * i), Peer: peer})
		b.events = append(b.events, socket.Event{
			Kind: socket.ConnectFailed, Time: at(2*i + 1), Endpoint: "tcp://10.0.0.9:1", Err: errRefused, Retry: time.Second,
		})
	}
	b.events = append(b.events, socket.Event{
		Kind: socket.SubscriptionRefused, Time: at(1000), Peer: peer, Err: privateError{}, Count: 3,
	})
	for _, topics := range []bool{false, true} {
		r := New(WithTopics(topics))
		r.Add("a", a)
		r.Add("b", b)
		all, one := r.Events(""), r.Events("a")
		if len(all) != maxEvents || all[0].Socket == all[1].Socket || len(one) != maxEvents || one[0].Socket != "a" {
			t.Fatalf("%d events of all and %d of one", len(all), len(one))
		}
		for i := range all[1:] {
			if all[i+1].Time.Before(all[i].Time) {
				t.Fatalf("event %d comes before the one in front of it", i+1)
			}
		}
		want := EventState{
			Socket: "b", Time: at(799), Kind: "connect failed", Endpoint: "tcp://10.0.0.9:1", RetryMS: 1000,
			Cause: causeRefused, Error: "connection refused",
		}
		if got := all[maxEvents-2]; got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
		want = EventState{
			Socket: "b", Time: at(1000), Kind: "subscription refused", Peer: "PULL", Address: "10.0.0.9:1", Count: 3,
			Cause: causeOther,
		}
		if topics {
			want.Error = privateError{}.Error()
		}
		if got := all[maxEvents-1]; got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
	// Those of a real socket are had without waiting.
	pull := socket.NewPull()
	defer pull.Close()
	_, err := pull.Bind(t.Context(), "inproc://events-are-told")
	must(t, err)
	r := New()
	r.Add("work", pull)
	var told struct {
		V      int
		Events []EventState
	}
	must(t, json.Unmarshal(answered(r.Handler(), ask("/v1/events?socket=work")).Body.Bytes(), &told))
	if told.V != 1 || len(told.Events) != 1 || told.Events[0].Kind != "listening" {
		t.Errorf("%+v", told)
	}
}
