package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// A peer is one library under measurement.
type peer struct {
	name string
	verb string // of its suite
	// version of the library, and whether it can be measured here. It is asked once, before anything is started.
	version func(ctx context.Context, dir string) (string, error)
	// program is what runs its sides; empty: this one, by the functions below.
	program func(dir string) string
	open    opener                                             // of the socket suite
	roles   map[string]role                                    // of others
	server  func(ctx context.Context, c *console, j job) error // nil: none stands between the sides
	// most is the largest number of messages to send in this work, and so how its count differs from the others'; 0: it
	// cannot do this work at all.
	most func(w *work, quick bool) int
}

// A role is what a side does.
type role func(ctx context.Context, c *console, j job) error

func socketPeers() []*peer {
	return []*peer{
		yodelPeer(), reliablePeer(), curvePeer(), tlsPeer(), libzmqPeer(), libzmqCurvePeer(), zmq4Peer(), natsPeer(),
		rawPeer(), rawTLSPeer(),
	}
}

// command returns what to run for a side of this peer.
func (p *peer) command(dir string, j job) (string, []string, error) {
	if p.program != nil && j.Role != "peers" {
		return p.program(dir), j.args(), nil
	}
	self, err := os.Executable()
	return self, append([]string{p.verb, p.name}, j.args()...), err
}

// endpoint returns where the binding side of a run is to listen.
func endpoint(transport, dir string, run int) string {
	switch transport {
	case "ipc":
		return "ipc://" + filepath.Join(dir, fmt.Sprintf("s%d", run))
	case "inproc":
		return "inproc://bench"
	}
	return "tcp://127.0.0.1:0"
}
