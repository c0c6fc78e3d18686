// Package once keeps what has become of calls by their keys, so that a call that comes again is answered and not done
// again. It has no goroutine, no lock and no clock.
package once

import (
	"container/list"
	"time"
)

// overhead is about what an entry takes beside its outcome.
const overhead = 512

// Config bounds a Memory.
type Config struct {
	Outcomes int           // how many
	Bytes    int           // of all of them together
	For      time.Duration // how long each is kept
}

// A Memory has the calls that are under way and the outcomes of those that have ended, each a V. Of outcomes the oldest
// make room. It is not safe for concurrent use. Times given to it must not go back.
type Memory[K comparable, V any] struct {
	cfg   Config
	all   map[K]*entry[K, V]
	ended list.List // of *entry[K, V], oldest first
	bytes int
}

type entry[K comparable, V any] struct {
	key   K
	value V
	until time.Time
	size  int
	place *list.Element // nil while it is under way
}

// New returns an empty Memory.
func New[K comparable, V any](c Config) *Memory[K, V] {
	return &Memory[K, V]{cfg: c, all: make(map[K]*entry[K, V])}
}

// Find returns what there is of a key.
func (m *Memory[K, V]) Find(now time.Time, key K) (v V, ok bool) {
	m.forget(now)
	e := m.all[key]
	if e == nil {
		return v, false
	}
	return e.value, true
}

// Begin says that the call of a key that is not known is under way. It is kept until End, and then for a time.
func (m *Memory[K, V]) Begin(key K, v V) { m.all[key] = &entry[K, V]{key: key, value: v} }

// End says that the call of a key has ended, with an outcome of so many bytes.
func (m *Memory[K, V]) End(now time.Time, key K, size int) {
	e := m.all[key]
	if e == nil || e.place != nil {
		return
	}
	e.until, e.size = now.Add(m.cfg.For), size+overhead
	e.place = m.ended.PushBack(e)
	m.bytes += e.size
	m.forget(now)
}

// forget drops what is too old or too much.
func (m *Memory[K, V]) forget(now time.Time) {
	for first := m.ended.Front(); first != nil; first = m.ended.Front() {
		e := first.Value.(*entry[K, V])
		if now.Before(e.until) && m.ended.Len() <= m.cfg.Outcomes && m.bytes <= m.cfg.Bytes {
			return
		}
		m.ended.Remove(first)
		m.bytes -= e.size
		delete(m.all, e.key)
	}
}

// Outcomes returns how many are kept, and how many bytes they have.
func (m *Memory[K, V]) Outcomes() (n, bytes int) { return m.ended.Len(), m.bytes }
