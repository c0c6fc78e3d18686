//go:build !unix

package socket

import "errors"

// There is no sweeper here: pipes are no files that the runtime's poller looks after.
type sweeper struct{}

func newSweeper() (*sweeper, error) { return nil, errors.ErrUnsupported }
func (*sweeper) run()               {}
func (*sweeper) close()             {}
