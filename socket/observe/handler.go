package observe

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Paths that are served, below whatever the handler is mounted at.
const (
	pathSnapshot = "/v1/snapshot"
	pathLive     = "/v1/live"
	pathEvents   = "/v1/events"
	pathMetrics  = "/metrics"
	pathHealthy  = "/healthz"
	pathReady    = "/readyz"
)

const index = `/v1/snapshot  what the sockets do now, as JSON
/v1/live      the same each second, as server-sent events
/v1/events    the last events, as JSON; ?socket=NAME: of one
/metrics      for Prometheus
/healthz      200 while the process is healthy
/readyz       200 while it is ready
`

// Handler returns a handler for an HTTP server of the program's own, to be mounted at any path that ends in "/", such
// as "/debug/yodel/". Below it there are
//
//	v1/snapshot   a Snapshot as JSON
//	v1/live       server-sent events: a Snapshot at once and then each second. Of a registry there are eight such
//	              streams at a time at most; the ninth gets 503. A reader that takes nothing for 5 s is cut off
//	v1/events     {"v":1,"events":[…]}, the last EventStates; with ?socket=NAME those of one
//	metrics       see WriteMetrics
//	healthz       200 if the ledgers of all sockets balance, otherwise 503. It does not depend on peers
//	readyz        200 if all checks of Ready are passed, otherwise 503, as it is after Ending; with the checks as JSON
//
// It is for reading only. Without [WithToken] only programs on this host may read, by a loopback address or name, not
// by a proxy (which says so in the request), and no page of another site or port in a browser may; see [WithHosts].
// Whoever is refused for want of a token, or because of an address, can still learn from healthz and readyz whether
// the status is 200, as probes of Kubernetes have to; and nothing else. Encryption is up to the server.
func (r *Registry) Handler(opts ...HandlerOption) http.Handler {
	g := new(guard)
	for _, o := range opts {
		if o != nil {
			o.guard(g)
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		at := route(req.URL.Path)
		switch no := g.refuse(req); {
		case no == nil:
			r.serve(w, req, at)
		case no.probe && (at == pathHealthy || at == pathReady):
			r.probe(w, at)
		default:
			no.write(w)
		}
	})
}

func (no *refusal) write(w http.ResponseWriter) {
	switch no.status {
	case http.StatusMethodNotAllowed:
		w.Header().Set("Allow", "GET, HEAD")
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="yodel"`)
	}
	answer(w, no.status, "text/plain; charset=utf-8", []byte(no.why+"\n"))
}

// route is which path of ours is asked for; "" is none.
func route(path string) string {
	for _, at := range []string{pathSnapshot, pathLive, pathEvents, pathMetrics, pathHealthy, pathReady} {
		if strings.HasSuffix(path, at) {
			return at
		}
	}
	if strings.HasSuffix(path, "/") {
		return "/"
	}
	return ""
}

// serve answers somebody who may read.
func (r *Registry) serve(w http.ResponseWriter, req *http.Request, at string) {
	switch at {
	case pathSnapshot:
		answerJSON(w, http.StatusOK, r.Snapshot())
	case pathLive:
		r.live(w, req)
	case pathEvents:
		answerJSON(w, http.StatusOK, struct {
			V      int          `json:"v"`
			Events []EventState `json:"events"`
		}{Version, r.Events(req.URL.Query().Get("socket"))})
	case pathMetrics:
		var text bytes.Buffer
		_ = WriteMetrics(&text, r.Snapshot().Metrics()) // memory takes all
		answer(w, http.StatusOK, "text/plain; version=0.0.4; charset=utf-8", text.Bytes())
	case pathHealthy:
		if err := r.healthy(); err != nil {
			answer(w, http.StatusServiceUnavailable, "text/plain; charset=utf-8", []byte(clean(err.Error(), maxText)+"\n"))
			return
		}
		answer(w, http.StatusOK, "text/plain; charset=utf-8", []byte("ok\n"))
	case pathReady:
		v := r.view()
		checks, status := v.results(), http.StatusOK
		if !isReady(checks) {
			status = http.StatusServiceUnavailable
		}
		answerJSON(w, status, struct {
			Ready  bool         `json:"ready"`
			Checks []CheckState `json:"checks"`
		}{isReady(checks), checks})
	case "/":
		answer(w, http.StatusOK, "text/plain; charset=utf-8", []byte(index))
	default:
		answer(w, http.StatusNotFound, "text/plain; charset=utf-8", []byte("there is nothing here\n"))
	}
}

// probe tells whether the process is healthy or ready, and nothing else.
func (r *Registry) probe(w http.ResponseWriter, at string) {
	v, fine := r.view(), false
	if at == pathHealthy {
		fine = r.healthy() == nil
	} else {
		fine = isReady(v.results())
	}
	status, text := http.StatusOK, "yes\n"
	if !fine {
		status, text = http.StatusServiceUnavailable, "no\n"
	}
	answer(w, status, "text/plain; charset=utf-8", []byte(text))
}

// healthy checks all ledgers.
func (r *Registry) healthy() error {
	for _, e := range r.view().sockets {
		if err := e.source.Stats().Ledger.Check(); err != nil {
			return err
		}
	}
	return nil
}

func answerJSON(w http.ResponseWriter, status int, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		answer(w, http.StatusInternalServerError, "text/plain; charset=utf-8", []byte(err.Error()+"\n"))
		return
	}
	answer(w, status, "application/json", append(text, '\n'))
}

func answer(w http.ResponseWriter, status int, mediaType string, body []byte) {
	secure(w, mediaType)
	w.WriteHeader(status)
	_, _ = w.Write(body) // who has gone does not need it
}

// secure says what every answer says: that it is of this type only, for nobody's cache, and in no page.
func secure(w http.ResponseWriter, mediaType string) {
	h := w.Header()
	h.Set("Content-Type", mediaType)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
}

// An encoded is the last snapshot as JSON, which all streams share.
type encoded struct {
	mu   sync.Mutex
	at   time.Time
	text []byte
}

// recent returns a snapshot as JSON that is younger than a time.
func (r *Registry) recent(than time.Duration) ([]byte, error) {
	e := &r.encoded
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.text != nil && time.Since(e.at) < than {
		return e.text, nil
	}
	text, err := json.Marshal(r.Snapshot())
	if err != nil {
		return nil, err
	}
	e.at, e.text = time.Now(), text
	return text, nil
}
