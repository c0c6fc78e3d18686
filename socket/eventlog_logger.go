package socket

import (
	"context"
	"log/slog"
	"net"
	"time"
)

// logTo writes every event to log until the socket closes.
func (e *eventLog) logTo(log *slog.Logger, label string) {
	if label != "" {
		log = log.With(slog.String("socket", label))
	}
	var f failures
	for ev := range e.all(context.Background()) {
		level, text, attrs := ev.level(), ev.Kind.String(), ev.attrs()
		switch {
		case ev.Kind == PeerUp:
			f.forget(ev)
		case ev.Kind == ConnectFailed || ev.Kind == HandshakeFailed && !ev.quiet:
			level = slog.LevelDebug
			if attempts := f.news(ev); attempts > 0 {
				level = slog.LevelWarn
				attrs = append(attrs, slog.Uint64("attempts", attempts))
				if !ev.inbound {
					text = "cannot reach"
				}
			}
		}
		log.LogAttrs(context.Background(), level, "yodel: "+text, attrs...)
	}
}

// failures is what the log has said of endpoints that cannot be reached, and of hosts that could not become peers. An
// attempt is made every two seconds or more often: one line for each would hide all others.
type failures map[failing]*failed

// A failing is an endpoint that is connected to or, where the socket listens, one and the host that connects there.
type failing struct{ endpoint, host string }

type failed struct {
	cause    string
	at       time.Time // of the last warning
	attempts uint64    // since then
}

const (
	warnEvery   = time.Minute // while the cause stays the same
	maxFailures = 1024        // whom the log remembers; then it begins anew
)

func failingOf(ev Event) failing {
	k := failing{endpoint: ev.Endpoint}
	if ev.inbound {
		k.host = ev.Address
		if host, _, err := net.SplitHostPort(ev.Address); err == nil {
			k.host = host
		}
	}
	return k
}

// news reports whether the log is to warn of a failure: by the number of attempts, this one included, since it did
// last; 0 if it need not.
func (f *failures) news(ev Event) uint64 {
	if *f == nil || len(*f) >= maxFailures {
		*f = make(failures)
	}
	key, cause := failingOf(ev), Explain(ev.Err)
	last := (*f)[key]
	if last == nil {
		last = new(failed)
		(*f)[key] = last
	}
	last.attempts += max(1, ev.Count)
	if cause == last.cause && ev.Time.Sub(last.at) < warnEvery {
		return 0
	}
	n := last.attempts
	*last = failed{cause: cause, at: ev.Time}
	return n
}

// forget lets the next failure be the first one again, of an endpoint where there is a peer now.
func (f *failures) forget(ev Event) { delete(*f, failing{endpoint: ev.Endpoint}) }
