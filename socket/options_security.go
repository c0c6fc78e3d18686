package socket

import "github.com/yodel-mq/yodel/transport/zmtp"

// WithSecurity sets the security mechanism of all connections: what peers prove to each other before they exchange a
// message, and whether others can read what they say. A socket never exchanges a message with a peer that has another
// one: the handshake fails on both sides. Mechanisms are
//
//   - [zmtp.PlainClient], a user and a password that are sent as they are, towards a libzmq that checks them;
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
