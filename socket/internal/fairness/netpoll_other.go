//go:build !unix

package fairness

import "errors"

// netpollWaker does not exist here: pipes are no files that the runtime's poller looks after.
type netpollWaker struct{}

func newNetpollWaker() (*netpollWaker, error) { return nil, errors.ErrUnsupported }
func (*netpollWaker) run()                    {}
func (*netpollWaker) close()                  {}
