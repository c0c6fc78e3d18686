//go:build race

package socket

// RaceEnabled says that the race detector is on: it allocates, and makes sync.Pool forget at random.
const RaceEnabled = true
