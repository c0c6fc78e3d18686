package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// The columns of a verdict, all of which must be zero.
const (
	lost       = "lost"         // a message that was accepted, did not come, and no drop or cut explains it
	doubled    = "doubled"      // a message that came twice
	disordered = "out of order" // a message that came after one that was sent later on the same connection
	unnamed    = "unnamed"      // a message that no ledger accounts for, or that a ledger has and nobody sent
	wrong      = "wrong"        // a message that was damaged, or came where it should not; a reply to another request
	stuck      = "stuck"        // a call that did not return in time, or an end that never came
	crashed    = "crashed"      // a worker that ended by itself: a race, a panic, a leak
)

var columns = []string{lost, doubled, disordered, unnamed, wrong, stuck, crashed}

// A verdict is what the checker says of a scenario.
type verdict struct {
	Sent     uint64            `json:"sent"`     // messages for which Send returned nil
	Received uint64            `json:"received"` // messages that Recv returned
	Dropped  uint64            `json:"dropped"`  // named by a ledger
	Cut      uint64            `json:"cut"`      // that did not come because a connection was cut
	Columns  map[string]uint64 `json:"columns"`
	Notes    []string          `json:"notes,omitempty"` // what was found first, in words

	Sockets []string `json:"sockets,omitempty"` // what each did; of a scenario that failed, or that was run alone
	Stacks  []string `json:"stacks,omitempty"`  // of a scenario that got stuck: what all goroutines did

	told map[string]int
}

const maxNotes = 5 // of a column

// find counts n in a column and says why.
func (v *verdict) find(column string, n uint64, format string, a ...any) {
	if n == 0 {
		return
	}
	if v.Columns == nil {
		v.Columns = make(map[string]uint64)
	}
	v.Columns[column] += n
	if v.told == nil {
		v.told = make(map[string]int)
	}
	if v.told[column]++; v.told[column] <= maxNotes {
		v.Notes = append(v.Notes, fmt.Sprintf("%s: %d: ", column, n)+fmt.Sprintf(format, a...))
	}
}

// ok: every column is zero.
func (v *verdict) ok() bool { return len(v.Columns) == 0 }

// plus adds another verdict; its notes stay with it.
func (v *verdict) plus(o verdict) {
	v.Sent += o.Sent
	v.Received += o.Received
	v.Dropped += o.Dropped
	v.Cut += o.Cut
	for c, n := range o.Columns {
		if v.Columns == nil {
			v.Columns = make(map[string]uint64)
		}
		v.Columns[c] += n
	}
}

// sortedKeys returns the keys of a map, sorted.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
