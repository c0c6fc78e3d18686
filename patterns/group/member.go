package group

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/socket"
)

// A Member is in groups with others, over connections that either of two has made: it may be bound, connected, or both,
// and of two connections to the same peer one is used in each direction. Its methods may be called by any number of
// goroutines. T is the type of what is said; [patterns.Raw] takes anything.
type Member[T any] struct{ core *core }

// New returns a Member that is neither bound nor connected, and in no group. It does no I/O. The name is what others
// see; it need not be the only one of its kind, and is cut off after 255 bytes.
func New[T any](name string, opts ...Option) *Member[T] {
	c := config{codec: patterns.Msgpack(patterns.Limits{})}
	for _, o := range opts {
		if o != nil {
			o.apply(&c)
		}
	}
	var id ID
	rand.Read(id[:])
	return &Member[T]{newCore(name[:min(len(name), maxName)], id, c)}
}

// Bind is as that of a socket: others may connect to the endpoint from now on.
func (m *Member[T]) Bind(ctx context.Context, endpoint string) (actual string, err error) {
	return m.core.bound.Bind(ctx, endpoint)
}

// Connect is as that of a socket: it returns at once, and the member keeps connecting until Disconnect. A connection
// of a member to itself is of no use and does no harm.
func (m *Member[T]) Connect(endpoint string) error { return m.core.bound.Connect(endpoint) }

// ConnectNode is Connect that accepts some nodes only, as that of a socket.
func (m *Member[T]) ConnectNode(endpoint string, accept func(node [16]byte) error) error {
	return m.core.bound.ConnectNode(endpoint, accept)
}

// Disconnect is as that of a socket.
func (m *Member[T]) Disconnect(endpoint string) error {
	return m.core.bound.Socket().Disconnect(endpoint)
}

// WaitConnected waits until there is a connection to an endpoint given to Connect, as that of a socket. Whoever is
// there may not have said hello: see WaitPeers.
func (m *Member[T]) WaitConnected(ctx context.Context, endpoint string) error {
	return m.core.bound.Socket().WaitConnected(ctx, endpoint)
}

// WaitDisconnected waits until there is none, as that of a socket.
func (m *Member[T]) WaitDisconnected(ctx context.Context, endpoint string) error {
	return m.core.bound.Socket().WaitDisconnected(ctx, endpoint)
}

// Endpoints returns the endpoints that the member is bound to.
func (m *Member[T]) Endpoints() []string { return m.core.bound.Socket().Endpoints() }

// Type returns "ROUTER".
func (m *Member[T]) Type() string { return m.core.bound.Socket().Type() }

// NodeID is as that of a socket.
func (m *Member[T]) NodeID() [16]byte { return m.core.bound.Socket().NodeID() }

// Socket returns the socket, for its events and its statistics.
func (m *Member[T]) Socket() socket.Socket { return m.core.bound.Socket() }

// Name returns the name.
func (m *Member[T]) Name() string { return m.core.name }

// ID returns the id that peers know this member by.
func (m *Member[T]) ID() ID { return m.core.id }

// Join has the member be in a group, and tells all peers, those too that come later. It does not wait, and to join
// twice changes nothing. The error matches [ErrName] if the name is not valid.
func (m *Member[T]) Join(group string) error { return m.core.belong("join", group, true) }

// Leave ends that. What was shouted before peers have learned of it is not told any more.
func (m *Member[T]) Leave(group string) error { return m.core.belong("leave", group, false) }

// Peers returns the peers in a group, or with "" all, in the order in which they have entered. It knows what has come,
// which may be ahead of Events.
func (m *Member[T]) Peers(group string) []*Peer {
	m.core.mu.Lock()
	defer m.core.mu.Unlock()
	var peers []*Peer
	for _, p := range m.core.presence.present {
		if group == "" || slices.Contains(p.groups, group) {
			peers = append(peers, p.now)
		}
	}
	return peers
}

// WaitPeers waits until at least n peers are in a group, or with "" there at all, until ctx ends.
func (m *Member[T]) WaitPeers(ctx context.Context, group string, n int) error {
	for {
		m.core.mu.Lock()
		changed := m.core.changed
		m.core.mu.Unlock()
		now := len(m.Peers(group))
		if now >= n {
			return nil
		}
		var err error
		select {
		case <-changed:
			continue
		case <-ctx.Done():
			err = ctx.Err()
		case <-m.core.closing:
			err = socket.ErrClosed
		}
		return fmt.Errorf("group: wait for %d peers in %q, %d are: %w", n, group, now, err)
	}
}

// Shout says v to all peers that are in a group by now; the member itself need not be. Those that have room in their
// queues get it at once; for the others Shout waits until ctx ends, and its error then says how many have not got it.
// Peers that go meanwhile do not count. To nobody at all is no error.
func (m *Member[T]) Shout(ctx context.Context, group string, v T) error {
	if err := checkName("shout to", group); err != nil {
		return err
	}
	head, body, err := m.encode(ctx, group, v)
	if err != nil {
		return fmt.Errorf("group: shout to %q: %w", group, err)
	}
	lanes, err := m.core.lanes(func(p *peer) bool { return slices.Contains(p.groups, group) })
	if err != nil {
		return fmt.Errorf("group: shout to %q: %w", group, err)
	}
	all := len(lanes)
	var late []*lane
	for _, l := range lanes {
		if err := l.trySend(framed(head, body), &m.core.work); errors.Is(err, socket.ErrWouldBlock) {
			late = append(late, l)
		} else if err != nil && !errors.Is(err, socket.ErrPeerLost) {
			return fmt.Errorf("group: shout to %q: %w", group, err)
		}
	}
	missed := 0
	for _, l := range late {
		e := l.send(ctx, framed(head, body), &m.core.work)
		if e != nil && !errors.Is(e, socket.ErrPeerLost) {
			err, missed = e, missed+1
		}
	}
	if missed > 0 {
		return fmt.Errorf("group: shout to %q: %d of %d have not got it: %w", group, missed, all, err)
	}
	return nil
}

// Whisper says v to one peer, waiting for room in its queue until ctx ends. The error matches socket.ErrPeerLost if it
// has exited.
func (m *Member[T]) Whisper(ctx context.Context, to *Peer, v T) error {
	head, body, err := m.encode(ctx, "", v)
	if err != nil {
		return fmt.Errorf("group: whisper to %s: %w", to, err)
	}
	lanes, err := m.core.lanes(func(p *peer) bool { return p.now == to })
	if err == nil && len(lanes) == 0 {
		err = socket.ErrPeerLost
	}
	if err == nil {
		err = lanes[0].send(ctx, framed(head, body), &m.core.work)
	}
	if err != nil {
		return fmt.Errorf("group: whisper to %s: %w", to, err)
	}
	return nil
}

// encode makes head and body of what is said.
func (m *Member[T]) encode(ctx context.Context, group string, v T) (head, body []byte, err error) {
	h := patterns.Head{Method: group, Type: m.core.codec.Type(), Headers: patterns.HeadersFrom(ctx)}
	if raw, ok := any(v).(patterns.Raw); ok {
		h.Type = raw.Type
		body = raw.Data
	} else if body, err = m.core.codec.Append(nil, v); err != nil {
		return nil, nil, err
	}
	if err = h.Validate(); err != nil {
		return nil, nil, err
	}
	return h.AppendTo(nil), body, nil
}

// Events yields what peers do and say, of each in order: it has entered, is then in the groups that it joins, says what
// it says, and has left them before it has exited. Of what was said before it has exited nothing comes later.
//
// It begins with those that were there first. Until it is called for the first time the newest 256 events are kept;
// from then on the peers wait, each with its own queue, for a member that does not ask for the next one. Events for
// several goroutines go to one of them each.
//
// An error does not end the loop: a message that cannot be decoded, with the event that it would be, and a peer that
// was disconnected for what it is or does ([ErrPattern], [ErrProtocol]). But that of ctx, when it ends, is the last.
// When the member is closed the loop ends behind what has come by then.
func (m *Member[T]) Events(ctx context.Context) iter.Seq2[Event[T], error] {
	return func(yield func(Event[T], error) bool) {
		m.core.listening.Store(true)
		for {
			t, err := m.core.next(ctx)
			if err != nil {
				if !errors.Is(err, socket.ErrClosed) {
					yield(Event[T]{}, err)
				}
				return
			}
			e := Event[T]{Kind: t.kind, Peer: t.peer, Group: t.group, Cause: t.cause}
			if t.said != nil {
				e.Headers = t.said.headers
				if e.Value, err = patterns.Decode[T](t.said.body, m.core.codec); err != nil {
					t.err = fmt.Errorf("group: a %s of %s: %w", t.kind, t.peer, err)
				}
			}
			if !yield(e, t.err) {
				return
			}
		}
	}
}

// Stats are numbers of a member. Those of its socket are in Socket().Stats().
type Stats struct {
	// Peers is how many are there.
	Peers int
	// Received is how many shouts and whispers have come.
	Received uint64
	// Ignored is how much came that is no message of a group, or was shouted to a group that this member is not in.
	Ignored uint64
	// Unheard is how many events there was no room for before Events was called.
	Unheard uint64
}

// Stats returns how things are.
func (m *Member[T]) Stats() Stats {
	return Stats{
		Peers: len(m.Peers("")), Received: m.core.received.Load(), Ignored: m.core.ignored.Load(),
		Unheard: m.core.unheard.Load(),
	}
}

// Shutdown waits until all that was said has reached the peers, or ctx ends, and closes.
func (m *Member[T]) Shutdown(ctx context.Context) error {
	return m.core.stop(func() error { return m.core.bound.Shutdown(ctx) })
}

// Close closes the member within a second. For its peers it has exited.
func (m *Member[T]) Close() error { return m.core.stop(m.core.bound.Close) }
