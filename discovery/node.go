package discovery

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/yodel-mq/yodel/discovery/internal/ifaces"
)

// A Node is one member of a group, as a rule one for each process: it announces sockets as services, in one record, and
// connects sockets to the services of others. It is safe for concurrent use. It has to be closed: by
// Shutdown, which takes the time for the goodbye from a context, or by Close.
type Node struct {
	b       Backend
	bad     error  // what is wrong with the options
	base    Record // what does not change: identity, group, name and so on
	poll    time.Duration
	source  ifaces.Source
	trouble func(error)
	kick    chan struct{} // wakes follow
	done    chan struct{} // closed after the goodbye
	ended   chan struct{} // closed when Shutdown or Close is through
	wg      sync.WaitGroup

	hostOnce    sync.Once
	host, files string // see hostToken

	// announceLock holds a value while somebody announces; it guards the next four.
	announceLock chan struct{}
	links        ifaces.Snapshot // nil until the first is known
	announcement Announcement    // nil while there is nothing to announce
	last         Record          // what it says, but for the revision
	revision     uint64

	mu              sync.Mutex
	closed          bool
	hurry           func() // ends the time for the goodbye; nil before closed
	goodbyeDeferred bool   // Shutdown has not got announceLock: unlockAnnounce says the goodbye
	offers          []offered
	connects        map[connectKey]*connect
	stop            func() // ends follow; nil before it starts
	followed        chan struct{}
}

type connectKey struct {
	service string
	socket  Connector
}

// A connect is an AutoConnect that runs.
type connect struct {
	cancel context.CancelFunc
	ended  chan struct{}
}

// pollEvery is how often sockets are asked where they are bound: seldom enough to cost nothing, and often enough that
// nobody waits for it.
const pollEvery = 250 * time.Millisecond

// closeTime is what Close allows for the goodbye.
const closeTime = 500 * time.Millisecond

// NewNode returns a Node that uses b. It does nothing until it is told to announce, connect or watch; these return an
// error that wraps ErrInvalidOption and ErrRecord if an option has a value that no record can have.
func NewNode(b Backend, opts ...NodeOption) *Node {
	n := &Node{
		b:            b,
		base:         Record{ID: NewID(), Incarnation: uint64(time.Now().UnixMilli()), Wire: "zmtp/3.1"},
		poll:         pollEvery,
		source:       ifaces.System,
		kick:         make(chan struct{}, 1),
		done:         make(chan struct{}),
		ended:        make(chan struct{}),
		announceLock: make(chan struct{}, 1),
		connects:     make(map[connectKey]*connect),
	}
	for _, o := range opts {
		if o != nil {
			o.apply(n)
		}
	}
	if err := n.base.write().err; err != nil {
		n.bad = fmt.Errorf("%w: %w", ErrInvalidOption, err)
	}
	return n
}

// ID returns the node's ID.
func (n *Node) ID() ID { return n.base.ID }

// hostToken returns where this node is: what Record.Host and Record.Files say.
func (n *Node) hostToken() (host, files string) {
	n.hostOnce.Do(func() {
		if n.host == "" {
			n.host, n.files = HostToken(), FilesToken()
		}
	})
	return n.host, n.files
}

// startLocked starts follow with the first Announce.
func (n *Node) startLocked() {
	if n.stop != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	n.stop, n.followed = cancel, make(chan struct{})
	go func() {
		defer close(n.followed)
		n.follow(ctx)
	}()
}

// Connect keeps s connected to all nodes that offer a service ("": any), this one excepted, as [AutoConnect]
// describes, until Disconnect or the end of the node. It returns at once. To connect the same socket to the same
// service again does nothing, whatever the options.
//
// It returns ErrClosed, ErrInvalidOption, or what the backend says if it cannot be watched.
func (n *Node) Connect(service string, s Connector, opts ...ConnectOption) error {
	var p Policy
	for _, o := range opts {
		if o != nil {
			o.apply(&p)
		}
	}
	if n.bad != nil {
		return n.bad
	}
	if err := checkGroup(p.Group); err != nil {
		return fmt.Errorf("%w: policy: %w: %w", ErrInvalidOption, ErrRecord, err)
	}
	p.Group = cmp.Or(p.Group, n.base.Group)
	if host, files := n.hostToken(); p.Host == "" {
		p.Host, p.Files = host, files
	}
	if p.Self == (ID{}) {
		p.Self = n.base.ID
	}
	if p.source == nil {
		p.source = n.source
	}
	ctx, cancel := context.WithCancel(context.Background())
	key, c := connectKey{service, s}, &connect{cancel, make(chan struct{})}
	n.mu.Lock()
	if n.closed || n.connects[key] != nil {
		closed := n.closed
		n.mu.Unlock()
		cancel()
		if closed {
			return ErrClosed
		}
		return nil
	}
	n.connects[key] = c
	n.mu.Unlock()

	events, err := n.b.Watch(ctx, Query{Group: p.Group, Service: service})
	if err != nil {
		n.finish(key, c)
		return fmt.Errorf("discovery: watch for service %q: %w", service, err)
	}
	go func() {
		defer n.finish(key, c)
		if err := autoConnect(ctx, s, n.b, events, service, p); err != nil {
			n.report(err)
		}
	}()
	return nil
}

// finish takes note that an AutoConnect has ended.
func (n *Node) finish(key connectKey, c *connect) {
	c.cancel()
	n.mu.Lock()
	delete(n.connects, key)
	n.mu.Unlock()
	close(c.ended)
}

// Disconnect undoes Connect. When it returns s is disconnected from all it was connected to by that. It does nothing
// if there was no such Connect.
func (n *Node) Disconnect(service string, s Connector) {
	n.mu.Lock()
	c := n.connects[connectKey{service, s}]
	n.mu.Unlock()
	if c != nil {
		c.cancel()
		<-c.ended
	}
}

// Watch tells who is there and what changes, see [Watcher]; this node itself is left out. With no group in q it is
// the node's. The channel is closed when ctx ends or the node is closed. Who does not read delays nobody, and should
// end ctx.
func (n *Node) Watch(ctx context.Context, q Query) (<-chan Event, error) {
	if n.bad != nil {
		return nil, n.bad
	}
	q.Group = cmp.Or(q.Group, n.base.Group)
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return nil, ErrClosed
	}
	n.wg.Add(1)
	n.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	events, err := n.b.Watch(ctx, q)
	if err != nil {
		cancel()
		n.wg.Done()
		return nil, fmt.Errorf("discovery: watch: %w", err)
	}
	c := make(chan Event)
	go func() {
		defer n.wg.Done()
		defer close(c)
		defer func() {
			cancel()
			for range events { // until it is closed
			}
		}()
		for {
			select {
			case e, open := <-events:
				if !open {
					return
				}
				if e.Record.ID == n.base.ID && e.Record.ID != (ID{}) {
					continue
				}
				select {
				case c <- e:
				case <-n.done:
					return
				case <-ctx.Done():
					return
				}
			case <-n.done:
				return
			}
		}
	}()
	return c, nil
}

// Peers returns the records of the nodes that are there, sorted by ID, this one left out. It waits until the backend
// has told all that was present: at once if it is being watched already, else for about as long as others may take to
// answer. If ctx ends before that, it returns what is known by then and the error of ctx.
func (n *Node) Peers(ctx context.Context, q Query) ([]Record, error) {
	watch, cancel := context.WithCancel(ctx)
	defer cancel()
	events, err := n.Watch(watch, q)
	if err != nil {
		return nil, err
	}
	found := make(map[ID]Record)
	sorted := func() []Record {
		list := make([]Record, 0, len(found))
		for _, r := range found {
			list = append(list, r)
		}
		slices.SortFunc(list, func(a, b Record) int { return slices.Compare(a.ID[:], b.ID[:]) })
		return list
	}
	for e := range events {
		switch e.Kind {
		case Added, Updated:
			found[e.Record.ID] = e.Record
		case Left, Expired:
			delete(found, e.Record.ID)
		case Synced:
			return sorted(), nil
		case Incompatible, Trouble:
		}
	}
	if ctx.Err() != nil {
		return sorted(), context.Cause(ctx)
	}
	return sorted(), ErrClosed
}

// Shutdown says goodbye, and then disconnects what Connect has connected and ends all watches. ctx bounds how long the
// goodbye may take; what the backend says of it is the error. The rest is done however ctx ends, without waiting for
// anybody but the backend to give up what it has open. The sockets stay open.
//
// A second call, or one after Close, waits for the first, or until ctx ends, and returns nil.
func (n *Node) Shutdown(ctx context.Context) error {
	first, err := n.shutdown(ctx)
	if !first {
		select {
		case <-n.ended:
		case <-ctx.Done():
		}
	}
	return err
}

// shutdown ends the node, unless another call has begun to.
func (n *Node) shutdown(ctx context.Context) (first bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return false, nil
	}
	n.closed, n.hurry = true, cancel
	n.offers = nil
	stop := n.stop
	n.mu.Unlock()
	defer close(n.ended)

	if stop != nil {
		stop()
	}
	err = n.lockAnnounce(ctx)
	if err != nil {
		n.mu.Lock()
		n.goodbyeDeferred = true
		n.mu.Unlock()
		if n.lockAnnounce(ctx) == nil { // it was given just before that could be seen
			err = nil
		}
	}
	if err == nil {
		err = n.goodbye(ctx)
		n.unlockAnnounce()
	}
	if stop != nil {
		<-n.followed
	}

	close(n.done)
	n.mu.Lock()
	running := make([]*connect, 0, len(n.connects))
	for _, c := range n.connects {
		running = append(running, c)
		c.cancel()
	}
	n.mu.Unlock()
	for _, c := range running {
		<-c.ended
	}
	n.wg.Wait()
	if err != nil {
		return true, fmt.Errorf("discovery: goodbye: %w", err)
	}
	return true, nil
}

// Close is Shutdown with half a second for the goodbye, which is plenty for packets and too little for a network that
// does not answer; what the backend says of the goodbye is the error. During a Shutdown it leaves that as long, waits
// for it to return, and returns nil, as it does when the node is closed already.
func (n *Node) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	if first, err := n.shutdown(ctx); first {
		return err
	}
	select {
	case <-n.ended:
	case <-ctx.Done():
		n.mu.Lock()
		hurry := n.hurry
		n.mu.Unlock()
		hurry()
		<-n.ended
	}
	return nil
}
