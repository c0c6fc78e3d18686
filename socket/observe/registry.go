package observe

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A Registry has the sockets, nodes and spools of a program that are to be seen from outside. It does nothing by
// itself: it asks them when somebody reads a snapshot, and the way of a message does not know of it. All methods may
// be called by any number of goroutines.
type Registry struct {
	topics  bool
	process Process
	now     func() time.Time

	mu      sync.Mutex // not held while a source is asked
	sockets []*socketEntry
	nodes   []Inspector
	spools  []spoolEntry
	checks  []readiness
	ending  bool
	series  map[string]bool // names of sockets that metrics count by themselves
	removed []Totals

	encoded encoded
	streams atomic.Int64
	done    chan struct{} // closed by Close

	controlMu sync.Mutex
	control   *control // nil before Listen
}

type socketEntry struct {
	name, series string
	source       Source
}

type spoolEntry struct {
	name  string
	spool Spool
}

const (
	// maxName is how long a name may be, in bytes.
	maxName = 64
	// maxSeries is how many names of sockets, and of spools, metrics count by themselves.
	maxSeries = 64
	// otherName is how metrics call what goes beyond a bound.
	otherName = "other"
)

// New returns an empty Registry.
func New(opts ...Option) *Registry {
	r := &Registry{process: thisProcess(), now: time.Now, series: make(map[string]bool), done: make(chan struct{})}
	for _, o := range opts {
		if o != nil {
			o.set(r)
		}
	}
	return r
}

// Close closes the control socket, see [Registry.Listen], and ends live streams. When it returns no goroutine of the
// registry's is left; a stream of the program's own server whose reader does not read ends up to 5 s later. What was
// added is not closed, and snapshots can still be had. To close again does nothing.
func (r *Registry) Close() error {
	r.controlMu.Lock()
	defer r.controlMu.Unlock()
	if r.isClosed() {
		return nil
	}
	close(r.done)
	if r.control != nil {
		r.control.close()
	}
	return nil
}

func (r *Registry) isClosed() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// Add has snapshots tell of a socket, until [Registry.Remove]. The name is for people and becomes a label of metrics,
// so that it should be one of few, such as "orders"; "" stands for the type in lower case. Several sockets may have
// the same name: metrics add them up. They do so too with whatever comes after the first 64 names of the registry's
// life, by the name "other". Names are cut at 64 bytes, and control characters in them replaced. To add a socket again
// does nothing.
func (r *Registry) Add(name string, s Source) {
	if name == "" {
		name = strings.ToLower(s.Type())
	}
	name = clean(name, maxName)
	r.mu.Lock()
	defer r.mu.Unlock()
	if slices.ContainsFunc(r.sockets, func(e *socketEntry) bool { return e.source == s }) {
		return
	}
	series := name
	if !r.series[name] {
		if len(r.series) < maxSeries {
			r.series[name] = true
		} else {
			series = otherName
		}
	}
	r.sockets = append(r.sockets, &socketEntry{name, series, s})
}

// Remove has snapshots tell of a socket no more; what it has counted stays in the sums, so that no counter of a metric
// ever falls. Call it after Close, or what the socket counts from then on is missing. It does nothing for a socket that
// is not there.
func (r *Registry) Remove(s Source) {
	stats, typ := s.Stats(), s.Type()
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.sockets, func(e *socketEntry) bool { return e.source == s })
	if i < 0 {
		return
	}
	name := r.sockets[i].series
	r.sockets = slices.Delete(r.sockets, i, i+1)
	j := slices.IndexFunc(r.removed, func(t Totals) bool { return t.Name == name && t.Type == typ })
	if j < 0 {
		j = len(r.removed)
		r.removed = append(r.removed, Totals{Name: name, Type: typ})
	}
	r.removed[j].add(stats)
}

// AddNode has snapshots tell of a node of discovery.
func (r *Registry) AddNode(n Inspector) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.nodes = append(r.nodes, n)
}

// AddSpool has snapshots tell of a spool. Of the name the same is true as with [Registry.Add].
func (r *Registry) AddSpool(name string, q Spool) {
	if name == "" {
		name = "spool"
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spools = append(r.spools, spoolEntry{clean(name, maxName), q})
}

// A view is what the registry has at one moment.
type view struct {
	sockets []*socketEntry
	nodes   []Inspector
	spools  []spoolEntry
	checks  []readiness
	ending  bool
	removed []Totals
}

func (r *Registry) view() view {
	r.mu.Lock()
	defer r.mu.Unlock()
	v := view{
		slices.Clone(r.sockets), slices.Clone(r.nodes), slices.Clone(r.spools), slices.Clone(r.checks), r.ending,
		make([]Totals, 0, len(r.removed)),
	}
	for _, t := range r.removed {
		v.removed = append(v.removed, t.clone())
	}
	return v
}
