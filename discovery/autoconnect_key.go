package discovery

import "fmt"

// A keyTaker is a Connector that may want to be told the key of the server at an endpoint.
type keyTaker interface {
	NeedsServerKey() bool
	ConnectServer(endpoint, key string, accept func(node [16]byte) error) error
}

// serverKey is the key of a node's sockets, if the socket wants to be told.
func (a *autoConnector) serverKey(n *nodeState) string {
	if a.keyTaker == nil {
		return ""
	}
	return n.record.Key
}

// checkKey says why the key in a record will not do for a socket that takes it from there: whoever can have us believe
// a record has us talk to whomever they like, and encrypted at that.
func (a *autoConnector) checkKey(r *Record) error {
	switch {
	case a.keyTaker == nil:
		return nil
	case r.Key == "":
		return fmt.Errorf("%w: the socket takes the server's key from the record, which has none", ErrNoEndpoint)
	case !r.proven:
		return fmt.Errorf("%w: the socket takes the server's key from the record, which has no proof: announce and watch "+
			"with a group key or signatures, or give the socket the key", ErrUntrusted)
	}
	return nil
}
