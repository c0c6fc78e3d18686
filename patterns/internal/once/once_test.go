package once

import (
	"slices"
	"testing"
	"time"
)

func known(t *testing.T, m *Memory[string, int], now time.Time, want map[string]int) {
	t.Helper()
	for key, v := range want {
		if got, ok := m.Find(now, key); ok != (v != 0) || got != v {
			t.Errorf("%s is %d, %v; want %d", key, got, ok, v)
		}
	}
}

func TestMemory(t *testing.T) {
	now := time.Unix(1000, 0)
	m := New[string, int](Config{Outcomes: 2, Bytes: 10_000, For: time.Minute})
	known(t, m, now, map[string]int{"a": 0})
	for i, key := range []string{"a", "b", "c", "d"} {
		m.Begin(key, i+1)
	}
	now = now.Add(time.Hour) // what is under way is not forgotten, however many there are
	known(t, m, now, map[string]int{"a": 1, "b": 2, "c": 3, "d": 4})

	m.End(now, "b", 1)
	m.End(now, "a", 1)
	known(t, m, now, map[string]int{"a": 1, "b": 2, "c": 3, "d": 4})
	m.End(now, "c", 1) // one too many: the first that ended makes room
	m.End(now, "c", 1) // says nothing new
	m.End(now, "x", 1)
	known(t, m, now, map[string]int{"a": 1, "b": 0, "c": 3, "d": 4, "x": 0})

	now = now.Add(time.Minute - 1)
	known(t, m, now, map[string]int{"c": 3})
	m.End(now, "d", 1)
	now = now.Add(1)
	known(t, m, now, map[string]int{"a": 0, "c": 0, "d": 4})
	m.Begin("c", 5) // as a new one
	known(t, m, now, map[string]int{"c": 5})
	now = now.Add(time.Minute)
	known(t, m, now, map[string]int{"d": 0})
	if n, bytes := m.Outcomes(); n != 0 || bytes != 0 || len(m.all) != 1 {
		t.Errorf("%d outcomes of %d bytes, %d in all", n, bytes, len(m.all))
	}
}

func TestBytes(t *testing.T) {
	now := time.Unix(1000, 0)
	m := New[string, int](Config{Outcomes: 100, Bytes: 10_000, For: time.Minute})
	for i, key := range []string{"a", "b", "c"} {
		m.Begin(key, i+1)
		m.End(now, key, 3000)
	}
	known(t, m, now, map[string]int{"a": 0, "b": 2, "c": 3})
	if n, bytes := m.Outcomes(); n != 2 || bytes != 2*(3000+overhead) {
		t.Errorf("%d outcomes of %d bytes", n, bytes)
	}
	m.Begin("d", 4)
	m.End(now, "d", 10_000) // more than there may be
	known(t, m, now, map[string]int{"a": 0, "b": 0, "c": 0, "d": 0})
	if n, bytes := m.Outcomes(); n != 0 || bytes != 0 {
		t.Errorf("%d outcomes of %d bytes", n, bytes)
	}
}

// FuzzMemory holds a Memory against one that goes through all it has each time.
func FuzzMemory(f *testing.F) {
	f.Add([]byte{1, 2, 1, 2, 0, 9, 3, 255, 1, 1, 2, 1})
	f.Add([]byte("begin and end, begin and end, time and time again"))
	f.Fuzz(func(t *testing.T, steps []byte) {
		type outcome struct {
			key   byte
			until time.Time
			size  int
		}
		cfg := Config{Outcomes: 3, Bytes: 4 * overhead, For: 10 * time.Second}
		m := New[byte, byte](cfg)
		now := time.Unix(1000, 0)
		running := make(map[byte]bool)
		var ended []outcome
		for _, b := range steps {
			key := b >> 2 & 7
			bytes := 0
			for _, o := range ended {
				bytes += o.size
			}
			for len(ended) > 0 && (!now.Before(ended[0].until) || len(ended) > cfg.Outcomes || bytes > cfg.Bytes) {
				bytes -= ended[0].size
				ended = ended[1:]
			}
			known := running[key] || slices.ContainsFunc(ended, func(o outcome) bool { return o.key == key })
			v, ok := m.Find(now, key)
			if n, held := m.Outcomes(); ok != known || ok && v != key || n != len(ended) || held != bytes {
				t.Fatalf("%d is known: %v, want %v; %d outcomes of %d bytes, want %d of %d", key, ok, known, n, held,
					len(ended), bytes)
			}
			switch b & 3 {
			case 0:
				now = now.Add(time.Duration(b>>5) * time.Second)
			case 1:
				if !known {
					m.Begin(key, key)
					running[key] = true
				}
			default:
				size := int(b>>5) * 100
				m.End(now, key, size)
				if running[key] {
					delete(running, key)
					ended = append(ended, outcome{key, now.Add(cfg.For), size + overhead})
				}
			}
		}
	})
}
