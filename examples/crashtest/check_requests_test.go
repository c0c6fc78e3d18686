package main

import (
	"maps"
	"os"
	"strings"
	"testing"
)

// TestCheckerOfRequests: what may and what may not become of requests, of a sender of one lane in two lives that asked
// two and one.
func TestCheckerOfRequests(t *testing.T) {
	type found map[string]uint64
	asked := func(life uint32, n uint64, flags byte) record { return record{note: note{0, life, n}, Flags: flags} }
	life := record{Flags: born}
	all := []record{
		life, asked(0, 1, 0), asked(0, 1, replied), asked(0, 2, 0), asked(0, 2, replied), asked(1, 1, 0),
		asked(1, 1, replied),
	}
	got := []record{life, asked(0, 1, 0), asked(0, 2, 0), life, asked(1, 1, 0)}
	for name, c := range map[string]struct {
		handed, answers []record
		want            found
		again           uint64
	}{
		"nothing":            {all, got, nil, 0},
		"answered later":     {all, []record{life, asked(0, 1, 0), life, asked(0, 2, pending), asked(1, 1, 0)}, nil, 0},
		"the last came anew": {all, append(got[:4:4], asked(0, 2, pending), asked(1, 1, 0)), nil, 1},
		"an earlier one came anew": {
			all, append(got[:4:4], asked(0, 1, pending), asked(1, 1, 0)), found{doubled: 1}, 0,
		},
		"the last came anew, not by Pending": {all, append(got[:4:4], asked(0, 2, 0), asked(1, 1, 0)), found{doubled: 1}, 0},
		"pending, twice in a life": {
			all,
			[]record{life, asked(0, 1, 0), life, asked(0, 2, pending), asked(0, 2, pending), asked(1, 1, 0)},
			found{doubled: 1},
			0,
		},
		"pending, again in the next": {
			all, []record{life, asked(0, 1, 0), life, asked(0, 2, pending), life, asked(0, 2, pending), asked(1, 1, 0)}, nil, 1,
		},
		"not answered":         {all, got[:4], found{lost: 1}, 0},
		"another answer":       {all, append(got[:4:4], asked(1, 1, damaged)), found{wrong: 1, lost: 1}, 0},
		"answered by nobody":   {all[:5], got, found{unasked: 1, lost: 1}, 0},
		"never asked":          {append(all[:7:7], asked(1, 3, 0)), got, found{unasked: 1}, 0},
		"under way at a kill":  {append(all[:7:7], asked(1, 2, 0)), got, nil, 0},
		"asked again, as safe": {append(all[:7:7], life, asked(0, 1, 0), asked(0, 1, replied)), got, found{doubled: 1}, 0},
		"asked again after a kill": {
			[]record{life, asked(0, 1, 0), life, asked(0, 1, 0), asked(0, 1, replied), asked(0, 2, 0), asked(1, 1, 0)},
			got, nil, 1,
		},
		"asked twice in a life": {
			[]record{life, asked(0, 1, 0), asked(0, 1, 0), asked(0, 2, 0), asked(1, 1, 0)}, got, found{doubled: 1}, 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			x := &planted{sent: [][]uint64{{2}, {1}}, got: [][]record{c.handed}}
			dir := t.TempDir()
			var b []byte
			for _, r := range c.answers {
				b = r.append(b)
			}
			must(t, os.WriteFile(journalPath(dir, sender), b, 0o600))
			f := x.checkIn(t, named("requests"), dir)
			if !maps.Equal(f.columns, c.want) || f.again != c.again {
				t.Errorf("found %v, %d again; want %v, %d:\n%s", f.columns, f.again, c.want, c.again, strings.Join(f.notes, "\n"))
			}
		})
	}
}
