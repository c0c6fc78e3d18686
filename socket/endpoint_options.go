package socket

import (
	"fmt"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// An EndpointOption configures what one endpoint is, where the options of the constructor hold for all of the socket's;
// see ConnectWith. Nil is none.
type EndpointOption interface{ set(c *endpointConfig) }

// endpointConfig is what the options of an endpoint come to.
type endpointConfig struct {
	as     string // what a Router calls the peer; "" if named is not set
	named  bool
	accept func(node [16]byte) error // see ConnectNode; nil for every peer

	mechanism zmtp.Mechanism // nil for the socket's
}

type endpointSetting func(c *endpointConfig)

func (s endpointSetting) set(c *endpointConfig) { s(c) }

// As gives the peer at an endpoint that a [Router] connects to a name: whatever the peer calls itself, this Router
// knows it by id, 1 to 255 bytes of which the first is not zero (libzmq ZMQ_CONNECT_ROUTING_ID). The default is the
// identity of the peer or, if it has none, one that the Router makes up. ConnectWith returns an error that matches
// ErrInvalidOption for any other id, and on a socket that is no Router; ErrIdentityInUse if another peer or endpoint
// has the name; and ErrState if the endpoint is connected already under another.
func As(id string) EndpointOption {
	return endpointSetting(func(c *endpointConfig) { c.as, c.named = id, true })
}

// ConnectWith is Connect with options for this one endpoint. Without any it is the same. The error matches
// ErrInvalidOption for an option that the socket or the endpoint cannot have, beside what each option says; nothing is
// connected then.
func (c *core) ConnectWith(endpoint string, opts ...EndpointOption) error {
	cfg := configure(endpointConfig{}, opts)
	if cfg.named {
		if err := c.mayName(endpoint, cfg.as); err != nil {
			return &PeerError{Op: "connect", Endpoint: endpoint, Err: err}
		}
	}
	return c.connect(endpoint, cfg)
}

// mayName reports why the peer at an endpoint cannot be called id.
func (c *core) mayName(endpoint, id string) error {
	if c.nameable == nil {
		return fmt.Errorf("%w: a %s does not name its peers", ErrInvalidOption, c.typ)
	}
	if err := validIdentity(id); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalidOption, err)
	}
	return c.nameable(endpoint, id)
}
