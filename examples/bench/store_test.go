package main

import (
	"testing"
	"time"
)

// TestStores: each store takes what it is given, in every way in which it is measured.
func TestStores(t *testing.T) {
	for _, c := range []cell{
		{Appenders: 1, Size: 100, Batch: 1}, {Appenders: 8, Size: 64 << 10, Batch: 1},
		{Appenders: 1, Size: 100, Batch: 64}, {Appenders: 4, Size: 100, Batch: 1, Settle: true},
		{Appenders: 4, Size: 100, Batch: 1, Slow: true},
	} {
		for _, name := range []string{ownStore, rawFloor, jetStream} {
			t.Run(name+" "+c.String(), func(t *testing.T) {
				r := runCell(t.Context(), name, c, 200*time.Millisecond)
				if r.err != nil || r.perSecond <= 0 {
					t.Errorf("%.0f a second, %v", r.perSecond, r.err)
				}
			})
		}
	}
	c := cell{Appenders: 4, Size: 100, Batch: 1, Path: true}
	for _, name := range []string{ownStore, rawPaths} {
		t.Run(name+" "+c.String(), func(t *testing.T) {
			r := runCell(t.Context(), name, c, 200*time.Millisecond)
			if r.err != nil || r.perSecond <= 0 {
				t.Errorf("%.0f a second, %v", r.perSecond, r.err)
			}
		})
	}
}
