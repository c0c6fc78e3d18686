// Package memfs is a medium for tests of the spool: a [spool.FS] in memory that loses what was not synced, as a machine
// without power does, that fails where it is told to, and that runs full. It is as cruel as the contract of spool.FS
// allows, and no crueler.
//
// # What is kept
//
// For each file, sector by sector (512 bytes): what the process sees (the page cache), what the medium has, and every
// version in between, since the last sync. For names the same: those the process sees, those on the medium, and the
// changes in between, in order.
//
//	write ──► cache ──► versions ──Sync──► medium
//	                        │                │
//	                        └──────┬─────────┘
//	                              Cut ──► another FS: the machine after the fault
//
// A failed Sync moves some sectors and marks all of them clean, as kernels do: no later Sync moves the rest. For half
// of such failures the cache is dropped too, and reads show the medium again.
//
// # Cuts
//
// [FS.Cut] makes, under a [Policy], the FS that the next process finds; the old one stays as it is, so that one moment
// can be cut under every policy and with many seeds. To cut at every operation, take the images in the function given
// to [FS.OnChange]; to have the process die in the middle of an operation, use [FS.StopAt].
//
// # Chance
//
// Whatever is left to chance is drawn from a seed: that of [Config] for the faults of a life, that of Cut for an image.
// The same seed and the same operations in the same order give the same results. Operations that come from several
// goroutines are as ordered as these are.
//
// Start reading at fs.go; inode.go has the sectors, cut.go the policies, fault.go what fails and when.
package memfs
