package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// AnyOf lets in whom one of several authenticators lets in: they are asked in order, until one does, and the user is
// that one's. With none of them nobody comes in; nil is none.
//
// A peer that all refuse is refused for all their reasons: it is told 300, to come again, if one of them says so, or
// else 500 if one is broken, or else 400.
func AnyOf(all ...socket.Authenticator) socket.Authenticator {
	var a anyOf
	for _, one := range all {
		if one != nil {
			a = append(a, one)
		}
	}
	return a
}

type anyOf []socket.Authenticator

// Authenticate implements [socket.Authenticator].
func (a anyOf) Authenticate(ctx context.Context, c socket.Claim) (socket.User, error) {
	var all refusals
	status := zmtp.StatusRefused
	for _, one := range a {
		u, err := one.Authenticate(ctx, c)
		if err == nil {
			return u, nil
		}
		all = append(all, err)
		switch s := statusOf(err); {
		case status == zmtp.StatusTemporary, s == zmtp.StatusRefused:
		default:
			status = s
		}
		if ctx.Err() != nil {
			break
		}
	}
	if len(all) == 0 {
		return socket.User{}, fmt.Errorf("auth: nobody may come in: %w", ErrUnknown)
	}
	if status != zmtp.StatusRefused {
		return socket.User{}, &zmtp.Denial{Status: status, Err: all}
	}
	return socket.User{}, all
}

// statusOf is what a refusal alone would tell the peer.
func statusOf(err error) int {
	if d, ok := errors.AsType[*zmtp.Denial](err); ok {
		if d.Status == zmtp.StatusTemporary || d.Status == zmtp.StatusRefused {
			return d.Status
		}
		return zmtp.StatusFailed
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return zmtp.StatusTemporary
	}
	return zmtp.StatusRefused
}

// refusals are several errors on one line.
type refusals []error

func (r refusals) Error() string {
	texts := make([]string, len(r))
	for i, err := range r {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

func (r refusals) Unwrap() []error { return r }
