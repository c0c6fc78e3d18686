package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/yodel-mq/yodel/discovery"
	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// sought is what spout has found out about its address: who receives there decides whether it is a queue or a topic.
type sought struct {
	kind  string
	name  string
	node  *discovery.Node // nil for an endpoint
	local bool
	near  *nearMisses

	mu    sync.Mutex
	there map[discovery.ID]string // the kind of each receiver
	known chan struct{}           // closed once there was one
}

// seek finds out what there is at the address, until a time. With --durable, which can do without, it does not wait
// for long. Its error says that there is nobody.
func (a *app) seek(ctx context.Context, cmd *cobra.Command, f *spoutFlags, until time.Time) (*sought, error) {
	if f.durable {
		until = time.Now().Add(min(aloneTime, time.Until(until)/2)) // the rest is for sending
	}
	ctx, cancel := context.WithDeadlineCause(ctx, until, errIdle)
	defer cancel()
	k := &sought{
		kind: f.at.kind, name: f.at.name, local: f.local,
		there: make(map[discovery.ID]string), known: make(chan struct{}),
	}
	if f.at.endpoint != "" {
		if k.kind == "" {
			return k, a.probe(ctx, cmd, f, k)
		}
		return k, nil
	}
	if err := k.look(a, f); err != nil {
		return nil, err
	}
	if k.kind == "" || !f.durable {
		select {
		case <-k.known:
		case <-ctx.Done():
		}
	}
	return k, k.decide(ctx, f)
}

// look begins to look for receivers by name.
func (k *sought) look(a *app, f *spoutFlags) error {
	k.node = a.newNode(f.place)
	events, err := k.node.Watch(context.Background(), discovery.Query{}) // until the node is closed
	if err != nil {
		k.close()
		return failf("%w", err)
	}
	typ := "PUSH"
	if k.kind == nodeTopic {
		typ = "PUB"
	}
	k.near = newNearMisses(a.con, "spout", typ, f.place.group, []string{k.name})
	go func() {
		defer k.near.stop()
		for e := range events {
			if e.Kind == discovery.Trouble {
				a.trouble(e.Err)
			}
			k.near.take(e)
			k.take(e)
		}
	}()
	return nil
}

// take takes note of an event.
func (k *sought) take(e discovery.Event) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch e.Kind {
	case discovery.Added, discovery.Updated:
		delete(k.there, e.Record.ID)
		for _, s := range e.Record.Services {
			if s.Name == k.name && (!k.local || e.Record.Host == discovery.HostToken()) && kindOf(s.Type) != "" {
				k.there[e.Record.ID] = kindOf(s.Type)
			}
		}
	case discovery.Left, discovery.Expired:
		delete(k.there, e.Record.ID)
	default:
		return
	}
	if k.count(k.kind) == 0 {
		return
	}
	select {
	case <-k.known:
	default:
		close(k.known)
	}
}

// kindOf is the kind that a receiver of a type of socket makes of an address; "" if spout cannot send to it.
func kindOf(typ string) string {
	switch typ {
	case "PULL":
		return nodeQueue
	case "SUB", "XSUB":
		return nodeTopic
	}
	return ""
}

// count is how many receivers of a kind there are, "" being any. mu is held.
func (k *sought) count(kind string) (n int) {
	for _, other := range k.there {
		if kind == "" || other == kind {
			n++
		}
	}
	return n
}

// decide says what the address is, if it was not known before: a queue, if there are both.
func (k *sought) decide(ctx context.Context, f *spoutFlags) error {
	k.mu.Lock()
	queues, topics := k.count(nodeQueue), k.count(nodeTopic)
	k.mu.Unlock()
	switch {
	case ctx.Err() != nil && !f.durable && !errors.Is(context.Cause(ctx), errIdle):
		k.close()
		return failf("%s not sent: %w", countOf(f.count, "message"), errInterrupted)
	case queues+topics == 0 && !f.durable:
		why := k.miss()
		k.close()
		return failf("%s not sent: %s", countOf(f.count, "message"), why)
	case k.kind != "":
	case topics > 0 && queues == 0:
		k.kind = nodeTopic
	default:
		k.kind = nodeQueue
	}
	k.near.mu.Lock()
	defer k.near.mu.Unlock()
	if k.kind == nodeTopic {
		k.near.typ = "PUB"
	}
	return nil
}

// miss is why there is nobody.
func (k *sought) miss() string {
	k.near.mu.Lock()
	defer k.near.mu.Unlock()
	if text := k.near.miss(k.name); text != "" {
		return text
	}
	return "nobody on this host announces it"
}

// receivers is how many there are.
func (k *sought) receivers() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.count(k.kind)
}

// connect connects the socket to all receivers, as they come and go.
func (k *sought) connect(s *spouting) error {
	if k.node == nil {
		return nil
	}
	p := discovery.Policy{OnChange: func(c discovery.Change) { s.noteChange(k.name, c) }}
	if k.local {
		p.Allow = func(_ string, r *discovery.Record) bool { return r.Host == discovery.HostToken() }
	}
	sock := s.sock.(discovery.Connector)
	if err := k.node.Connect(k.name, sock, discovery.WithPolicy(p)); err != nil {
		return failf("%w", err)
	}
	return nil
}

// close ends the search, where no session does that.
func (k *sought) close() {
	if k != nil && k.node != nil {
		_ = k.node.Close() // it announces nothing
	}
}

// probe asks an endpoint what it is, by trying to send to it: the types of the sockets show in the handshake.
func (a *app) probe(ctx context.Context, cmd *cobra.Command, f *spoutFlags, k *sought) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var opts []socket.PushOption
	for _, o := range f.settings(a, cmd) {
		opts = append(opts, o)
	}
	push := socket.NewPush(opts...)
	reached := a.watchEndpoints("spout", push, []string{f.at.endpoint})
	defer func() {
		reached.end()
		_ = push.Close()
		<-reached.over
	}()
	events := push.Events(ctx)
	stop := giveUpAfter(push, f.limit, cancel)
	defer stop()
	if err := push.Connect(f.at.endpoint); err != nil {
		return failf("%w", err)
	}
	for ev := range events {
		e, another := errors.AsType[*zmtp.SocketTypeError](ev.Err)
		switch {
		case ev.Kind == socket.PeerUp:
			k.kind = nodeQueue
			return nil
		case ev.Kind == socket.HandshakeFailed && another && kindOf(string(e.Peer)) == nodeTopic:
			k.kind = nodeTopic
			return nil
		}
	}
	if f.durable && !errors.Is(context.Cause(ctx), errGivenUp) {
		k.kind = nodeQueue
		return nil
	}
	cause := context.Cause(ctx)
	if errors.Is(cause, context.Canceled) {
		cause = errInterrupted
	}
	why := reached.nobody()
	if why == "" {
		why = "no answer"
	}
	return failf("%s not sent: %w: %s: %s", countOf(f.count, "message"), cause, f.at.endpoint, why)
}
