package mdns

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/yodel-mq/yodel/discovery"
	mq "github.com/yodel-mq/yodel/socket"
)

// A role is what a member is told as it starts.
type role struct {
	Group     string
	Key       bool          // the mode of trust: a group key, or open
	Refresh   time.Duration // of its announcements; zero values are the defaults
	Heartbeat time.Duration // the timeout of the socket that finds
	Drain     time.Duration
}

const (
	service      = "work"   // what members offer and find
	nodeProperty = "X-Node" // by which a socket says whose it is
)

// A member is a process with sockets that announces them, or finds those of others, by nodes as an application has
// them. It does what it reads, a word a line, and prints a line for all that happens, with the time of the day in
// nanoseconds.
type member struct {
	role
	backend *Backend

	mu      sync.Mutex // of what is printed
	offered []offer
	finding *finding
}

type offer struct {
	node *discovery.Node
	push *mq.Push
}

type finding struct {
	node *discovery.Node
	pull *mq.Pull
	stop context.CancelFunc
	wg   sync.WaitGroup

	mu   sync.Mutex
	seen map[discovery.ID]bool
}

func childMember(ctx context.Context, arg string) error {
	m := &member{}
	if err := json.Unmarshal([]byte(arg), &m.role); err != nil {
		return err
	}
	opts := []Option{WithRefresh(m.Refresh)}
	if m.Key {
		trust, err := discovery.GroupKey(memberKey)
		if err != nil {
			return err
		}
		opts = append(opts, WithTrust(trust))
	}
	m.backend = New(opts...)
	verbs := map[string]func(context.Context) error{
		"offer": m.offer, "send": m.send, "leave": m.leave, "find": m.find, "sync": m.sync, "count": m.count, "lose": m.lose,
	}
	for s := bufio.NewScanner(os.Stdin); s.Scan(); {
		do := verbs[s.Text()]
		if do == nil {
			return fmt.Errorf("cannot %s", s.Text())
		}
		if err := do(ctx); err != nil {
			return fmt.Errorf("%s: %w", s.Text(), err)
		}
	}
	return errors.Join(m.leave(ctx), m.lose(ctx))
}

var memberKey = bytes.Repeat([]byte{7}, 32)

func (m *member) say(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	fmt.Printf(format+"\n", args...)
}

// offer announces one more node, with a socket of its own that bears the node's name.
func (m *member) offer(ctx context.Context) error {
	id := discovery.NewID()
	push := mq.NewPush(mq.WithMetadata(nodeProperty, id.String()))
	node := discovery.NewNode(m.backend, discovery.WithID(id), discovery.WithGroup(m.Group))
	m.offered = append(m.offered, offer{node, push})
	if _, err := push.Bind(ctx, "tcp://*:0"); err != nil {
		return err
	}
	began := time.Now()
	if err := node.Announce(ctx, service, push); err != nil {
		return err
	}
	m.say("offered %s %d", id, began.UnixNano())
	return nil
}

// send has each node send its name.
func (m *member) send(ctx context.Context) error {
	for _, o := range m.offered {
		if err := o.push.Send(ctx, mq.Text(o.node.ID().String())); err != nil {
			return err
		}
	}
	return nil
}

func (m *member) leave(ctx context.Context) error {
	errs := make([]error, len(m.offered))
	var wg sync.WaitGroup
	for i, o := range m.offered {
		wg.Go(func() { errs[i] = errors.Join(o.node.Shutdown(ctx), o.push.Close()) })
	}
	wg.Wait()
	m.offered = nil
	m.say("left")
	return errors.Join(errs...)
}

// find connects a socket to all who offer the service, until it is told to lose them.
func (m *member) find(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	f := &finding{
		node: discovery.NewNode(m.backend, discovery.WithGroup(m.Group)),
		pull: mq.NewPull(mq.WithHeartbeat(m.Heartbeat/4, m.Heartbeat, 0)),
		stop: cancel,
		seen: make(map[discovery.ID]bool),
	}
	if m.Heartbeat == 0 {
		f.pull = mq.NewPull()
	}
	m.finding = f
	f.wg.Go(func() {
		for e := range f.pull.Events(ctx) {
			switch e.Kind {
			case mq.PeerUp:
				m.say("up %s %d", e.Peer.Metadata[nodeProperty], e.Time.UnixNano())
			case mq.PeerDown, mq.ProtocolError, mq.LimitHit:
				m.say("down %s %d %v", e.Peer.Metadata[nodeProperty], e.Time.UnixNano(), e.Err)
			}
		}
	})
	f.wg.Go(func() {
		for msg, err := range f.pull.Messages(ctx) {
			if err != nil {
				return
			}
			m.say("got %s", msg.Bytes())
		}
	})
	began := time.Now()
	if err := f.node.Connect(service, f.pull, discovery.WithPolicy(discovery.Policy{Drain: m.Drain})); err != nil {
		return err
	}
	events, err := f.node.Watch(ctx, discovery.Query{Service: service})
	if err != nil {
		return err
	}
	f.wg.Go(func() {
		for e := range events {
			if e.Kind == discovery.Added {
				f.mu.Lock()
				f.seen[e.Record.ID] = true
				f.mu.Unlock()
			}
		}
	})
	m.say("finding %d", began.UnixNano())
	return nil
}

// sync waits until the one that finds has heard of all who were there before it.
func (m *member) sync(ctx context.Context) error {
	_, err := m.finding.node.Peers(ctx, discovery.Query{})
	m.say("synced")
	return err
}

// count tells how many nodes have been seen.
func (m *member) count(context.Context) error {
	m.finding.mu.Lock()
	defer m.finding.mu.Unlock()
	m.say("seen %d", len(m.finding.seen))
	return nil
}

func (m *member) lose(ctx context.Context) error {
	f := m.finding
	if f == nil {
		return nil
	}
	m.finding = nil
	err := errors.Join(f.node.Shutdown(ctx), f.pull.Close())
	f.stop()
	f.wg.Wait()
	m.say("lost")
	return err
}
