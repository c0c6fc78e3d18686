package zmqcompat

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/yodel-mq/yodel/socket"
)

// Topics lists what is subscribed to, sorted: on a SUB by the socket itself, on a PUB and XPUB by the peers, as far as their
// subscriptions have come in.
func (s topicSock) Topics() []string {
	r, err := s.use()
	if err != nil {
		return nil
	}
	topics := r.topics()
	slices.Sort(topics)
	return topics
}

// pubRole is that of a PUB. The engine's Pub does not tell what its peers are subscribed to; its XPub, the same in all else,
// does, if somebody listens.
func pubRole(opts []socket.Option) *role {
	x := newHearing(opts)
	r := &role{engine: x.XPub, out: x.XPub, topics: x.heard.topics}
	r.bg.Go(func() {
		for {
			if _, err := x.Recv(context.Background()); err != nil {
				return
			}
		}
	})
	return r
}

// xpubRole is that of an XPUB, whose application hears of subscriptions too.
func xpubRole(opts []socket.Option) *role {
	x := newHearing(opts)
	return &role{engine: x.XPub, out: x.XPub, in: x, topics: x.catchUp}
}

// A hearing XPub notes which topics its peers are subscribed to. For that it is told of every change, and hands on those that
// matter to all peers together, which is what an XPUB does by default.
type hearing struct {
	*socket.XPub
	heard heard

	turn chan struct{} // held to receive and note, so that changes are noted in their order
	kept []socket.Msg  // taken by catchUp, for Recv; guarded by turn
}

func newHearing(opts []socket.Option) *hearing {
	x := append(list[socket.XPubOption](opts), socket.WithVerbosity(socket.EveryChange))
	return &hearing{XPub: socket.NewXPub(x...), turn: make(chan struct{}, 1)}
}

// Recv returns the next message that is no repeated subscription.
func (h *hearing) Recv(ctx context.Context) (socket.Msg, error) {
	select {
	case h.turn <- struct{}{}:
		defer func() { <-h.turn }()
	case <-ctx.Done():
		return socket.Msg{}, context.Cause(ctx)
	}
	if len(h.kept) > 0 {
		m := h.kept[0]
		h.kept = slices.Delete(h.kept, 0, 1)
		return m, nil
	}
	for {
		m, err := h.XPub.Recv(ctx)
		if err != nil || h.heard.note(m) {
			return m, err
		}
	}
}

// catchUp notes what has come in so far and lists the topics. While a Recv waits there is nothing to note.
func (h *hearing) catchUp() []string {
	select {
	case h.turn <- struct{}{}:
		defer func() { <-h.turn }()
	default:
		return h.heard.topics()
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for range h.Stats().Unread.Messages {
		m, err := h.XPub.Recv(ended)
		if err != nil {
			break
		}
		if h.heard.note(m) {
			h.kept = append(h.kept, m)
		}
	}
	return h.heard.topics()
}

// heard is which peer is subscribed to what. The zero value is ready.
type heard struct {
	mu     sync.Mutex
	peers  map[*socket.Peer]map[string]struct{}
	counts map[string]int
}

// note enters a change. It reports whether the application should see the message: it is none, or the first subscription to
// its topic or the last cancellation.
func (h *heard) note(m socket.Msg) bool {
	sub, ok := socket.ParseSubscription(m)
	if !ok {
		return true
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.peers == nil {
		h.peers = make(map[*socket.Peer]map[string]struct{})
		h.counts = make(map[string]int)
	}
	mine := h.peers[sub.Peer]
	_, have := mine[sub.Topic]
	switch {
	case sub.Add == have:
		return false
	case sub.Add:
		if mine == nil {
			mine = make(map[string]struct{})
			h.peers[sub.Peer] = mine
		}
		mine[sub.Topic] = struct{}{}
		h.counts[sub.Topic]++
		return h.counts[sub.Topic] == 1
	}
	delete(mine, sub.Topic)
	if len(mine) == 0 {
		delete(h.peers, sub.Peer)
	}
	h.counts[sub.Topic]--
	if h.counts[sub.Topic] > 0 {
		return false
	}
	delete(h.counts, sub.Topic)
	return true
}

func (h *heard) topics() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Collect(maps.Keys(h.counts))
}
