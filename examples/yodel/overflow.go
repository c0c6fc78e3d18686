package main

import (
	"maps"
	"slices"

	"github.com/yodel-mq/yodel/socket"
)

const overflowHelp = `When a peer reads too slowly and --hwm is reached, --overflow says what becomes of a message for
it: block waits for room, and everybody else with it; reject reports the message and does not
send it (status 1 at the end), drop-newest drops it, drop-oldest and conflate drop older ones
that wait, disconnect drops it and ends the connection to that peer. What is dropped is counted
in the summary. With --slow-limit D a peer whose queue has been full for D loses its connection,
whatever the policy.`

// overflowPolicies are the values of --overflow.
var overflowPolicies = map[string]socket.Overflow{
	"block":       socket.Block,
	"reject":      socket.Reject,
	"newest":      socket.DropNewest,
	"oldest":      socket.DropOldest,
	"drop-newest": socket.DropNewest,
	"drop-oldest": socket.DropOldest,
	"conflate":    socket.Conflate,
	"disconnect":  socket.Disconnect,
}

// overflowNames are those that are told of; newest and oldest are short for two of them.
func overflowNames() []string {
	names := slices.Sorted(maps.Keys(overflowPolicies))
	return slices.DeleteFunc(names, func(n string) bool { return n == "newest" || n == "oldest" })
}

// rejects reports whether the socket returns ErrWouldBlock where it could wait.
func (f *socketFlags) rejects() bool { return f.overflow == "reject" }

// overflow is the policy that a verb has by default.
func (v *verb) overflow() string {
	if v.is(publishes) || v.is(replies) {
		return "drop-newest"
	}
	return "block"
}
