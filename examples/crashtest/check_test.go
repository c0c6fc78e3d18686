package main

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// Planted is what the workers of a scenario have written down: a sender of two lanes in two lives, whose messages came
// to one receiver in two lives.
type planted struct {
	sent    [][]uint64 // by life and lane
	refused []note
	got     [][]record // by receiver
}

func newPlanted() *planted {
	x := &planted{sent: [][]uint64{{3, 2}, {4, 2}}, got: make([][]record, 1)}
	for life, last := range x.sent {
		x.got[0] = append(x.got[0], record{Flags: born})
		for lane, n := range last {
			for n := range n {
				x.got[0] = append(x.got[0], record{note: note{uint16(lane), uint32(life), n + 1}})
			}
		}
	}
	return x
}

// at is where the receiver got a message.
func (x *planted) at(lane uint16, life uint32, n uint64) int {
	return slices.IndexFunc(x.got[0], func(r record) bool { return r.note == note{lane, life, n} && r.Flags&born == 0 })
}

// drop: the receiver did not get it.
func (x *planted) drop(lane uint16, life uint32, n uint64) {
	i := x.at(lane, life, n)
	x.got[0] = slices.Delete(x.got[0], i, i+1)
}

// add: the receiver got this at the end.
func (x *planted) add(flags byte, lane uint16, life uint32, n uint64) {
	x.got[0] = append(x.got[0], record{note: note{lane, life, n}, Flags: flags})
}

// audience has three subscribers get what is for each of them: lane 1 is for the first alone.
func (x *planted) audience() {
	for range 2 {
		x.got = append(x.got, slices.DeleteFunc(slices.Clone(x.got[0]), func(r record) bool { return r.Lane == 1 }))
	}
}

// check writes all of it down and has it judged.
func (x *planted) check(t *testing.T, s scenario) findings {
	t.Helper()
	return x.checkIn(t, s, t.TempDir())
}

func (x *planted) checkIn(t *testing.T, s scenario, dir string) findings {
	t.Helper()
	for life, last := range x.sent {
		y, err := newTally(dir, uint32(life), len(last))
		must(t, err)
		for lane, n := range last {
			must(t, y.set(uint16(lane), n))
		}
		must(t, y.f.Close())
		f, err := os.Create(refusalPath(dir, uint32(life)))
		must(t, err)
		for _, n := range x.refused {
			if int(n.Life) == life {
				must(t, refuse(f, n))
			}
		}
		must(t, f.Close())
	}
	s.Receivers = len(x.got)
	for who, rs := range x.got {
		var b []byte
		for _, r := range rs {
			b = r.append(b)
		}
		must(t, os.WriteFile(journalPath(dir, who), b, 0o600))
	}
	f, err := check(s, dir, uint32(len(x.sent)))
	must(t, err)
	return f
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func named(name string) scenario {
	return scenarios[slices.IndexFunc(scenarios, func(s scenario) bool { return s.Name == name })]
}

// TestCheckerSeesWhatIsPlanted: each fault that the checker is there for, and what only looks like one.
func TestCheckerSeesWhatIsPlanted(t *testing.T) {
	type found map[string]uint64
	for name, c := range map[string]struct {
		scenario string
		plant    func(x *planted)
		want     found
		again    uint64
	}{
		"nothing": {"taken", func(*planted) {}, nil, 0},

		"lost":            {"taken", func(x *planted) { x.drop(0, 0, 2) }, found{lost: 1}, 0},
		"lost, the first": {"taken", func(x *planted) { x.drop(1, 1, 1) }, found{lost: 1}, 0},
		"lost, the last":  {"taken", func(x *planted) { x.drop(1, 1, 2) }, found{lost: 1}, 0},

		"lost, the last before a kill": {"taken", func(x *planted) { x.drop(0, 0, 3) }, found{lost: 1}, 0},
		"lost, all of a life":          {"taken", func(x *planted) { x.got[0] = x.got[0][:6] }, found{lost: 6}, 0},
		"lost, all":                    {"taken", func(x *planted) { x.got[0] = nil }, found{lost: 11}, 0},

		"doubled":                    {"taken", func(x *planted) { x.add(0, 1, 1, 2) }, found{doubled: 1}, 0},
		"doubled in links":           {"links", func(x *planted) { x.add(0, 1, 1, 2) }, found{doubled: 1}, 0},
		"doubled and flagged":        {"taken", func(x *planted) { x.add(redelivered, 1, 1, 2) }, found{doubled: 1}, 0},
		"redelivered":                {"memory", func(x *planted) { x.add(redelivered, 1, 1, 2) }, nil, 1},
		"redelivered, twice":         {"inbox", func(x *planted) { x.add(1, 1, 1, 2); x.add(1, 1, 1, 2) }, nil, 2},
		"redelivered, an early one":  {"inbox", func(x *planted) { x.add(redelivered, 0, 0, 1) }, nil, 1},
		"doubled without being told": {"memory", func(x *planted) { x.add(0, 1, 1, 2) }, found{doubled: 1}, 0},
		"flagged for the first time": {"taken", func(x *planted) { x.got[0][x.at(0, 1, 2)].Flags = redelivered }, nil, 0},
		"doubled at another receiver": {"shared", func(x *planted) {
			x.got = append(x.got, []record{{Flags: born}, {note: note{0, 0, 1}}})
		}, found{doubled: 1}, 0},
		"redelivered to another receiver": {"shared", func(x *planted) {
			x.got = append(x.got, []record{{Flags: born}, {note: note{0, 0, 1}, Flags: redelivered}})
		}, nil, 1},
		"redelivered, and first to another receiver": {"shared", func(x *planted) {
			x.got[0][x.at(0, 0, 1)].Flags = redelivered
			x.got = append(x.got, []record{{Flags: born}, {note: note{0, 0, 1}}})
		}, nil, 1},
		"flagged for the first time, then not": {"memory", func(x *planted) {
			x.got[0][x.at(0, 0, 1)].Flags = redelivered
			x.add(0, 0, 0, 1)
		}, found{doubled: 1}, 0},

		"out of order": {"inbox", func(x *planted) {
			x.got[0][x.at(0, 0, 1)].N, x.got[0][x.at(0, 0, 2)].N = 2, 1
		}, found{disordered: 1}, 0},
		"out of order between the sender's lives": {"inbox", func(x *planted) {
			x.drop(0, 0, 3)
			x.add(0, 0, 0, 3)
		}, found{disordered: 1}, 0},
		"flagged, out of order all the same": {"inbox", func(x *planted) {
			i := x.at(0, 1, 2)
			x.got[0][i].Flags = redelivered
			x.got[0][i], x.got[0][i+1] = x.got[0][i+1], x.got[0][i]
		}, found{disordered: 1}, 0},
		"another lane's": {"inbox", func(x *planted) {
			i := x.at(0, 1, 4)
			x.got[0][i], x.got[0][i+1] = x.got[0][i+1], x.got[0][i]
		}, nil, 0},
		"shared": {"shared", func(x *planted) {
			x.drop(0, 0, 1)
			x.add(0, 0, 0, 1)
		}, nil, 0},

		"to subscribers": {"audience", func(x *planted) { x.audience() }, nil, 0},
		"lost to one subscriber": {"audience", func(x *planted) {
			x.audience()
			x.got[2] = x.got[2][:3]
		}, found{lost: 5}, 0},
		"to a subscriber of another topic": {"audience", func(x *planted) {
			x.audience()
			x.got[2] = append(x.got[2], record{note: note{1, 1, 1}})
		}, found{unasked: 1}, 0},
		"redelivered to a subscriber": {"audience", func(x *planted) {
			x.audience()
			x.got[1] = append(x.got[1], record{note: note{0, 0, 1}, Flags: redelivered})
		}, nil, 1},
		"doubled to a subscriber": {"audience", func(x *planted) {
			x.audience()
			x.got[1] = append(x.got[1], record{note: note{0, 0, 1}})
		}, found{doubled: 1}, 0},
		"out of order to a subscriber": {"audience", func(x *planted) {
			x.audience()
			x.got[1][1], x.got[1][2] = x.got[1][2], x.got[1][1]
		}, found{disordered: 1}, 0},

		"damaged": {"inbox", func(x *planted) {
			x.got[0][x.at(0, 0, 2)].Flags = damaged
		}, found{wrong: 1, lost: 1}, 0},
		"damaged beside": {"inbox", func(x *planted) { x.add(damaged, 0, 0, 1) }, found{wrong: 1}, 0},

		"under way when the sender was killed": {"inbox", func(x *planted) {
			x.got[0] = slices.Insert(x.got[0], x.at(0, 0, 3)+1, record{note: note{0, 0, 4}})
		}, nil, 0},
		"never sent":        {"inbox", func(x *planted) { x.add(0, 0, 1, 6) }, found{unasked: 1}, 0},
		"the number 0":      {"inbox", func(x *planted) { x.add(0, 0, 1, 0) }, found{unasked: 1}, 0},
		"of no life":        {"inbox", func(x *planted) { x.add(0, 0, 2, 1) }, found{unasked: 1}, 0},
		"of no lane":        {"inbox", func(x *planted) { x.add(0, 2, 1, 1) }, found{unasked: 1}, 0},
		"refused":           {"full", func(x *planted) { x.drop(0, 0, 2); x.refused = []note{{0, 0, 2}} }, nil, 0},
		"refused, came":     {"full", func(x *planted) { x.refused = []note{{0, 0, 2}} }, found{unasked: 1}, 0},
		"refused, the last": {"full", func(x *planted) { x.refused = []note{{1, 1, 3}} }, nil, 0},
		"not the one refused": {"full", func(x *planted) {
			x.drop(0, 0, 1)
			x.refused = []note{{1, 1, 3}}
		}, found{lost: 1}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			x := newPlanted()
			c.plant(x)
			f := x.check(t, named(c.scenario))
			if !maps.Equal(f.columns, c.want) || f.again != c.again {
				t.Errorf("found %v, %d again; want %v, %d:\n%s", f.columns, f.again, c.want, c.again, strings.Join(f.notes, "\n"))
			}
		})
	}
}

func TestCheckCounts(t *testing.T) {
	x := newPlanted()
	x.drop(0, 0, 2)
	x.refused = []note{{0, 0, 2}, {1, 1, 3}}
	x.add(redelivered, 0, 0, 1)
	f := x.check(t, named("full"))
	if f.accepted != 10 || f.received != 11 || f.again != 1 || f.refused != 2 {
		t.Errorf("accepted %d, received %d, %d again, refused %d; want 10, 11, 1, 2",
			f.accepted, f.received, f.again, f.refused)
	}
}
