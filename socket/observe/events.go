package observe

import (
	"context"
	"slices"
	"time"

	"github.com/yodel-mq/yodel/socket"
)

// An EventState is something that happened to a socket. See [socket.Event] for what its fields mean.
type EventState struct {
	Socket   string    `json:"socket"`
	Time     time.Time `json:"time"`
	Kind     string    `json:"kind"`
	Endpoint string    `json:"endpoint,omitempty"`
	// Peer is the peer's type, Address the far end's.
	Peer    string `json:"peer,omitempty"`
	Address string `json:"address,omitempty"`
	Reason  string `json:"reason,omitempty"`
	Count   uint64 `json:"count,omitempty"`
	RetryMS int64  `json:"retry_ms,omitempty"`
	Cause   string `json:"cause,omitempty"`
	// Error is left out, without WithTopics, where it may name a topic or a subscriber.
	Error string `json:"error,omitempty"`
}

// maxEvents is how many events are told at a time.
const maxEvents = 256

// Events returns the last 256 events of the sockets of a name, the oldest first; "" is for those of all sockets.
func (r *Registry) Events(name string) []EventState {
	ended, cancel := context.WithCancel(context.Background())
	cancel() // so that nothing waits for events to come
	out := []EventState{}
	for _, e := range r.view().sockets {
		if name != "" && e.name != name {
			continue
		}
		for ev := range e.source.Events(ended) {
			out = append(out, r.eventState(e.name, &ev))
		}
		slices.SortStableFunc(out, func(a, b EventState) int { return a.Time.Compare(b.Time) })
		out = slices.Delete(out, 0, max(len(out)-maxEvents, 0))
	}
	return out
}

func (r *Registry) eventState(name string, ev *socket.Event) EventState {
	e := EventState{
		Socket: name, Time: ev.Time.UTC().Round(0), Kind: ev.Kind.String(), Endpoint: clean(ev.Endpoint, maxText),
		Address: clean(ev.Address, maxText), Reason: clean(string(ev.Reason), maxText), Count: ev.Count,
		RetryMS: ev.Retry.Milliseconds(), Cause: causeOf(ev.Err),
	}
	if ev.Peer != nil {
		e.Peer, e.Address = clean(ev.Peer.Type, maxName), clean(ev.Peer.Address, maxText)
	}
	switch ev.Kind {
	case socket.ConnectFailed, socket.HandshakeFailed, socket.BindFailed, socket.AcceptFailed, socket.PeerDown,
		socket.ProtocolError, socket.HeartbeatOff, socket.SpoolFailing, socket.Unbound:
		e.Error = explain(ev.Err, r.topics)
	default:
		if r.topics {
			e.Error = explain(ev.Err, true)
		}
	}
	return e
}
