package lockorder

import (
	"fmt"
	"slices"
	"strings"
)

// A Lock is one of the engine's locks.
type Lock struct {
	Rank   string // the type that stands for it
	Name   string // the struct and its field
	File   string // where it is declared, below socket
	Guards string
}

// A Rank is a [Lock] as a type, for [Mutex].
type Rank interface{ lock() *Lock }

// A Side says whether two locks belong to one socket or to two of the same process that talk to each other.
type Side uint8

const (
	OneSocket Side = 1 << iota
	TwoSockets
)

// String names the side as it goes behind the name of a lock that is held.
func (s Side) String() string {
	switch s {
	case OneSocket:
		return "of the same socket"
	case TwoSockets:
		return "of another socket"
	}
	return "of some socket"
}

// A Rule says that one lock may be taken while another is held.
type Rule struct {
	Held, Taken *Lock
	Side        Side
	Why         string // where it happens
}

// allowed says for which sides a lock may be taken while another is held.
func allowed(held, taken *Lock) (sides Side) {
	for i := range Table {
		if r := &Table[i]; r.Held == held && r.Taken == taken {
			sides |= r.Side
		}
	}
	return sides
}

// circle returns locks of which each may be taken while the one before it is held, the last being the first; nil if the
// table has none.
func circle(table []Rule) []*Lock {
	next := make(map[*Lock][]*Lock)
	for _, r := range table {
		next[r.Held] = append(next[r.Held], r.Taken)
	}
	done := make(map[*Lock]bool)
	var way []*Lock
	var visit func(l *Lock) []*Lock
	visit = func(l *Lock) []*Lock {
		if i := slices.Index(way, l); i >= 0 {
			return append(slices.Clone(way[i:]), l)
		}
		if done[l] {
			return nil
		}
		way = append(way, l)
		for _, n := range next[l] {
			if c := visit(n); c != nil {
				return c
			}
		}
		way = way[:len(way)-1]
		done[l] = true
		return nil
	}
	for _, r := range table {
		if c := visit(r.Held); c != nil {
			return c
		}
	}
	return nil
}

// Markdown is the table of locks as it stands in socket/DESIGN.md.
func Markdown() string {
	var b strings.Builder
	b.WriteString("| lock | in | guards |\n|---|---|---|\n")
	for _, l := range Locks {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", l.Name, l.File, l.Guards)
	}
	b.WriteString("\n| while holding | take | of | where |\n|---|---|---|---|\n")
	for _, r := range Table {
		of := strings.TrimPrefix(r.Side.String(), "of ")
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s |\n", r.Held.Name, r.Taken.Name, of, r.Why)
	}
	return b.String()
}
