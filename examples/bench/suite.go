package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A suite is what one run of the program is about: which libraries do which work, and what is made of the figures.
type suite struct {
	verb      string // as the first argument, makes this program one side of a measurement
	list      func() []*peer
	plan      func(quick bool) []*work
	bars      func() []bar
	sections  func() []section
	reference string        // the peer that the table's ratios are to
	budget    time.Duration // when --quick stops to begin runs beyond the first round
}

// socketSuite compares sockets with those of other libraries. It is done in two minutes with --quick.
func socketSuite() *suite {
	return &suite{
		verb: "side", list: socketPeers, plan: plan, bars: bars, sections: sections, reference: "libzmq",
		budget: 100 * time.Second,
	}
}

// patternSuite compares what package patterns has with what else there is for the purpose. It is done in a minute with
// --quick.
func patternSuite() *suite {
	return &suite{
		verb: "pattern", list: patternPeers, plan: patternPlan, bars: patternBars, sections: patternSections,
		reference: "grpc", budget: 30 * time.Second,
	}
}

func suites() []*suite { return []*suite{socketSuite(), patternSuite()} }

// peers is in the order of the table.
func (s *suite) peers() []*peer {
	all := s.list()
	for _, p := range all {
		p.verb = s.verb
	}
	return all
}

func (s *suite) peer(name string) (*peer, error) {
	all := s.peers()
	if i := slices.IndexFunc(all, func(p *peer) bool { return p.name == name }); i >= 0 {
		return all[i], nil
	}
	names := make([]string, len(all))
	for i, p := range all {
		names[i] = p.name
	}
	return nil, fmt.Errorf("bench: no peer %q; there are %s", name, strings.Join(names, ", "))
}
