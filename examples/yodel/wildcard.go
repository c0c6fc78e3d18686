package main

import (
	"fmt"
	"net"
	"slices"
	"strings"
)

// wildcard is how a socket that is bound is told of: of one that listens on every interface, at which addresses it can
// be reached. at is what Bind returned, an address at which this host reaches it, and bound all endpoints of the
// socket.
func wildcard(at string, bound []string) string {
	scheme, rest, _ := strings.Cut(at, "://")
	port := rest[strings.LastIndexByte(rest, ':')+1:]
	for _, host := range []string{"*", "0.0.0.0"} {
		if every := scheme + "://" + host + ":" + port; every != at && slices.Contains(bound, every) {
			return fmt.Sprintf("%s (every interface; from here %s%s)", every, at, elsewhere(scheme, port, ownAddresses()))
		}
	}
	return at
}

// elsewhere names where another host may connect to.
func elsewhere(scheme, port string, addrs []net.Addr) string {
	var all []string
	for _, a := range addrs {
		ip, ok := a.(*net.IPNet)
		if ok && ip.IP.IsGlobalUnicast() && ip.IP.To4() != nil {
			all = append(all, scheme+"://"+net.JoinHostPort(ip.IP.String(), port))
		}
	}
	if len(all) == 0 {
		return ""
	}
	return ", from elsewhere " + strings.Join(all[:min(len(all), 3)], " or ")
}

// ownAddresses are those of this host's interfaces; none if they cannot be had.
func ownAddresses() []net.Addr {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	return addrs
}
