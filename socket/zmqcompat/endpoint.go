package zmqcompat

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/yodel-mq/yodel/transport"
)

// dialable checks an endpoint for Dial and returns it as the engine wants it. The original dials a wildcard host,
// which the kernel takes for this machine; here it is named.
func dialable(endpoint string) (string, error) {
	ep, err := known(endpoint)
	if err != nil || ep.Scheme != "tcp" {
		return ep.String(), err
	}
	for wildcard, local := range map[string]string{
		"": "127.0.0.1", "*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "[*]": "127.0.0.1", "[0.0.0.0]": "127.0.0.1",
		"[::]": "[::1]",
	} {
		if port, ok := strings.CutPrefix(ep.Address, wildcard+":"); ok && !strings.Contains(port, ":") {
			ep.Address = local + ":" + port
			break
		}
	}
	return ep.String(), nil
}

// listenable is the same for Listen. The original takes an empty port for any.
func listenable(endpoint string) (string, error) {
	ep, err := known(endpoint)
	if err == nil && ep.Scheme == "tcp" && strings.HasSuffix(ep.Address, ":") {
		ep.Address += "*"
	}
	return ep.String(), err
}

// known splits an endpoint and makes sure that there is a transport for it.
func known(endpoint string) (transport.Endpoint, error) {
	ep, err := transport.ParseEndpoint(endpoint)
	if err != nil {
		return ep, err
	}
	if slices.Contains(Transports(), ep.Scheme) {
		return ep, nil
	}
	return ep, fmt.Errorf("%w: write one of %s", UnknownTransportError{Name: ep.Scheme}, strings.Join(Transports(), ", "))
}

// addrOf makes the net.Addr that the original would have for an endpoint that is bound.
func addrOf(endpoint string) net.Addr {
	ep, err := transport.ParseEndpoint(endpoint)
	if err != nil {
		return address{text: endpoint}
	}
	switch ep.Scheme {
	case "tcp":
		if ap, err := netip.ParseAddrPort(ep.Address); err == nil {
			return net.TCPAddrFromAddrPort(ap)
		}
	case "ipc":
		return &net.UnixAddr{Name: ep.Address, Net: "unix"}
	}
	return address{ep.Scheme, ep.Address}
}

// address is a net.Addr of no type of package net.
type address struct{ network, text string }

func (a address) Network() string { return a.network }
func (a address) String() string  { return a.text }
