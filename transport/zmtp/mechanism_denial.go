package zmtp

import (
	"context"
	"errors"
	"fmt"
	"strconv"
)

// Status codes of an authenticator's verdict (RFC 27).
const (
	StatusTemporary = 300 // could not tell this time; the peer is to try again
	StatusRefused   = 400 // may not come in
	StatusFailed    = 500 // the authenticator is broken
)

// A Denial is an error of [Config.Authenticate] or [Config.Confirm] that chooses what the peer is told. Any other error
// counts as [StatusRefused], except that of a context that has ended, which counts as [StatusTemporary].
type Denial struct {
	// Status is one of the three codes above; another counts as StatusFailed.
	Status int
	// Err is the reason. It is for us alone: the peer gets the three digits of Status and nothing else.
	Err error
}

// Error tells the status and the reason.
func (d *Denial) Error() string { return fmt.Sprintf("status %d: %v", d.Status, d.Err) }

// Unwrap returns the reason.
func (d *Denial) Unwrap() error { return d.Err }

// Refusal is the ERROR that NULL and a server of PLAIN or CURVE send along with err, which [Local.Authenticate] has
// returned:
//
//	1  03     length of the reason
//	3  "400"  status code of RFC 27
//
// For StatusTemporary it is none, as in libzmq: a peer that is told an ERROR does not come back, one that finds the
// connection closed does.
func Refusal(err error) Command {
	status := StatusRefused
	if d, ok := errors.AsType[*Denial](err); ok {
		status = d.Status
	} else if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		status = StatusTemporary
	}
	switch status {
	case StatusTemporary:
		return Command{}
	case StatusRefused:
	default:
		status = StatusFailed
	}
	reason := strconv.Itoa(status)
	return Command{CommandError, append([]byte{byte(len(reason))}, reason...)}
}
