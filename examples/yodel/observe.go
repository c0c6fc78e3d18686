package main

import (
	"github.com/yodel-mq/yodel/socket/observe"
)

// observe offers what the socket does at the control socket of the process, for top, if --observe asks for it.
func (s *session) observe() (stop func(), err error) {
	if !s.flags.observe {
		return func() {}, nil
	}
	reg := observe.New(observe.WithProcessName("yodel-" + s.verb.name))
	reg.Add(s.verb.name, s.sock)
	if s.flags.store != nil {
		reg.AddSpool("spool", s.flags.store)
	}
	if s.flags.taken != nil {
		reg.AddSpool("dedup", s.flags.taken)
	}
	if _, err := reg.Listen(); err != nil {
		return nil, failf("%w", err)
	}
	return func() { _ = reg.Close() }, nil
}
