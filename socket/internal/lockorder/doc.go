// Package lockorder says in which order the locks of package socket may be taken and, in a build with the tag
// lockcheck, panics when a goroutine takes one against that order.
//
// Each lock is a [Mutex] or an [RWMutex] of a rank of its own ([Outbox], [Inbox], …). The order stands once, in
// table.go: which lock may be taken while which other is held, and whether the two belong to one socket or to two that
// talk to each other in one process. What the table allows has no circle, so that no two goroutines can wait for each
// other's locks. The table of locks in socket/DESIGN.md is made from it ([Markdown]).
//
// Without the tag a Mutex is a sync.Mutex, by an alias, and costs what that costs:
//
//	go test -tags lockcheck ./socket/...
package lockorder
