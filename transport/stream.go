package transport

import (
	"errors"
	"net"
	"syscall"
)

// A syscallConn is a connection of package net that has a file descriptor.
type syscallConn interface {
	net.Conn
	syscall.Conn
}

// A stream adds to a connection what takes a file descriptor: TryWrite and ReadTwo, where the system has them. It
// must not be copied once it is prepared.
type stream struct {
	rawWriter
	rawReader
}

func (s *stream) prepare(c syscallConn) error {
	return errors.Join(s.initWriter(c), s.initReader(c))
}
