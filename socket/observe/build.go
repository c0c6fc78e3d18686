package observe

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/yodel-mq/yodel/socket"
)

// How a snapshot of the registry comes about; that of one socket is in build_socket.go.

// maxListed is how many entries a list of a snapshot has.
const maxListed = 200

// module is the path of this module.
const module = "github.com/yodel-mq/yodel"

func thisProcess() Process {
	p := Process{
		Name: clean(filepath.Base(os.Args[0]), maxName), PID: os.Getpid(), Node: socket.ThisNode().String(),
		Go: runtime.Version(), Started: time.Now().UTC().Round(0),
	}
	if host, err := os.Hostname(); err == nil {
		p.Host = clean(host, maxText)
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range append([]*debug.Module{&info.Main}, info.Deps...) {
			if m.Path == module {
				p.Version = m.Version
			}
		}
	}
	return p
}

// Snapshot asks all that was added, and returns what it says. It takes some microseconds for each socket and about a
// millisecond for each thousand peers.
func (r *Registry) Snapshot() *Snapshot {
	v := r.view()
	now := r.now().UTC().Round(0)
	s := &Snapshot{
		V: Version, Time: now, Process: r.process, Removed: v.removed,
		Sockets: make([]SocketState, 0, len(v.sockets)), Nodes: make([]NodeState, 0, len(v.nodes)),
		Spools: make([]SpoolState, 0, len(v.spools)), Checks: v.results(),
	}
	for _, e := range v.sockets {
		s.Sockets = append(s.Sockets, r.socketState(e, now))
	}
	for _, n := range v.nodes {
		s.Nodes = append(s.Nodes, nodeState(n))
	}
	for _, q := range v.spools {
		s.Spools = append(s.Spools, spoolState(q, now))
	}
	s.Warnings = warn(s)
	return s
}

// nodeState asks a node.
func nodeState(in Inspector) (n NodeState) {
	v := in.Inspect()
	if as, ok := v.(NodeState); ok {
		n = as
	} else if err := convert(v, &n); err != nil {
		n = NodeState{Trouble: []string{clean(fmt.Sprintf("what the node says of itself cannot be read: %v", err), maxText)}}
	}
	if over := len(n.Known) - maxListed; over > 0 {
		n.Known, n.KnownMore = n.Known[:maxListed], n.KnownMore+over
	}
	return n
}

// convert reads a value of another package by what it looks like as JSON.
func convert(v any, n *NodeState) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, n)
}

// spoolState asks a spool.
func spoolState(q spoolEntry, now time.Time) SpoolState {
	s := q.spool.Stats()
	out := SpoolState{
		Name:      q.name,
		Messages:  s.Live.Messages,
		Bytes:     s.Live.Bytes,
		Dead:      s.Dead.Messages,
		Files:     s.Files,
		MaxFiles:  s.MaxBytes,
		Expired:   Count{s.Expired.Messages, s.Expired.Bytes},
		Dropped:   Count{s.Dropped.Messages, s.Dropped.Bytes},
		Damaged:   s.Damaged.Messages,
		Commits:   s.Commits,
		CommitP50: s.CommitP50.Microseconds(),
		CommitP99: s.CommitP99.Microseconds(),
		CommitMax: s.CommitMax.Microseconds(),
	}
	if !s.Oldest.IsZero() {
		out.Oldest = max(now.Sub(s.Oldest).Seconds(), 0)
	}
	if s.Failing != nil {
		out.Failing = clean(s.Failing.Error(), maxText)
	}
	return out
}
