package group

import (
	"errors"
	"fmt"

	"github.com/yodel-mq/yodel/patterns/internal/line"
)

var (
	// ErrPattern: who was met is of another pattern, and was disconnected. [Member.Events] tells of it.
	ErrPattern = line.ErrPattern
	// ErrProtocol: a peer has said what a member must not, and was disconnected. [Member.Events] tells of it.
	ErrProtocol = errors.New("group: not what a member says")
	// ErrName: the name of a group is not valid.
	ErrName = errors.New("group: a name has 1 to 255 bytes of UTF-8")
)

// Why a connection is ended.
var (
	errTwice   = fmt.Errorf("%w: hello a second time", ErrProtocol)
	errID      = fmt.Errorf("%w: hello without an id, or with that of another", ErrProtocol)
	errNoHello = fmt.Errorf("%w: before hello", ErrProtocol)
	errGroups  = fmt.Errorf("%w: in more than %d groups", ErrProtocol, maxGroups)
	errLong    = fmt.Errorf("%w: a name over %d bytes", ErrProtocol, maxName)
	errHeld    = fmt.Errorf("%w: too much over a connection while another lasts", ErrProtocol)
	errMoved   = errors.New("group: the peer says more over another connection")
)
