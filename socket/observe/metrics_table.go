package observe

import (
	"maps"
	"slices"
	"strconv"

	"github.com/yodel-mq/yodel/socket"
)

// The table of all metrics: what each is called, what it means and how it is read. Whoever writes metrics in another
// form has them from Snapshot.Metrics, and so from here.

// Reasons that any socket may have for dropping or discarding, and those that few have.
var (
	dropsAlways = []socket.Reason{
		socket.NoSubscriber, socket.QueueFull, socket.PeerGone, socket.Unroutable, socket.Undeliverable, socket.SocketClosed,
	}
	dropsSeldom = []socket.Reason{
		socket.GivenUp, socket.Rejected, socket.TooManyDeliveries, socket.DeadLettered, socket.SpoolFull, socket.Purged,
		socket.Damaged, socket.Expired,
	}
	discardsAlways = []socket.Reason{
		socket.NotSubscribed, socket.BadEnvelope, socket.StaleReply, socket.Replaced, socket.Refused, socket.Unexpected,
		socket.SocketClosed, socket.PeerGone,
	}
	discardsSeldom = []socket.Reason{
		socket.QueueFull, socket.Repeated, socket.Expired, socket.TooLarge, socket.Duplicate,
	}
)

// Events that any socket may have are there from the beginning.
var eventsAlways = []socket.EventKind{
	socket.PeerUp, socket.PeerDown, socket.ConnectFailed, socket.HandshakeFailed, socket.SlowPeer, socket.Dropped,
}

// flows are the columns of the ledger that only rise.
var flows = []struct {
	name string
	of   func(*Ledger) Count
}{
	{"accepted", func(l *Ledger) Count { return l.Accepted }},
	{"recovered", func(l *Ledger) Count { return l.Recovered }},
	{"delivered", func(l *Ledger) Count { return l.Delivered }},
	{"received", func(l *Ledger) Count { return l.Received }},
	{"loaded", func(l *Ledger) Count { return l.Loaded }},
	{"handed", func(l *Ledger) Count { return l.Handed }},
}

// stations are the columns that say what of reliable links, spools and inboxes is not settled.
var stations = []struct {
	name string
	of   func(*Ledger) Count
}{
	{"spooled", func(l *Ledger) Count { return l.Spooled }},
	{"unacknowledged", func(l *Ledger) Count { return l.Unacknowledged }},
	{"stored", func(l *Ledger) Count { return l.Stored }},
}

// A metric is a line of the table.
type metric[T any] struct {
	name string
	kind Kind
	help string
	read func(of T, add adder)
}

var socketTable = []metric[*group]{
	{
		"yodel_socket_messages_total", Counter,
		"Messages by how far they have come: accepted, recovered and delivered are the way out, the others the way in.",
		func(g *group, add adder) {
			for _, f := range flows {
				add(float64(f.of(&g.counted).Messages()), "flow", f.name)
			}
		},
	},
	{
		"yodel_socket_bytes_total", Counter, "Payload of these messages.",
		func(g *group, add adder) {
			for _, f := range flows {
				add(float64(f.of(&g.counted).Bytes()), "flow", f.name)
			}
		},
	},
	{
		"yodel_socket_dropped_messages_total", Counter, "Messages dropped on the way out.",
		func(g *group, add adder) {
			addByReason(g.counted.Dropped, Count.Messages, dropsAlways, dropsSeldom, add)
		},
	},
	{
		"yodel_socket_dropped_bytes_total", Counter, "Payload of these messages.",
		func(g *group, add adder) { addByReason(g.counted.Dropped, Count.Bytes, dropsAlways, dropsSeldom, add) },
	},
	{
		"yodel_socket_discarded_messages_total", Counter, "Messages discarded on the way in.",
		func(g *group, add adder) {
			addByReason(g.counted.Discarded, Count.Messages, discardsAlways, discardsSeldom, add)
		},
	},
	{
		"yodel_socket_discarded_bytes_total", Counter, "Payload of these messages.",
		func(g *group, add adder) {
			addByReason(g.counted.Discarded, Count.Bytes, discardsAlways, discardsSeldom, add)
		},
	},
	{
		"yodel_socket_queued_messages", Gauge, "Messages in memory that wait to be sent (out) or received (in).",
		func(g *group, add adder) {
			add(float64(g.now.Queued.Messages()), "direction", "out")
			add(float64(g.now.Unread.Messages()), "direction", "in")
		},
	},
	{
		"yodel_socket_queued_bytes", Gauge, "Payload of these messages.",
		func(g *group, add adder) {
			add(float64(g.now.Queued.Bytes()), "direction", "out")
			add(float64(g.now.Unread.Bytes()), "direction", "in")
		},
	},
	{
		"yodel_socket_unsettled_messages", Gauge,
		"Messages on disk, to be sent (spooled) or received (stored), and those sent that are not acknowledged.",
		func(g *group, add adder) {
			for _, f := range stations {
				add(float64(f.of(&g.now).Messages()), "station", f.name)
			}
		},
	},
	{
		"yodel_socket_unsettled_bytes", Gauge, "Payload of these messages.",
		func(g *group, add adder) {
			for _, f := range stations {
				add(float64(f.of(&g.now).Bytes()), "station", f.name)
			}
		},
	},
	{
		"yodel_socket_queue_fill_ratio", Gauge, "How full the queue of the fullest peer is, up to 1 at its high-water mark.",
		func(g *group, add adder) {
			var out, in float64
			for _, s := range g.sockets {
				out, in = max(out, s.SendFill), max(in, s.RecvFill)
			}
			add(out, "direction", "out")
			add(in, "direction", "in")
		},
	},
	{
		"yodel_socket_full_peers", Gauge, "Peers whose queue has come to its mark and not been down to half of it since.",
		func(g *group, add adder) { add(g.sum(func(s *SocketState) int { return s.FullPeers })) },
	},
	{
		"yodel_socket_peers", Gauge, `Peers that are connected; of the type "none" while there are none.`, addPeerCounts,
	},
	{
		"yodel_socket_endpoints", Gauge,
		"Endpoints the socket is bound to, or connects to: up with a peer and trying without.",
		func(g *group, add adder) {
			add(g.sum(func(s *SocketState) int { return s.EndpointCounts.Bound }), "state", "bound")
			add(g.sum(func(s *SocketState) int { return s.EndpointCounts.Up }), "state", "up")
			add(g.sum(func(s *SocketState) int { return s.EndpointCounts.Trying }), "state", "trying")
		},
	},
	{
		"yodel_socket_failing_endpoints", Gauge, "Of those that are trying, endpoints by the cause of the last failure.",
		func(g *group, add adder) {
			by := make(map[string]int)
			for _, s := range g.sockets {
				for why, n := range s.EndpointCounts.Causes {
					by[among(why, causes)] += n
				}
			}
			for _, why := range causes {
				add(float64(by[why]), "cause", why)
			}
		},
	},
	{"yodel_socket_events_total", Counter, "Events of each kind.", addEventCounts},
	{
		"yodel_socket_subscriptions", Gauge, "Topics that all peers are subscribed to; of a SUB, its own.",
		func(g *group, add adder) { add(g.sum(func(s *SocketState) int { return s.Subscriptions })) },
	},
	{
		"yodel_socket_rtt_seconds", Gauge, "Round-trip time to the peers that answer heartbeats.",
		func(g *group, add adder) {
			var median, most int64
			for _, s := range g.sockets {
				median, most = max(median, s.RTTMedian), max(most, s.RTTMax)
			}
			if most > 0 {
				add(float64(median)/1e6, "stat", "median")
				add(float64(most)/1e6, "stat", "max")
			}
		},
	},
	{
		"yodel_ledger_unbalanced", Gauge, "1 if messages are not accounted for, which is a bug of Yodel's.",
		func(g *group, add adder) {
			if slices.ContainsFunc(g.sockets, func(s *SocketState) bool { return s.Unbalanced != "" }) {
				add(1)
			} else {
				add(0)
			}
		},
	},
}

// sum adds up a figure of all sockets.
func (g *group) sum(of func(*SocketState) int) (total float64) {
	for _, s := range g.sockets {
		total += float64(of(s))
	}
	return total
}

func addByReason(by map[string]Count, of func(Count) uint64, always, seldom []socket.Reason, add adder) {
	rest := maps.Clone(by)
	for _, why := range always {
		add(float64(of(by[string(why)])), "reason", string(why))
		delete(rest, string(why))
	}
	for _, why := range seldom {
		if c := by[string(why)]; c.Messages() > 0 || c.Bytes() > 0 {
			add(float64(of(c)), "reason", string(why))
		}
		delete(rest, string(why))
	}
	if len(rest) > 0 {
		var other Count
		for _, c := range rest {
			other = other.plus(c)
		}
		add(float64(of(other)), "reason", otherName)
	}
}

func addPeerCounts(g *group, add adder) {
	by := make(map[PeerCount]float64)
	for _, s := range g.sockets {
		for _, c := range s.PeerCounts {
			by[PeerCount{Type: among(c.Type, socketTypes), Yodel: c.Yodel}] += float64(c.Peers)
		}
	}
	for _, c := range slices.SortedFunc(maps.Keys(by), comparePeerCounts) {
		yodel := "0"
		if c.Yodel {
			yodel = "1"
		}
		add(by[c], "peer_type", c.Type, "yodel", yodel)
	}
	if len(by) == 0 {
		add(0, "peer_type", "none", "yodel", "0")
	}
}

func addEventCounts(g *group, add adder) {
	rest := maps.Clone(g.events)
	for kind := socket.EventKind(1); kind.String() != "event "+strconv.Itoa(int(kind)); kind++ {
		name := kind.String()
		if n := rest[name]; n > 0 || slices.Contains(eventsAlways, kind) {
			add(float64(n), "kind", name)
		}
		delete(rest, name)
	}
	if len(rest) > 0 {
		var other uint64
		for _, n := range rest {
			other += n
		}
		add(float64(other), "kind", otherName)
	}
}

var nodeTable = []metric[*backend]{
	{
		"yodel_discovery_nodes", Gauge, "Other nodes that are known.",
		func(n *backend, add adder) { add(float64(n.known)) },
	},
	{
		"yodel_discovery_services", Gauge, "Services that are announced.",
		func(n *backend, add adder) { add(float64(n.announces)) },
	},
	{
		"yodel_discovery_refused_total", Counter, "Announcements that were turned away.",
		func(n *backend, add adder) {
			rest := maps.Clone(n.refused)
			for _, why := range []string{"bad", "untrusted", "stale", "limit"} {
				add(float64(n.refused[why]), "reason", why)
				delete(rest, why)
			}
			if len(rest) > 0 {
				var other uint64
				for _, n := range rest {
					other += n
				}
				add(float64(other), "reason", otherName)
			}
		},
	},
}

var spoolTable = []metric[*SpoolState]{
	{
		"yodel_spool_messages", Gauge, "Messages on disk that are not settled.",
		func(q *SpoolState, add adder) { add(float64(q.Messages)) },
	},
	{
		"yodel_spool_bytes", Gauge, "Payload of these messages, about.",
		func(q *SpoolState, add adder) { add(float64(q.Bytes)) },
	},
	{
		"yodel_spool_files_bytes", Gauge, "What the files of the spool take.",
		func(q *SpoolState, add adder) { add(float64(q.Files)) },
	},
	{
		"yodel_spool_oldest_age_seconds", Gauge, "How long the oldest of these messages has been there; 0 without one.",
		func(q *SpoolState, add adder) { add(q.Oldest) },
	},
	{
		"yodel_spool_dead_letters", Gauge, "Dead letters that are kept.",
		func(q *SpoolState, add adder) { add(float64(q.Dead)) },
	},
	{
		"yodel_spool_lost_messages_total", Counter, "Messages that were not kept, since the spool was opened.",
		func(q *SpoolState, add adder) {
			add(float64(q.Expired.Messages()), "reason", "expired")
			add(float64(q.Dropped.Messages()), "reason", "dropped")
			add(float64(q.Damaged), "reason", "damaged")
		},
	},
	{
		"yodel_spool_commits_total", Counter, "Commits since the spool was opened.",
		func(q *SpoolState, add adder) { add(float64(q.Commits)) },
	},
	{
		"yodel_spool_commit_seconds", Gauge,
		"How long a commit takes: median and 99th percentile of the last 1,024, and the longest.",
		func(q *SpoolState, add adder) {
			add(float64(q.CommitP50)/1e6, "stat", "median")
			add(float64(q.CommitP99)/1e6, "stat", "p99")
			add(float64(q.CommitMax)/1e6, "stat", "max")
		},
	},
	{
		"yodel_spool_failing", Gauge, "1 if the last write or sync failed.",
		func(q *SpoolState, add adder) {
			if q.Failing != "" {
				add(1)
			} else {
				add(0)
			}
		},
	},
}
