package socket

import (
	"time"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// WithSecurity sets the security mechanism of all connections: what peers prove to each other before they exchange a
// message, and whether others can read what they say. A socket never exchanges a message with a peer that has another
// one: the handshake fails on both sides. Mechanisms are
//
//   - [zmtp.PlainClient] and [zmtp.PlainServer], a user and a password that are sent as they are; a server needs
//     [WithAuthenticator], which looks at them;
//   - curve.Client and curve.Server (package transport/zmtp/curve), keys by which peers know each other, and encryption
//     over tcp and ipc. Over inproc peers prove who they are just so, and nothing is encrypted.
//
// The default, and nil, is NULL: anybody can connect, and anybody in between can read and change what is sent. The same
// mechanism may be given to several sockets. A mechanism that cannot be used as it is set up fails in each handshake,
// with a [HandshakeFailed] that says why.
func WithSecurity(m zmtp.Mechanism) Option {
	return optionForAll{setting: func(c *config) { c.mechanism = m }}
}

// SecuredBy sets the security mechanism of one endpoint in place of [WithSecurity]'s, which a client needs that
// connects to servers with different keys. Nil keeps that one.
func SecuredBy(m zmtp.Mechanism) EndpointOption {
	return endpointSetting(func(c *endpointConfig) { c.mechanism = m })
}

// WithAuthenticator has every peer that comes in be let in, or not, by an authenticator, whatever the mechanism and the
// transport, inproc too. It is asked during the handshake: before that nothing the peer sends is taken, and it is sent
// nothing; and it holds up no other peer. Who is let in is known as [Peer].User from then on.
//
// It is asked about peers that connect to endpoints that this socket is bound to and, at endpoints that this socket
// connects to, where [WithSecurity] or [SecuredBy] makes it the server of its mechanism. With NULL, where peers show
// nothing, it can go by addresses, by processes over ipc, or by certificates over tls.
//
// The name by which a receiver is known over reliable links (that of [WithName], an owner's of [WithPartition], a
// durable subscription's of [WithSubscriberName]) belongs to the first user who has come with it, and so does what
// waits under it: a peer that is another user, or nobody, is refused, with a [HandshakeFailed] event that matches
// [ErrDenied] and names both. Owners and durable subscriptions keep their user with their cursors in the spool, a
// subscription until it ends; of others it is so as long as the receiver is waited for (see [WithReassign]). Likewise
// the stream of messages that a reliable peer sends is its user's as long as this socket knows it. A name that nobody
// with a user has come with yet anybody may use. [WithIdentityBinding] decides otherwise who has which name. What a Rep
// keeps for a requester with a spool (see [WithReplies]), and what it answers of its inbox, is for the user whose
// request it was.
//
// The default, and nil, is to let in whom the mechanism lets in, which a PLAIN server never does, and to take peers'
// word for their names. (libzmq: ZAP, RFC 27.)
func WithAuthenticator(a Authenticator) Option {
	return optionForAll{setting: func(c *config) { c.authenticator = a }}
}

// WithAuthenticationTimeout bounds how long the [Authenticator] may take over one peer, which is turned away then and
// may come again. The default is 5 s, which zero or less keeps. The time of the handshake (see
// [WithHandshakeTimeout]) goes on meanwhile.
func WithAuthenticationTimeout(d time.Duration) Option {
	return optionForAll{setting: func(c *config) {
		if d > 0 {
			c.authenticationTimeout = d
		}
	}}
}

// A BindingOption says which names belong to which users; see [WithIdentityBinding].
type BindingOption interface {
	RouterOption
	PushOption
	DealerOption
	PubOption
}

// WithIdentityBinding has a socket refuse peers whose name does not belong to the user that they have proven to be:
// belongs says whether it does. With nil user and name must be the same. The name is, of a Router's peer, its identity;
// of a receiver from a Push or Dealer with a spool the one that [WithPartition] has; and of a Pub's subscriber that of
// its durable subscription ([WithSubscriberName]). For the latter two this takes the place of what [WithAuthenticator]
// says of names, and so can hand one over to another user. A peer without such a name is not asked about; neither is
// one whose identity [As] says. User is empty for a peer that the [Authenticator] was not asked about, or for which it
// has named nobody. A peer that is refused is told so as by the authenticator, and the [HandshakeFailed] event matches
// [ErrDenied].
//
// belongs is called by goroutines of the socket, for several peers at once, and should not wait. The default is to take
// a Router's peers' word for their identities.
func WithIdentityBinding(belongs func(user, name string) bool) BindingOption {
	if belongs == nil {
		belongs = func(user, name string) bool { return user == name }
	}
	return optionForBinding{setting: func(c *config) { c.binding = belongs }}
}

type optionForBinding struct {
	setting
	forRouter
	forPush
	forDealer
	forPub
}
