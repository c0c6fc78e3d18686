package rpc

import (
	"context"
	"encoding/hex"
	"maps"
	"slices"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/socket"
)

// A greeting is what yodel.ping and yodel.info tell.
type greeting struct {
	Name    string   `json:"name,omitempty"`
	Version string   `json:"version,omitempty"`
	Node    string   `json:"node"`              // the process, as socket.NodeID
	Service string   `json:"service"`           // the Service, drawn at random for each
	Methods []string `json:"methods,omitempty"` // sorted, but for these three; of yodel.info
}

// reserve adds the methods that every service has. They run whatever the load, also when a service shuts down, so that
// it can be seen what it does. A request is not looked at.
func (s *Service) reserve() {
	greet := func() greeting {
		return greeting{
			Name: s.cfg.name, Version: s.cfg.version, Node: socket.NodeID(s.NodeID()).String(),
			Service: hex.EncodeToString([]byte(s.id)),
		}
	}
	s.add(&method{name: ours + "ping", reserved: true, run: unary(
		func(context.Context, patterns.Raw) (greeting, error) { return greet(), nil })})
	s.add(&method{name: ours + "info", reserved: true, run: unary(
		func(context.Context, patterns.Raw) (greeting, error) {
			g := greet()
			s.mu.Lock()
			defer s.mu.Unlock()
			g.Methods = slices.DeleteFunc(slices.Sorted(maps.Keys(s.methods)),
				func(name string) bool { return s.methods[name].reserved })
			return g, nil
		})})
	s.add(&method{name: ours + "stats", reserved: true, run: unary(
		func(context.Context, patterns.Raw) (Stats, error) { return s.Stats(), nil })})
}
