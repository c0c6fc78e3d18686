package gossip

import (
	"context"
	"encoding/base32"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/yodel-mq/yodel/discovery"
)

const (
	// resealEvery is how often records with a proof are announced anew: who joins later must not find them too old.
	resealEvery = 2 * time.Minute
	// grace is how long the goodbye of a node may arrive later than the news that its member has left.
	grace = 500 * time.Millisecond
)

// A session is a member, from the first Announce or Watch to the end of the last.
type session struct {
	config    *config
	table     *discovery.Table
	transport *transport
	seedID    discovery.ID // of what is announced elsewhere for others to join by
	byes      *memberlist.TransmitLimitedQueue

	ctx   context.Context //nolint:containedctx // of the goroutines below, which outlive the call that started them
	stop  context.CancelFunc
	wg    sync.WaitGroup
	begin sync.Once
	wake  chan struct{} // for run
	poked chan struct{} // for join

	ready   chan struct{} // closed when list is set: memberlist calls us before that
	joinEnd chan struct{} // closed when join has ended

	mu             sync.Mutex // never held while calling memberlist, whose own lock is held when it calls us
	closed         bool
	id             discovery.ID // of the member: a new one for each address, as memberlist refuses a name that moves
	list           *memberlist.Memberlist
	moved          chan struct{} // closed and replaced with each change of the address
	own            []*announcement
	bundle         []byte // the records of own
	changed        bool   // memberlist does not know of it yet
	members        map[discovery.ID]*member
	changedMembers map[discovery.ID]struct{} // members that run has to look at
	owners         map[discovery.ID]owner    // of records
	lost           []lostMember              // the latest last
	foundSeeds     map[discovery.ID][]string // seeds that watchers found
	joined         bool                      // seeds have been asked
	answers        int
	unsentGoodbyes [][]byte // goodbyes while there was no other member

	sum       uint64 // of what is known, see entropy.go
	changedAt time.Time
	syncing   bool
	syncedAt  time.Time
	syncPause time.Duration
	timers    map[discovery.ID]*time.Timer // that have run look at a member again, or forget an owner
}

// open makes this process a member, which is alone until start.
func open(c *config) (*session, error) {
	at := c.advertise
	if c.source != nil {
		ifs, _ := c.source()
		at = netip.AddrPortFrom(c.pick(addrsOf(ifs)), 0)
	}
	t, err := listen(c.bind, at, c.cut)
	if err != nil {
		return nil, err
	}
	t.keyless.Store(len(c.keys) == 0)
	s := &session{
		config: c, id: discovery.NewID(), seedID: discovery.NewID(), transport: t,
		table:          discovery.NewTable("gossip", discovery.TableConfig{Trust: c.trust, Limits: c.limits, Wire: c.wire}),
		moved:          make(chan struct{}),
		wake:           make(chan struct{}, 1),
		poked:          make(chan struct{}, 1),
		ready:          make(chan struct{}),
		joinEnd:        make(chan struct{}),
		members:        make(map[discovery.ID]*member),
		changedMembers: make(map[discovery.ID]struct{}),
		owners:         make(map[discovery.ID]owner),
		foundSeeds:     make(map[discovery.ID][]string),
		timers:         make(map[discovery.ID]*time.Timer),
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.byes = &memberlist.TransmitLimitedQueue{RetransmitMult: c.profile.memberlist().RetransmitMult, NumNodes: s.size}
	if s.list, err = s.enter(&instanceDelegate{session: s, self: s.id}, t.first); err != nil {
		s.stop()
		_ = t.Shutdown()
		s.table.Close()
		return nil, err
	}
	close(s.ready)
	return s, nil
}

// enter makes an instance of memberlist, which is alone.
func (s *session) enter(e *instanceDelegate, at *instanceTransport) (*memberlist.Memberlist, error) {
	c := s.config
	m := c.profile.memberlist()
	m.Name, m.Transport, m.Label = e.self.String(), at, label(c.group)
	m.BindPort, m.AdvertisePort = int(s.transport.bound.Port()), int(at.at.Port())
	m.Delegate, m.Events, m.Alive, m.Merge = e, e, s, s
	if c.tune != nil {
		c.tune(m)
	}
	if len(c.keys) > 0 {
		var err error
		if m.Keyring, err = memberlist.NewKeyring(c.keys[1:], c.keys[0]); err != nil {
			return nil, err
		}
	}
	return memberlist.Create(m)
}

// memberlist returns the instance that counts now.
func (s *session) memberlist() *memberlist.Memberlist {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.list
}

// label is what memberlist puts before each packet, in the clear, and binds to the encryption.
func label(group string) string {
	sum := groupSum(group)
	return "yodel-" + base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:15])
}

// start begins to join others. The first record is set before, so that others learn of it as they are joined.
func (s *session) start() {
	s.begin.Do(func() {
		s.wg.Go(s.run)
		s.wg.Go(func() {
			defer close(s.joinEnd)
			s.join()
		})
		s.wg.Go(s.compare)
		s.wg.Go(s.followAddress)
		s.findSeeds()
	})
}

// Watch watches the table.
func (s *session) Watch(ctx context.Context, q discovery.Query) (<-chan discovery.Event, error) {
	return s.table.Watch(ctx, q)
}

// Close tells the others that this member leaves, as far as ctx lasts, and gives everything up. A goroutine of
// memberlist that waits for the answer to a probe may outlive it by some seconds; it holds nothing, and ends by
// itself.
func (s *session) Close(ctx context.Context) {
	s.stop()
	s.begin.Do(func() { close(s.joinEnd) }) // has never started
	s.waitForPeer(ctx)
	within := 2 * time.Second
	if end, ok := ctx.Deadline(); ok {
		within = min(within, time.Until(end))
	}
	if ctx.Err() == nil && within > 0 {
		_ = s.memberlist().Leave(within) // or others find out
	}
	s.mu.Lock()
	s.closed = true
	for _, t := range s.timers {
		t.Stop()
	}
	list := s.list
	s.mu.Unlock()
	_ = s.transport.Shutdown() // both are always nil
	_ = list.Shutdown()
	s.wg.Wait()
	s.table.Close()
}

// waitForPeer waits a moment, if there is no other member, for a seed that is being joined or a member that is joining
// this one, and sends it the goodbyes that could not be sent: it may have learned of this member's records already.
func (s *session) waitForPeer(ctx context.Context) {
	wait := time.NewTimer(grace)
	defer wait.Stop()
	look := time.NewTicker(grace / 50)
	defer look.Stop()
	for s.size() <= 1 && s.peerExpected() {
		select {
		case <-look.C:
			continue
		case <-wait.C:
		case <-ctx.Done():
		}
		break
	}
	s.mu.Lock()
	to, unsent := s.randomMembers(maxDirect), s.unsentGoodbyes
	s.unsentGoodbyes = nil
	s.mu.Unlock()
	for _, msg := range unsent {
		s.sendTo(to, msg)
	}
}

// peerExpected reports whether a stream is open by which another member may learn of this one.
func (s *session) peerExpected() bool {
	select {
	case <-s.joinEnd:
		return s.transport.incoming() > 0
	default:
		return true
	}
}

func (s *session) sendTo(to []*memberlist.Node, msg []byte) {
	list := s.memberlist()
	for _, n := range to {
		_ = list.SendBestEffort(n, msg) // gossip makes up for what is lost
	}
}

// run makes the table say what the members do, and memberlist what this one does.
func (s *session) run() {
	reseal := time.NewTicker(resealEvery)
	defer reseal.Stop()
	syncBy := time.NewTimer(s.config.profile.syncWithin())
	defer syncBy.Stop()
	synced, late := false, false
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-s.wake:
		case <-syncBy.C:
			late = true
		case <-reseal.C:
			s.reseal()
		}
		s.mu.Lock()
		changed, joined := s.changed, s.joined
		s.changed = false
		s.mu.Unlock()
		if changed {
			// Queues the news, and would then wait until it has been passed on.
			_ = s.memberlist().UpdateNode(time.Nanosecond)
		}
		pending := s.look()
		if !synced && (joined && !pending || late) {
			synced = true
			s.table.Sync()
		}
	}
}

func (s *session) kick() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// announce sets the record of an announcement.
func (s *session) announce(a *announcement, r discovery.Record) error {
	r = r.Clone()
	r.From, r.Configured, r.Goodbye = nil, false, false
	sealed, err := s.seal(r)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.closed {
		return fmt.Errorf("%w: the announcement", discovery.ErrClosed)
	}
	own := s.own
	oldRecord, oldSealed := a.record, a.sealed
	if slices.Contains(own, a) {
		if !r.Newer(&oldRecord) && r.Digest() != oldRecord.Digest() {
			return badRecord("%v has changed, but not its revision", r.ID)
		}
	} else {
		if len(own) >= maxRecords {
			return limit("%d records announced already", len(own))
		}
		own = append(slices.Clip(own), a)
	}
	a.record, a.sealed = r, sealed
	if err := s.setOwn(own); err != nil {
		a.record, a.sealed = oldRecord, oldSealed
		return err
	}
	return nil
}

// setOwn makes the bundle of what is announced. s.mu is held.
func (s *session) setOwn(own []*announcement) error {
	var bundle []byte
	for _, a := range own {
		var err error
		if bundle, err = appendRecord(bundle, &a.sealed); err != nil {
			return err
		}
	}
	if len(bundle) > maxBundle {
		return limit("%d bytes of records, at most %d", len(bundle), maxBundle)
	}
	s.own, s.bundle, s.changed = own, bundle, true
	s.kick()
	return nil
}

// seal returns the record as it is announced.
func (s *session) seal(r discovery.Record) (discovery.Record, error) {
	r = r.Clone()
	if r.Group == "" {
		r.Group = discovery.DefaultGroup
	}
	err := s.config.trust.Seal(&r)
	return r, err
}

// reseal announces anew what has a proof.
func (s *session) reseal() {
	if s.config.trust.Mode() == discovery.Open().Mode() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.own {
		if sealed, err := s.seal(a.record); err == nil {
			a.sealed = sealed
		}
	}
	_ = s.setOwn(s.own) // of the same size as before
}

// goodbye takes an announcement back and tells all of it: directly, as far as they are not too many, and by gossip.
func (s *session) goodbye(a *announcement) error {
	s.mu.Lock()
	a.closed = true
	var own []*announcement
	for _, o := range s.own {
		if o != a {
			own = append(own, o)
		}
	}
	bye := discovery.Record{
		ID: a.record.ID, Incarnation: a.record.Incarnation, Revision: a.record.Revision, Group: a.record.Group, Goodbye: true,
	}
	err := s.setOwn(own)
	to := s.randomMembers(maxDirect)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	if bye, err = s.seal(bye); err != nil {
		return err
	}
	msg, err := byeMessage(&bye)
	if err != nil {
		return err
	}
	s.takeBye(bye)
	s.byes.QueueBroadcast(&byeBroadcast{id: bye.ID, msg: msg})
	if len(to) == 0 {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.unsentGoodbyes = append(s.unsentGoodbyes, msg)
		s.unsentGoodbyes = s.unsentGoodbyes[max(0, len(s.unsentGoodbyes)-maxRecords):]
		return nil
	}
	s.sendTo(to, msg)
	return nil
}

// maxDirect is how many members are told of a goodbye directly.
const maxDirect = 64

// jitter returns d give or take a quarter.
func jitter(d time.Duration) time.Duration { return d - d/4 + rand.N(d/2+1) }
