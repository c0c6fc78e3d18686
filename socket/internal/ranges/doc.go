// Package ranges keeps sets of message numbers of which most are consecutive: what a receiver has of a stream, or what
// was settled of one.
//
// Such a set grows from below: sooner or later every number up to some point is in it. So a [Set] is one number, its
// floor, below which everything is in, and a sorted list of [Range] above it. As long as numbers come in order the list
// is empty and to add one is an addition; out of order each gap costs 16 bytes until it is closed.
//
//	floor 5, above {8 9} {12 12}
//
//	 0 1 2 3 4 . . . 8 9 . . 12 .
//	           ^floor
//
// # Where to start reading
//
// set.go has all of it: Add and AddRange, Contains, and Gaps for what is missing. A Set has no locks and starts no
// goroutines; it belongs to whoever holds it.
package ranges
