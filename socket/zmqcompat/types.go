package zmqcompat

import (
	"context"

	"github.com/go-zeromq/zmq4"
)

// The vocabulary of go-zeromq, as aliases: a value of one of these types is a value of go-zeromq's, so that code
// typed on the original takes sockets of this package, and the other way about.
type (
	// Socket is what all constructors return; the package's documentation says what its methods do here.
	Socket = zmq4.Socket
	// Topics is implemented by the sockets of [NewPub], [NewXPub] and [NewSub]: by type assertion, a sorted list of
	// what is subscribed to, by the peers or by the socket itself.
	Topics = zmq4.Topics
	// Msg is a message: Frames, and a Type that is UsrMsg for all a socket of this package receives.
	Msg = zmq4.Msg
	// MsgType tells messages from commands.
	MsgType = zmq4.MsgType
	// SocketType is a type's name on the wire, such as "PUSH".
	SocketType = zmq4.SocketType
	// SocketIdentity is what a socket calls itself to its peers; see [WithID].
	SocketIdentity = zmq4.SocketIdentity
	// Security is the original's interface for security mechanisms; see [WithSecurity].
	Security = zmq4.Security
	// SecurityType names a mechanism, such as "NULL".
	SecurityType = zmq4.SecurityType
	// Proxy forwards between two sockets; see [NewProxy].
	Proxy = zmq4.Proxy
	// UnknownTransportError is found by errors.As in the error of Dial and Listen for a scheme without a transport.
	UnknownTransportError = zmq4.UnknownTransportError
)

// The socket types (RFC 28, 29, 30 and 31).
const (
	Pair   = zmq4.Pair
	Pub    = zmq4.Pub
	Sub    = zmq4.Sub
	Req    = zmq4.Req
	Rep    = zmq4.Rep
	Dealer = zmq4.Dealer
	Router = zmq4.Router
	Pull   = zmq4.Pull
	Push   = zmq4.Push
	XPub   = zmq4.XPub
	XSub   = zmq4.XSub
)

// The types of messages. Sockets of this package send and receive UsrMsg only.
const (
	UsrMsg = zmq4.UsrMsg
	CmdMsg = zmq4.CmdMsg
)

// The names SetOption and GetOption know. Any other gives ErrBadProperty, as does an option that means nothing to the
// type.
const (
	// OptionSubscribe subscribes a SUB or XSUB to a prefix, a string or []byte; "" is everything. Subscriptions are
	// counted.
	OptionSubscribe = zmq4.OptionSubscribe
	// OptionUnsubscribe takes back one OptionSubscribe of the same prefix; what was not subscribed is ignored.
	OptionUnsubscribe = zmq4.OptionUnsubscribe
	// OptionHWM is the high-water mark, an int: how many messages may wait for, and from, each peer. The default is
	// 1,000, 0 means no limit (other than 64 MiB). It can be set, on any type, until the socket is first used.
	OptionHWM = zmq4.OptionHWM
)

// The names of security mechanisms. Only NULL, which is none, is supported so far.
const (
	NullSecurity  = zmq4.NullSecurity
	PlainSecurity = zmq4.PlainSecurity
	CurveSecurity = zmq4.CurveSecurity
)

// NewMsg returns a message of one frame, which it does not copy.
func NewMsg(frame []byte) Msg { return zmq4.NewMsg(frame) }

// NewMsgFrom returns a message of the given frames, which it does not copy.
func NewMsgFrom(frames ...[]byte) Msg { return zmq4.NewMsgFrom(frames...) }

// NewMsgString returns a message of one frame.
func NewMsgString(frame string) Msg { return zmq4.NewMsgString(frame) }

// NewMsgFromString returns a message of the given frames.
func NewMsgFromString(frames []string) Msg { return zmq4.NewMsgFromString(frames) }

// NewProxy returns the original's proxy between two sockets, running already; capture may be nil. It works with
// sockets of this package, with the original's and with one of each, and between an XSUB and an XPUB of this package
// it passes subscriptions on. The original's limits stay: Pause, Resume and Stats do nothing, and while ctx lasts a
// socket that was closed makes it spin. Give the sockets the same ctx, or use
// [github.com/yodel-mq/yodel/socket/proxy.Run] on their [Engine].
func NewProxy(ctx context.Context, front, back, capture Socket) *Proxy {
	return zmq4.NewProxy(ctx, front, back, capture)
}
