// Package observe shows from outside what the sockets of a program do: as a snapshot in JSON, once or each second, as
// metrics for Prometheus, and as answers to whether the program is alive and ready. It needs the standard library only.
//
//	reg := observe.New()
//	reg.Add("orders", pull)
//	reg.AddSpool("out", q)
//	reg.Ready("orders has a peer", observe.Peers(pull, 1))
//	err := observe.WriteMetrics(w, reg.Snapshot().Metrics())
//
// # How data flows
//
// A [Registry] has references to sockets, nodes of discovery and spools, each by a small interface. Nothing is asked of
// them, and no goroutine runs, until somebody reads: [Registry.Snapshot] then calls Stats of each, and makes of it a
// [Snapshot], which is all that any view has. [Snapshot.Metrics] reads the figures out of a snapshot, and so do writers
// of other forms. The way of a message through a socket does not know of any of this.
//
// # Snapshot, version 1
//
// [Snapshot] and the types below it are the format; testdata/snapshot-v1.json is one. Of what was planned for it some
// things are otherwise, because the sockets are:
//
//   - There are no limits of a socket in it (high-water marks, overflow), for Stats does not tell them; send_fill,
//     recv_fill and full say how near they are.
//   - A ledger has more columns: recovered, spooled, unacknowledged, requeued, loaded and stored, of reliable sockets,
//     spools and inboxes.
//   - The cause of a failure may be "unreachable", too; it stands beside the endpoint and in endpoint_counts. Failures
//     are not counted by cause, for the socket keeps the last of each endpoint only. The events "connect failed" and
//     "handshake failed" count them all.
//   - A spool tells percentiles of its commits, and no histogram.
//   - removed has what sockets counted that are gone, so that no sum ever falls.
//
// # Metrics
//
// metrics_table.go has them all, with what each means. Beyond what was planned there are the flows recovered and
// loaded, and yodel_socket_unsettled_messages, of spools and reliable links. yodel_socket_failing_endpoints, a gauge,
// is there in place of failures counted by cause, and yodel_spool_commit_seconds has percentiles; see above for both.
// Of discovery there is what a node tells in a snapshot, and no count of packets.
//
// # Over HTTP
//
// [Registry.Handler] is for a server of the program's own: what it serves, and who may read it, stands there. It has no
// goroutines; what a stream needs is its request's. guard.go decides who may read.
//
// [Registry.Listen] serves the same on a unix socket at a known place that only the same user's processes can reach, so
// that nothing has to be configured: [Processes] finds all of them on this host, and [Read] asks one.
//
// # Where to start reading
//
// registry.go, then build.go and build_socket.go, which fill snapshot.go and ledger.go; metrics_table.go is the table
// of all metrics, metrics.go reads it and metrics_text.go writes it; text.go has the causes of failures in one word;
// checks.go and warnings.go are what is judged; parse.go reads what another process has written. handler.go, guard.go
// and live.go are the way by HTTP, control.go and control_dir.go the socket of each process, and client.go who asks.
package observe
