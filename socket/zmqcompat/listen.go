package zmqcompat

import (
	"errors"
	"fmt"
	"net"
)

// Listen binds an endpoint; when it returns peers can connect. A tcp port of 0, * or nothing means any free one; see
// Addr. A socket may listen at many endpoints.
func (s *sock) Listen(endpoint string) error {
	name, err := listenable(endpoint)
	if err != nil {
		return fmt.Errorf("zmqcompat: listen %s: %w", endpoint, err)
	}
	if err := s.secure("listen", endpoint); err != nil {
		return err
	}
	r, err := s.use()
	if err != nil {
		return s.failed("listen "+endpoint, err)
	}
	actual, err := r.engine.Bind(s.ctx, name)
	if err != nil {
		return s.failed("listen "+endpoint, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addr = addrOf(actual)
	return nil
}

// Addr returns the address the socket listens at, of several the one that was bound last, as a *net.TCPAddr or
// *net.UnixAddr where it is one. It returns nil if the socket does not listen.
func (s *sock) Addr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addr
}

// secure refuses to open a socket that would not be as secure as it was asked to be.
func (s *sock) secure(op, endpoint string) error {
	if sec := s.cfg.security; sec != nil && sec.Type() != NullSecurity {
		return fmt.Errorf("zmqcompat: %s %s: WithSecurity: mechanism %s is not supported yet, only NULL (none) is: %w",
			op, endpoint, sec.Type(), errors.ErrUnsupported)
	}
	return nil
}
