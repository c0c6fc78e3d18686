//go:build lockcheck

package lockorder

import (
	"bytes"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"sync"
)

// Checked says whether this build checks the order of locks.
const Checked = true

// A Mutex is a mutex of one rank, whose Lock panics when it is called against the order. TryLock may be called at any
// time, for it waits for nobody; what is taken while the lock is then held is checked.
type Mutex[R Rank] struct {
	mu sync.Mutex
	checker
}

// Lock locks the mutex. It panics if the goroutine holds a lock under which this one may not be taken.
func (m *Mutex[R]) Lock() {
	id := m.check(rankOf[R]())
	m.mu.Lock()
	m.took(id, rankOf[R]())
}

// TryLock tries to lock the mutex and reports whether it succeeded.
func (m *Mutex[R]) TryLock() bool {
	if !m.mu.TryLock() {
		return false
	}
	m.took(goroutine(), rankOf[R]())
	return true
}

// Unlock unlocks the mutex.
func (m *Mutex[R]) Unlock() {
	m.releases(m.holder)
	m.mu.Unlock()
}

// An RWMutex is a reader-writer mutex of one rank. To lock it for reading is checked in the same way, for a reader
// waits behind a writer that waits.
type RWMutex[R Rank] struct {
	mu sync.RWMutex
	checker
}

// Lock locks the mutex for writing. It panics if the goroutine holds a lock under which this one may not be taken.
func (m *RWMutex[R]) Lock() {
	id := m.check(rankOf[R]())
	m.mu.Lock()
	m.took(id, rankOf[R]())
}

// Unlock unlocks the mutex for writing.
func (m *RWMutex[R]) Unlock() {
	m.releases(m.holder)
	m.mu.Unlock()
}

// RLock locks the mutex for reading. It panics if the goroutine holds a lock under which this one may not be taken.
func (m *RWMutex[R]) RLock() {
	id := m.check(rankOf[R]())
	m.mu.RLock()
	m.notes(id, rankOf[R]())
}

// RUnlock unlocks the mutex for reading. It must be called by the goroutine that called RLock.
func (m *RWMutex[R]) RUnlock() {
	m.releases(goroutine())
	m.mu.RUnlock()
}

// Own says whose the locks are: locks of two owners are locks of two sockets. A lock without an owner may be either's.
func Own(owner any, locks ...sync.Locker) {
	for _, l := range locks {
		l.(interface{ belongs(owner any) }).belongs(owner)
	}
}

func rankOf[R Rank]() *Lock {
	var r R
	return r.lock()
}

// A checker is what a mutex of this build knows of itself.
type checker struct {
	owner  any
	holder uint64 // the goroutine that has locked it, but not for reading; guarded by the mutex itself
}

func (c *checker) belongs(owner any) { c.owner = owner }

// check panics if the goroutine may not take the lock now. It returns the goroutine.
func (c *checker) check(taken *Lock) (id uint64) {
	id = goroutine()
	s := shardOf(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.held[id] {
		side := OneSocket
		switch {
		case h.by == c:
			panic(fmt.Sprintf("lockorder: %s is taken by a goroutine that holds it already", taken.Name))
		case h.by.owner == nil || c.owner == nil:
			side = OneSocket | TwoSockets
		case h.by.owner != c.owner:
			side = TwoSockets
		}
		if allowed(h.lock, taken)&side == 0 {
			panic(fmt.Sprintf("lockorder: %s is taken while %s %s is held, which the table in lockorder/table.go does not allow",
				taken.Name, h.lock.Name, side))
		}
	}
	return id
}

// took notes that the goroutine has locked the mutex.
func (c *checker) took(id uint64, lock *Lock) {
	c.holder = id
	c.notes(id, lock)
}

// notes notes that the goroutine holds the lock.
func (c *checker) notes(id uint64, lock *Lock) {
	s := shardOf(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held[id] = append(s.held[id], holding{lock, c})
}

// releases notes that the goroutine does not hold the lock any more.
func (c *checker) releases(id uint64) {
	s := shardOf(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.held[id]
	i := slices.IndexFunc(all, func(h holding) bool { return h.by == c })
	if i < 0 {
		panic("lockorder: unlocked by a goroutine that does not hold it")
	}
	if len(all) == 1 {
		delete(s.held, id)
		return
	}
	s.held[id] = slices.Delete(all, i, i+1)
}

// A holding is one lock that a goroutine holds.
type holding struct {
	lock *Lock
	by   *checker
}

// A shard knows the locks of a part of all goroutines.
type shard struct {
	mu   sync.Mutex
	held map[uint64][]holding // by goroutine
}

var shards = func() (all [64]*shard) {
	for i := range all {
		all[i] = &shard{held: make(map[uint64][]holding)}
	}
	return all
}()

func shardOf(goroutine uint64) *shard { return shards[goroutine%uint64(len(shards))] }

// goroutine is the number of the calling goroutine, which the runtime tells only in a stack trace.
func goroutine() uint64 {
	var buf [64]byte
	b := bytes.TrimPrefix(buf[:runtime.Stack(buf[:], false)], []byte("goroutine "))
	end := bytes.IndexByte(b, ' ')
	id, err := strconv.ParseUint(string(b[:max(0, end)]), 10, 64)
	if err != nil {
		panic("lockorder: a stack trace does not say which goroutine it is of: " + string(b))
	}
	return id
}
