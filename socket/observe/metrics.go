package observe

import (
	"maps"
	"slices"
)

// A Kind says how the values of a metric behave.
type Kind string

// Kinds of metrics.
const (
	// Counter only rises while the process runs.
	Counter Kind = "counter"
	// Gauge goes up and down.
	Gauge Kind = "gauge"
)

// A Family is a metric with all its samples.
type Family struct {
	// Name is as Prometheus names metrics, with its unit at the end: "yodel_socket_messages_total".
	Name string
	// Help is a sentence for people.
	Help    string
	Kind    Kind
	Samples []Sample
}

// A Sample is one value of a metric. No two samples of a family have the same labels.
type Sample struct {
	Labels []Label
	Value  float64
}

// A Label tells samples of a family apart.
type Label struct{ Name, Value string }

// Metrics returns what a snapshot says in figures, for any system of metrics; [WriteMetrics] writes it for Prometheus.
//
// The number of samples does not depend on who connects or what is sent: a label is the name that the program itself
// has given to a socket or spool, of which there are at most 64 and "other", or one of few words that are known
// beforehand, among them "other" for what is not known. No address, identity, user, topic or node is ever one.
//
// Sockets of the same name and type are added up. Reasons and events that any socket may have are there from the
// beginning, with 0; others once they have happened.
func (s *Snapshot) Metrics() []Family {
	var out []Family
	groups := s.groups()
	for _, m := range socketTable {
		f := Family{Name: m.name, Help: m.help, Kind: m.kind}
		for _, g := range groups {
			m.read(g, f.adder("socket", g.name, "type", g.typ))
		}
		out = append(out, f)
	}
	nodes := s.byBackend()
	for _, m := range nodeTable {
		f := Family{Name: m.name, Help: m.help, Kind: m.kind}
		for _, n := range nodes {
			m.read(n, f.adder("backend", n.backend))
		}
		out = append(out, f)
	}
	spools := s.bySpool()
	for _, m := range spoolTable {
		f := Family{Name: m.name, Help: m.help, Kind: m.kind}
		for _, q := range spools {
			m.read(q, f.adder("spool", q.Name))
		}
		out = append(out, f)
	}
	build := Family{Name: "yodel_build_info", Help: "Which Yodel this is; always 1.", Kind: Gauge}
	build.adder("version", clean(s.Process.Version, maxName), "zmtp", "3.1", "go", clean(s.Process.Go, maxName))(1)
	out = append(out, build)
	return slices.DeleteFunc(out, func(f Family) bool { return len(f.Samples) == 0 })
}

// An adder adds a sample to a family. Its labels are names and values in turn.
type adder func(value float64, labels ...string)

// adder returns one that puts further labels in front.
func (f *Family) adder(front ...string) adder {
	return func(value float64, labels ...string) {
		s := Sample{Value: value}
		for _, part := range [][]string{front, labels} {
			for i := 0; i+1 < len(part); i += 2 {
				s.Labels = append(s.Labels, Label{part[i], part[i+1]})
			}
		}
		f.Samples = append(f.Samples, s)
	}
}

// A group is the sockets of one name and type.
type group struct {
	name, typ string
	counted   Ledger // those that were removed included
	now       Ledger // those that are there
	events    map[string]uint64
	sockets   []*SocketState
}

// socketTypes are those of ZMTP.
var socketTypes = []string{
	"PAIR", "PUB", "SUB", "REQ", "REP", "DEALER", "ROUTER", "PULL", "PUSH", "XPUB", "XSUB",
}

// among is a word if it is one of those that are known.
func among(word string, known []string) string {
	if slices.Contains(known, word) {
		return word
	}
	return otherName
}

// A bound lets the first 64 names pass and has another one for all the rest.
type bound map[string]bool

func (b bound) name(name string) string {
	name = clean(name, maxName)
	if !b[name] && len(b) == maxSeries {
		return otherName
	}
	b[name] = true
	return name
}

// groups are in the order of their first socket.
func (s *Snapshot) groups() (all []*group) {
	names, by := make(bound), make(map[[2]string]*group)
	at := func(name, typ string) *group {
		name, typ = names.name(name), among(typ, socketTypes)
		g := by[[2]string{name, typ}]
		if g == nil {
			g = &group{name: name, typ: typ, events: make(map[string]uint64)}
			by[[2]string{name, typ}] = g
			all = append(all, g)
		}
		return g
	}
	for i := range s.Sockets {
		k := &s.Sockets[i]
		name := k.Name
		if k.Series != "" {
			name = k.Series
		}
		g := at(name, k.Type)
		g.sockets = append(g.sockets, k)
		g.counted.add(&k.Ledger)
		g.now.add(&k.Ledger)
		addEvents(g.events, k.Events)
	}
	for i := range s.Removed {
		t := &s.Removed[i]
		g := at(t.Name, t.Type)
		g.counted.add(&t.Ledger)
		addEvents(g.events, t.Events)
	}
	return all
}

func addEvents(to, by map[string]uint64) {
	for kind, n := range by {
		to[kind] += n
	}
}

// A backend is the nodes of one backend.
type backend struct {
	backend   string
	known     int
	announces int
	refused   map[string]uint64
}

// backends are those of this module.
var backends = []string{"mdns", "gossip", "dns", "static"}

func (s *Snapshot) byBackend() []*backend {
	by := make(map[string]*backend)
	for i := range s.Nodes {
		n := &s.Nodes[i]
		name := among(n.Backend, backends)
		if by[name] == nil {
			by[name] = &backend{backend: name, refused: make(map[string]uint64)}
		}
		by[name].known += len(n.Known) + n.KnownMore
		by[name].announces += len(n.Announces)
		addEvents(by[name].refused, n.Refused)
	}
	return sorted(by)
}

func (s *Snapshot) bySpool() []*SpoolState {
	names, by := make(bound), make(map[string]*SpoolState)
	for i := range s.Spools {
		q := &s.Spools[i]
		name := names.name(q.Name)
		to := by[name]
		if to == nil {
			to = &SpoolState{Name: name}
			by[name] = to
		}
		to.Messages += q.Messages
		to.Bytes += q.Bytes
		to.Dead += q.Dead
		to.Files += q.Files
		to.Expired = to.Expired.plus(q.Expired)
		to.Dropped = to.Dropped.plus(q.Dropped)
		to.Damaged += q.Damaged
		to.Commits += q.Commits
		to.Oldest = max(to.Oldest, q.Oldest)
		to.CommitP50 = max(to.CommitP50, q.CommitP50)
		to.CommitP99 = max(to.CommitP99, q.CommitP99)
		to.CommitMax = max(to.CommitMax, q.CommitMax)
		if q.Failing != "" {
			to.Failing = q.Failing
		}
	}
	return sorted(by)
}

// sorted are the values of a map by their keys.
func sorted[V any](by map[string]V) (all []V) {
	for _, name := range slices.Sorted(maps.Keys(by)) {
		all = append(all, by[name])
	}
	return all
}
