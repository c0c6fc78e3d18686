package socket

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"github.com/yodel-mq/yodel/transport"
)

// An Authenticator decides which peers may come in, and who they are; see [WithAuthenticator]. Ready-made ones are in
// package socket/auth.
type Authenticator interface {
	// Authenticate returns whom a peer is taken for, or an error that refuses it. The error is for this side alone: it
	// stands in the [HandshakeFailed] event, beside [ErrDenied], while the peer is told a status of three digits at most.
	// That is 400, refused for good, for all errors but a [zmtp.Denial], which has a status of its own: 500 says that
	// the authenticator is broken, and 300, for which nothing is sent, has the peer come again. The error of a context
	// that has ended counts as 300.
	//
	// It may wait, as long as ctx lasts: for WithAuthenticationTimeout, and no longer than the handshake and the socket
	// do. Whatever it returns after that is ignored. It is called from goroutines of the socket, for as many peers at once
	// as Limits.MaxAuthentications allows, and one that does not return keeps its place among those. A panic counts as
	// an error with the status 500.
	Authenticate(ctx context.Context, c Claim) (User, error)
}

// An AuthenticatorFunc is a function that is an [Authenticator].
type AuthenticatorFunc func(ctx context.Context, c Claim) (User, error)

// Authenticate calls f.
func (f AuthenticatorFunc) Authenticate(ctx context.Context, c Claim) (User, error) { return f(ctx, c) }

// A Claim is what an [Authenticator] decides on: what a peer has shown, and what is known of it. Printed or logged, it
// shows no credentials.
type Claim struct {
	// Mechanism is the security mechanism: "NULL", "PLAIN" or "CURVE".
	Mechanism string
	// Credentials are those that RFC 27 has for the mechanism: none for NULL, user name and password for PLAIN, the
	// public key of 32 bytes for CURVE, of which the peer has proven to have the secret one. They are valid during the
	// call only, and wiped then.
	Credentials [][]byte `json:"-"`
	// Endpoint is the endpoint of ours that the connection belongs to, as bound or connected.
	Endpoint string
	// Address is the far end's address as the transport gives it. Over ipc and inproc it says nothing of the peer.
	Address string
	// Process is the process at the far end, as the operating system tells: over ipc on Linux and over inproc. It is nil
	// where nothing is known.
	Process *transport.Process
	// Certificate is the one by which the peer has proven who it is to a transport that asks for that, such as that of
	// package transport/mtls, whatever the mechanism inside. It is nil if there is none. Whether anybody vouches for it
	// is for that transport's settings to say; its KeyHash is proven in any case.
	Certificate *transport.Certificate

	// Type, Identity and Metadata are what the peer says of itself, and Peer has them later, where the mechanism tells
	// them in time: with CURVE, but not with NULL and PLAIN, whose peers are let in, or not, before they have said
	// anything. They are claims, not proofs. For identities that must belong to the user see WithIdentityBinding.
	Type     string
	Identity []byte
	Metadata map[string]string
}

// String names the mechanism and the far end, without the credentials.
func (c Claim) String() string {
	return fmt.Sprintf("%s from %s at %s, %d credentials", c.Mechanism, c.Address, c.Endpoint, len(c.Credentials))
}

// Format prints String, whatever the verb.
func (c Claim) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, c.String()) }

// LogValue implements [slog.LogValuer] by String.
func (c Claim) LogValue() slog.Value { return slog.StringValue(c.String()) }

// A User is whom an [Authenticator] takes a peer for.
type User struct {
	// ID names the user. It stands on the [Peer], and so on each of its messages and events, as Peer.User. Empty names
	// nobody: the peer may come in all the same.
	ID string
	// Metadata is what the authenticator knows of the user. It stands on the Peer as Peer.Proven.
	Metadata map[string]string
	// OnRevoke, if it is not nil, is for an authenticator that changes its mind. It is called once, by a goroutine of the
	// socket, when the handshake is done, with a function that ends the connection: with a PeerDown event whose Err
	// matches [ErrRevoked] and the reason. What the peer had sent before is received. Revoke may be called at any time and
	// from any goroutine; it waits for nothing that the authenticator does. If the user may not stay any more OnRevoke
	// calls it at once. The stop that it returns, which may be nil, is called when the connection is over.
	OnRevoke func(revoke func(reason error)) (stop func())
}
