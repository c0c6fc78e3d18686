package discovery

import (
	"context"
	"math"
	"time"
)

// Forever as a TTL means that the node does not expire: it stays until Leave, or Suspect.
const Forever time.Duration = math.MaxInt64

// TableConfig says how a Table judges. The zero value works.
type TableConfig struct {
	Trust          Trust         // nil for Open
	Limits         Limits        // see there
	Wire           string        // own protocol, such as "zmtp/3.1": others show up as Incompatible; "" for any
	MinTTL, MaxTTL time.Duration // bounds for what a record claims; 0 for 1 s and 120 s
	Watched        int           // how many watches there may be at a time; 0 for 1024
}

// Limits bound what a Table holds.
type Limits struct {
	Nodes          int // 0 for 4096
	NodesPerSource int // 0 for 64
}

// A Table is what one backend knows.
type Table struct{}

// NewTable returns an empty table.
func NewTable(source string, c TableConfig) *Table { return &Table{} }

// Put takes an announcement.
func (t *Table) Put(r Record, ttl time.Duration) error { return nil }

// Leave takes a goodbye.
func (t *Table) Leave(r Record) error { return nil }

// Suspect expires the node unless it is heard of within that time; 0 or less: now.
func (t *Table) Suspect(id ID, within time.Duration) {}

// Sync tells watchers Synced, once each.
func (t *Table) Sync() {}

// Trouble tells watchers.
func (t *Table) Trouble(err error) {}

// Watch is the Watch of a Backend.
func (t *Table) Watch(ctx context.Context, q Query) (<-chan Event, error) { return nil, nil }

// Records returns what matches.
func (t *Table) Records(q Query) []Record { return nil }

// Stats counts.
func (t *Table) Stats() TableStats { return TableStats{} }

// Close ends all watches.
func (t *Table) Close() {}
