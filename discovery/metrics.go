package discovery

// TableStats counts what a Table has done.
type TableStats struct {
	Nodes, Watches                              int
	Put, Added, Updated, Left, Expired, Evicted uint64
	Refused                                     Refusals
}

// Refusals counts what was turned away, by reason.
type Refusals struct {
	Bad, Untrusted, Stale, Limit uint64
}
