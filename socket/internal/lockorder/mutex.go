//go:build !lockcheck

package lockorder

import "sync"

// Checked says whether this build checks the order of locks.
const Checked = false

// A Mutex is a mutex of one rank. This build does not check the order: it is a sync.Mutex.
type Mutex[R Rank] = sync.Mutex

// An RWMutex is a sync.RWMutex of one rank.
type RWMutex[R Rank] = sync.RWMutex

// Own says whose the locks are: locks of two owners are locks of two sockets. It does nothing in this build.
func Own(owner any, locks ...sync.Locker) {}
