package simnet

import (
	"net"
	"os"
	"syscall"

	"github.com/yodel-mq/yodel/transport"
)

// Dial, Listen and Accept fail with *transport.OpError, conns with *net.OpError as those of package net do, so that
// code under test takes the paths it takes on real sockets. What they match with errors.Is:
//
//	syscall.ECONNRESET        the connection was cut, or the peer had closed when our bytes arrived
//	syscall.ECONNABORTED      this end vanished with its host
//	syscall.EPIPE             Write after CloseWrite
//	syscall.ECONNREFUSED      dial: nobody listens, or the address is made to refuse
//	transport.ErrAddressInUse listen: somebody listens there already
//	transport.ErrAddress      dial, listen: the address can never work as written
//	net.ErrClosed             this end, or the listener, was closed
//	os.ErrDeadlineExceeded    the deadline passed (Timeout() is true)
//	the context's error       dial: the context ended first
var (
	errReset    = os.NewSyscallError("sim", syscall.ECONNRESET)
	errVanished = os.NewSyscallError("sim", syscall.ECONNABORTED)
	errPipe     = os.NewSyscallError("sim", syscall.EPIPE)
	errRefused  = os.NewSyscallError("connect", syscall.ECONNREFUSED)
	errNoPort   = os.NewSyscallError("bind", syscall.EADDRNOTAVAIL)
)

// opError is a failure of a transport or a listener.
func opError(op, address string, err error) error {
	return &transport.OpError{Op: op, Endpoint: scheme + "://" + address, Err: err}
}

// connError is a failure of one end of a connection.
func connError(op string, c *conn, err error) error {
	return &net.OpError{Op: op, Net: scheme, Source: c.local, Addr: c.remote, Err: err}
}

func addressError(address, problem string) error {
	return &transport.AddressError{
		Endpoint: scheme + "://" + address,
		Problem:  problem,
		Fix:      "write it as sim://collector or sim://collector:1",
	}
}
