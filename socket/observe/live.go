package observe

import (
	"fmt"
	"net/http"
	"time"
)

const (
	// maxStreams is how many live streams a registry has at a time.
	maxStreams = 8
	// liveEvery is how often a stream has a snapshot.
	liveEvery = time.Second
	// sharedFor is how long a snapshot serves other streams, too: not until the next one of the same stream is due.
	sharedFor = liveEvery * 9 / 10
	// writeTime is how long a reader may take nothing.
	writeTime = 5 * time.Second
)

// live streams snapshots as server-sent events until the reader goes, is too slow, or Close.
func (r *Registry) live(w http.ResponseWriter, req *http.Request) {
	defer r.streams.Add(-1)
	if r.streams.Add(1) > maxStreams {
		w.Header().Set("Retry-After", "5")
		answer(w, http.StatusServiceUnavailable, "text/plain; charset=utf-8",
			fmt.Appendf(nil, "%d live streams are open; no more are to be had\n", maxStreams))
		return
	}
	if r.isClosed() {
		answer(w, http.StatusServiceUnavailable, "text/plain; charset=utf-8", []byte(ErrClosed.Error()+"\n"))
		return
	}
	to := http.NewResponseController(w)
	if err := to.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		answer(w, http.StatusInternalServerError, "text/plain; charset=utf-8",
			[]byte("no live streams here: what wraps the ResponseWriter needs a method Unwrap\n"))
		return
	}
	secure(w, "text/event-stream")
	w.Header().Set("Connection", "close") // the deadline would be there for the next answer too
	if req.Method == http.MethodHead {
		return
	}
	tick := time.NewTicker(liveEvery)
	defer tick.Stop()
	for id := 1; ; id++ {
		text, err := r.recent(sharedFor)
		if err != nil {
			return
		}
		if to.SetWriteDeadline(time.Now().Add(writeTime)) != nil {
			return
		}
		if _, err := fmt.Fprintf(w, "id: %d\nevent: snapshot\ndata: %s\n\n", id, text); err != nil {
			return
		}
		if to.Flush() != nil {
			return
		}
		select {
		case <-tick.C:
		case <-req.Context().Done():
			return
		case <-r.done:
			return
		}
	}
}
