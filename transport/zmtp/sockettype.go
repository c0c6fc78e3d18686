package zmtp

import (
	"fmt"
	"slices"
	"strings"
)

// SocketType is the name of a socket's role as it stands in the Socket-Type
// property: upper case, compared exactly.
type SocketType string

// The eleven types of RFC 37. libzmq's STREAM and its draft types (CLIENT, RADIO
// and others) are not among them and are refused.
const (
	Pair   SocketType = "PAIR"
	Pub    SocketType = "PUB"
	Sub    SocketType = "SUB"
	Req    SocketType = "REQ"
	Rep    SocketType = "REP"
	Dealer SocketType = "DEALER"
	Router SocketType = "ROUTER"
	Pull   SocketType = "PULL"
	Push   SocketType = "PUSH"
	XPub   SocketType = "XPUB"
	XSub   SocketType = "XSUB"
)

// partners is the table of RFC 37 (and of libzmq's check_socket_type): whom a
// type may talk to. It is nil for a type nobody knows.
func (t SocketType) partners() []SocketType {
	switch t {
	case Pair:
		return []SocketType{Pair}
	case Pub, XPub:
		return []SocketType{Sub, XSub}
	case Sub, XSub:
		return []SocketType{Pub, XPub}
	case Req:
		return []SocketType{Rep, Router}
	case Rep:
		return []SocketType{Req, Dealer}
	case Dealer:
		return []SocketType{Rep, Dealer, Router}
	case Router:
		return []SocketType{Req, Dealer, Router}
	case Pull:
		return []SocketType{Push}
	case Push:
		return []SocketType{Pull}
	}
	return nil
}

// Valid reports whether t is one of the eleven types.
func (t SocketType) Valid() bool { return t.partners() != nil }

// Accepts reports whether a socket of type t may talk to a peer of that type. It
// is symmetric, and false if either type is unknown.
func (t SocketType) Accepts(peer SocketType) bool {
	return slices.Contains(t.partners(), peer)
}

// Check is [SocketType.Accepts] with words: the error wraps ErrSocketType, names
// both types and tells an unknown type from an incompatible one.
func (t SocketType) Check(peer SocketType) error {
	switch {
	case t.Accepts(peer):
		return nil
	case !t.Valid():
		return fail("socket type", ErrSocketType, "ours is %q; want one of the eleven types of RFC 37", string(t))
	}
	return &SocketTypeError{Ours: t, Peer: peer}
}

// A SocketTypeError says that the peer's socket type cannot talk to ours. It matches [ErrSocketType].
type SocketTypeError struct {
	Ours SocketType // one of the eleven
	Peer SocketType // as the peer gave it, untrusted text; "" if it gave none
}

// Partners lists the types that ours talks to.
func (e *SocketTypeError) Partners() []SocketType { return slices.Clone(e.Ours.partners()) }

// Error names both types and those that would do.
func (e *SocketTypeError) Error() string {
	partners := list(e.Ours.partners())
	what := ""
	switch {
	case e.Peer == "":
		what = fmt.Sprintf("the peer gave none; our %s talks to %s", e.Ours, partners)
	case !e.Peer.Valid():
		what = fmt.Sprintf("the peer's %.64q is unknown; our %s talks to %s", string(e.Peer), e.Ours, partners)
	default:
		what = fmt.Sprintf("the peer's %s cannot talk to our %s, which talks to %s", e.Peer, e.Ours, partners)
	}
	return fmt.Sprintf("zmtp: socket type: %v: %s", ErrSocketType, what)
}

// Unwrap makes errors.Is(err, ErrSocketType) true.
func (e *SocketTypeError) Unwrap() error { return ErrSocketType }

// sendsIdentity reports whether sockets of this type put Identity in READY, as
// libzmq does, even when it is empty.
func (t SocketType) sendsIdentity() bool { return t == Req || t == Dealer || t == Router }

// list words a table row: "REP, DEALER or ROUTER".
func list(types []SocketType) string {
	var s strings.Builder
	for i, t := range types {
		switch {
		case i == 0:
		case i == len(types)-1:
			s.WriteString(" or ")
		default:
			s.WriteString(", ")
		}
		s.WriteString(string(t))
	}
	return s.String()
}
