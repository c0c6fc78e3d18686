package discovery

import (
	"container/list"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// TableConfig says how a [Table] judges. The zero value works.
type TableConfig struct {
	// Trust decides whose records count; nil stands for Open.
	Trust Trust
	// Limits bound what is held.
	Limits Limits
	// Wire is the protocol spoken here, such as "zmtp/3.1": nodes with another protocol or major version show up as
	// Incompatible. "" lets all be.
	Wire string
	// MinTTL and MaxTTL bound for how long an announcement counts, whatever it claims, so that neither a lying nor a
	// mistaken one can pin a node or make it flicker. 0 stands for 1 s and 120 s. A MaxTTL below MinTTL counts as
	// MinTTL.
	MinTTL, MaxTTL time.Duration
	// Watched is how many watches there may be at a time; 0 or less stands for 1024.
	Watched int
}

// A Table is what one backend knows: it checks records that arrive, forgets those that are no longer refreshed, and
// tells those who watch. It is safe for concurrent use, does no I/O, has a goroutine for each watch and none else,
// and its memory is bounded by its Limits whatever arrives and however slow the watchers are.
//
// Of the announcements of one node the newest (Incarnation, Revision) counts. One pair stands for one content. Where
// records have proofs, the time at which they were issued must not go backwards either, so that a recorded
// announcement does not keep a node alive that has gone, nor bring it back.
type Table struct {
	source string
	cfg    TableConfig
	trust  Trust
	done   chan struct{} // closed by Close

	mu          sync.Mutex
	closed      bool
	synced      bool
	nodes       map[ID]*entry
	unconfirmed list.List // of *entry, the oldest first; see Limits
	sources     map[netip.Addr]map[*entry]struct{}
	tombstones  tombstones
	watches     map[*watch]struct{}
	missed      []Event   // Troubles while there was no watch
	limitToldAt time.Time // when a limit was told of last
	stats       TableStats
}

// An entry is what is known of one ID.
type entry struct {
	rec          *Record // never changed, only replaced: watchers hold it too
	digest       [8]byte
	tag          string // of its group
	incompatible bool   // Incompatible
	first        time.Time
	source       netip.Addr    // where it was first heard from
	unconfirmed  *list.Element // its place in Table.unconfirmed
	paths        paths
	expiry
}

// NewTable returns an empty table. Events name the source.
func NewTable(source string, c TableConfig) *Table {
	if c.Trust == nil {
		c.Trust = Open()
	}
	c.Limits = c.Limits.orDefault()
	if c.MinTTL <= 0 {
		c.MinTTL = time.Second
	}
	if c.MaxTTL <= 0 {
		c.MaxTTL = 120 * time.Second
	}
	c.MaxTTL = max(c.MaxTTL, c.MinTTL)
	if c.Watched <= 0 {
		c.Watched = 1024
	}
	return &Table{
		source: source, cfg: c, trust: c.Trust,
		done:       make(chan struct{}),
		nodes:      make(map[ID]*entry),
		sources:    make(map[netip.Addr]map[*entry]struct{}),
		tombstones: tombstones{limit: c.Limits.Nodes},
		watches:    make(map[*watch]struct{}),
	}
}

// Put takes an announcement. From holds the address it came from, if there is one. It counts for ttl or r.Lifetime,
// whichever is less, if greater than 0, within MinTTL and MaxTTL; with a ttl of Forever for good. A record with
// Goodbye goes to Leave.
//
// Errors wrap ErrRecord, ErrUntrusted, ErrStale (older than what is known, replayed, or something else under the same
// revision), ErrLimit or ErrClosed; the table is then as it was.
func (t *Table) Put(r Record, ttl time.Duration) error {
	if r.Goodbye {
		return t.Leave(r)
	}
	err := r.bounded()
	if err == nil {
		err = t.trust.Verify(&r)
	}
	if err != nil {
		return t.refused(err)
	}
	r = r.Clone()
	r.proven = t.trust.proves()
	n := &entry{rec: &r, digest: r.Digest(), tag: t.trust.Tag(r.Group), incompatible: !compatible(t.cfg.Wire, r.Wire)}
	n.expiry = t.cfg.expiry(ttl, r.Lifetime)
	n.paths = n.paths.heard(r.From, false, n.full)
	r.From = n.paths.addrs()

	t.mu.Lock()
	defer t.mu.Unlock()
	switch old := t.nodes[r.ID]; {
	case t.closed:
		err = fmt.Errorf("%w: %s", ErrClosed, t.source)
	case old == nil:
		err = t.add(n)
	default:
		err = t.refresh(old, n)
	}
	if err != nil {
		return t.stats.refuse(err)
	}
	t.stats.Put++
	return nil
}

// add takes a node that was not known.
func (t *Table) add(n *entry) error {
	now := time.Now()
	if err := t.tombstones.check(n.rec, t.trust.proves(), now); err != nil {
		return err
	}
	if len(n.rec.From) > 0 {
		n.source = n.rec.From[0].WithZone("")
	}
	if err := t.makeRoom(n.source); err != nil {
		return err
	}
	t.tombstones.drop(n.rec.ID)
	t.nodes[n.rec.ID] = n
	n.first = now
	t.index(n)
	t.scheduleExpiry(n)
	t.stats.Added++
	t.notify(n, nil)
	return nil
}

// refresh takes another announcement of a node that is known.
func (t *Table) refresh(n, heard *entry) error {
	old, r := n.rec, heard.rec
	newer := r.Newer(old)
	switch {
	case old.Newer(r):
		return stale(r, "of an older incarnation or revision than known")
	case t.trust.proves() && r.Issued.Before(old.Issued):
		return stale(r, "issued before one that is known")
	case !newer && heard.digest != n.digest:
		return stale(r, "says something else under the same revision")
	case !t.trust.same(old, r):
		return fmt.Errorf("%w: %v is known with another key", ErrUntrusted, r.ID)
	}
	switch duplicate := t.trust.proves() && r.Issued.Equal(old.Issued); {
	case newer:
		n.renew(heard.full)
		n.paths = heard.paths
	case duplicate:
		// A copy, that came another way or was recorded. It is a sign of life, but not of a longer one.
		n.paths = n.paths.heard(r.From, true, heard.full)
		r = old
		n.until = n.full
	default:
		n.extend(heard.full)
		n.paths = n.paths.heard(r.From, false, heard.full)
	}
	from := n.paths.addrs()
	news := newer || reaches(from, old)
	c := *r
	c.From = from
	n.rec, n.digest, n.tag, n.incompatible = &c, heard.digest, heard.tag, heard.incompatible
	t.heardAgain(n)
	t.scheduleExpiry(n)
	if news {
		t.stats.Updated++
		t.notify(n, old)
	}
	return nil
}

// reaches reports whether from has an address that is not known yet as a way to the node.
func reaches(from []netip.Addr, old *Record) bool {
	for _, a := range from {
		if !has(old.From, a) && !has(old.Addrs, a) {
			return true
		}
	}
	return false
}

// Leave takes a goodbye. Where records have proofs, r must be a record with Goodbye and a proof issued no earlier than
// what is known, anything else is ErrUntrusted, and the caller does well to have the node confirmed (see Suspect): a
// recorded announcement that somebody sends with a TTL of 0 is no goodbye. In open mode it is believed if it comes
// from an address that the node was heard from, and needs nothing but ID and From. A goodbye of a node that is not
// known is no error.
func (t *Table) Leave(r Record) error {
	proves := t.trust.proves()
	err := r.bounded()
	switch {
	case err != nil:
	case proves && !r.Goodbye:
		err = fmt.Errorf("%w: a goodbye for %v without a proof", ErrUntrusted, r.ID)
	default:
		err = t.trust.Verify(&r)
	}
	if err != nil {
		return t.refused(err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.nodes[r.ID]
	switch {
	case t.closed:
		err = fmt.Errorf("%w: %s", ErrClosed, t.source)
	case n == nil:
		// It may be that its announcement is still under way. Without a proof this would let anybody lock a node out.
		if proves && t.tombstones.check(&r, true, time.Now()) == nil {
			t.tombstones.add(r.ID, versionOf(&r), true, true)
		}
		return nil
	case !proves && !heardFrom(n, &r):
		err = fmt.Errorf("%w: a goodbye for %v from elsewhere, %v", ErrUntrusted, r.ID, r.From)
	case !proves && r.Incarnation == 0 && r.Revision == 0: // names the node alone
	case n.rec.Newer(&r), proves && r.Issued.Before(n.rec.Issued):
		err = stale(&r, "a goodbye from before what is known")
	case !t.trust.same(n.rec, &r):
		err = fmt.Errorf("%w: %v is known with another key", ErrUntrusted, r.ID)
	}
	if err != nil {
		return t.stats.refuse(err)
	}
	last := versionOf(n.rec)
	if proves || r.Newer(n.rec) {
		last = versionOf(&r)
	}
	if !proves { // who may have said it after the node, see Event
		c := *n.rec
		c.From = n.paths.heard(r.From, false, n.full).addrs()
		n.rec = &c
	}
	t.remove(n, Left)
	t.tombstones.add(r.ID, last, true, proves)
	return nil
}

// heardFrom reports whether r came from an address that n was heard from; a backend without addresses knows what it
// does.
func heardFrom(n *entry, r *Record) bool {
	for _, a := range r.From {
		if has(n.rec.From, a) {
			return true
		}
	}
	return len(n.rec.From) == 0
}

// remove forgets a node.
func (t *Table) remove(n *entry, k EventKind) {
	delete(t.nodes, n.rec.ID)
	t.unindex(n)
	if n.timer != nil {
		n.timer.Stop()
	}
	switch k {
	case Left:
		t.stats.Left++
	default:
		t.stats.Expired++
		if t.trust.proves() {
			t.tombstones.add(n.rec.ID, versionOf(n.rec), false, true)
		}
	}
	t.notifyGone(n, k)
}

// refused counts an error that was found before the table was locked.
func (t *Table) refused(err error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.stats.refuse(err)
}

func stale(r *Record, why string) error {
	return fmt.Errorf("%w: %v (%d.%d): %s", ErrStale, r.ID, r.Incarnation, r.Revision, why)
}

// compatible reports whether two protocols, such as zmtp/3.1 and zmtp/3.0, have the same name and major version, as
// far as they are known.
func compatible(ours, theirs string) bool {
	if ours == "" || theirs == "" {
		return true
	}
	major := func(wire string) string {
		name, version, _ := strings.Cut(wire, "/")
		version, _, _ = strings.Cut(version, ".")
		return name + "/" + version
	}
	return major(ours) == major(theirs)
}
