package main

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"time"
)

// settings are the command line's.
type settings struct {
	suite    *suite
	quick    bool
	rounds   int
	only     *regexp.Regexp // nil: everything
	peers    []string       // empty: all
	hwm      int
	syscalls bool // count them
	tiny     bool // for tests: everything works, no figure means anything
}

// run measures everything and returns what came of it. Only a failure of the bench itself is an error.
func run(ctx context.Context, s settings, show *progress) (*results, error) {
	dir, err := os.MkdirTemp("", "yodel-bench")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // what is left there is the system's to clean

	res := newResults(s)
	var running []*peer
	for _, p := range s.suite.peers() {
		if len(s.peers) > 0 && !slices.Contains(s.peers, p.name) {
			continue
		}
		version, err := p.version(ctx, dir)
		if err != nil {
			res.Missing = append(res.Missing, missing{p.name, err.Error()})
			continue
		}
		res.Peers = append(res.Peers, peerInfo{p.name, version})
		running = append(running, p)
	}
	for _, w := range s.suite.plan(s.quick) {
		if s.only == nil || s.only.MatchString(w.ID) {
			if s.tiny {
				w.Count, w.Subs, w.Sockets = max(1, w.Count/w.Kind.tiny()), min(w.Subs, 500), min(w.Sockets, 16)
			}
			res.Works = append(res.Works, w)
		}
	}

	begin, n := time.Now(), 0
	total := countRuns(res.Works, running, s)
	for round := range s.rounds {
		for _, w := range res.Works {
			if w.Rounds > 0 && round >= w.Rounds {
				continue
			}
			order := slices.Clone(running)
			if round%2 == 1 {
				slices.Reverse(order)
			}
			if s.quick && round > 0 && time.Since(begin) > s.suite.budget {
				res.Short = true
				continue
			}
			for _, p := range order {
				if !w.measures(p, s.quick) {
					continue
				}
				n++
				show.step(n, total, fmt.Sprintf("round %d: %s: %s", round+1, w.ID, p.name))
				j := w.job(p, s.quick)
				j.HWM, j.Endpoint = s.hwm, endpoint(w.Transport, dir, n)
				reports, err := runSides(ctx, p, w, j, dir, nil)
				if ctx.Err() != nil {
					return nil, context.Cause(ctx)
				}
				res.add(w, p, j, reports, err)
			}
		}
	}
	if s.syscalls {
		if err := res.countCalls(ctx, running, s, dir, show); err != nil {
			return nil, err
		}
	}
	show.clear()
	res.Took = time.Since(begin).Round(time.Second).String()
	return res, nil
}

// tiny is how many times less a test does.
func (k kind) tiny() int {
	if k == timed {
		return 20 // in less time nothing would happen
	}
	return 400
}

func countRuns(works []*work, running []*peer, s settings) int {
	n := 0
	for _, w := range works {
		rounds := s.rounds
		if w.Rounds > 0 {
			rounds = min(rounds, w.Rounds)
		}
		for _, p := range running {
			if w.measures(p, s.quick) {
				n += rounds
			}
		}
	}
	return n
}
