package transport

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"unicode"
)

// tcpAddress is an address taken apart.
type tcpAddress struct {
	host   string      // host name, interface name or IP; "" is the wildcard
	port   int         // 0 is "any free one"
	source *tcpAddress // where to connect from; nil is "let the kernel choose"
}

// parseTCP takes address apart and checks that it makes sense for use. Names
// are not resolved.
func parseTCP(address string, use Use) (tcpAddress, error) {
	bad := func(problem, fix string) (tcpAddress, error) {
		return tcpAddress{}, &AddressError{Endpoint: "tcp://" + address, Problem: problem, Fix: fix}
	}
	target := address
	var source *tcpAddress
	if from, to, found := strings.Cut(address, ";"); found {
		if use == ForBind {
			return bad("a source address (before ';') is for connecting", "write it as tcp://"+from)
		}
		s, problem, fix := splitTCP(from, ForBind)
		if problem != "" {
			return bad("source address: "+problem, fix)
		}
		source, target = &s, to
	}
	a, problem, fix := splitTCP(target, use)
	if problem != "" {
		return bad(problem, fix)
	}
	a.source = source
	return a, nil
}

// splitTCP parses one host:port; problem is "" if all is well.
func splitTCP(s string, use Use) (a tcpAddress, problem, fix string) {
	host, port, problem, fix := splitHostPort(s)
	if problem != "" {
		return a, problem, fix
	}
	if host == "*" {
		host = ""
	}
	ip, notIP := netip.ParseAddr(host)
	wildcard := host == "" || notIP == nil && ip.IsUnspecified()
	switch {
	case wildcard && use == ForConnect:
		return a, "a wildcard can be bound, not connected to", "name the peer's host, as in tcp://127.0.0.1:" + portOr(port, "5557")
	case host != "" && notIP != nil:
		if problem, fix = checkHost(host); problem != "" {
			return a, problem, fix
		}
	}
	switch {
	case port == "":
		return a, "no port", "add one, as in tcp://" + s + portOr("", "5557")
	case (port == "*" || port == "0") && use == ForConnect:
		return a, "port " + port + " (any free one) can be bound, not connected to", "write the port that the peer has bound"
	case port == "*":
		port = "0"
	}
	n, err := strconv.ParseUint(port, 10, 16) // refuses signs, spaces and service names
	if err != nil {
		return a, fmt.Sprintf("port %q is not a number from 0 to 65535", port), "write it as in tcp://127.0.0.1:5557"
	}
	if n == 0 && use == ForConnect { // "00"
		return a, "port 0 (any free one) can be bound, not connected to", "write the port that the peer has bound"
	}
	return tcpAddress{host: host, port: int(n)}, "", ""
}

// splitHostPort is net.SplitHostPort with messages that say what to write.
// An IPv6 host comes back without its brackets.
func splitHostPort(s string) (host, port, problem, fix string) {
	if s == "" {
		return "", "", "no host and no port", "write it as tcp://host:port"
	}
	if rest, ok := strings.CutPrefix(s, "["); ok {
		host, rest, ok = strings.Cut(rest, "]")
		if !ok {
			return "", "", "no ']' after the IPv6 address", "write it as in tcp://[::1]:5557"
		}
		if ip, err := netip.ParseAddr(host); err != nil || !ip.Is6() {
			return "", "", fmt.Sprintf("%q is not an IPv6 address, and brackets are for those", host), "write it as in tcp://[::1]:5557 or tcp://127.0.0.1:5557"
		}
		if rest == "" {
			return "", "", "no port", "add one, as in tcp://" + s + ":5557"
		}
		port, ok = strings.CutPrefix(rest, ":")
		if !ok {
			return "", "", fmt.Sprintf("%q after the ']'", rest), "write it as in tcp://[" + host + "]:5557"
		}
		return host, port, "", ""
	}
	switch strings.Count(s, ":") {
	case 0:
		return "", "", "no port", "add one, as in tcp://" + s + ":5557"
	case 1:
		host, port, _ = strings.Cut(s, ":")
		return host, port, "", ""
	}
	if _, err := netip.ParseAddr(s); err == nil {
		return "", "", "IPv6 address without brackets and no port", "write it as tcp://[" + s + "]:5557"
	}
	i := strings.LastIndexByte(s, ':')
	return "", "", "more than one ':' outside brackets", "write an IPv6 address as tcp://[" + s[:i] + "]" + s[i:]
}

// checkHost looks at a host that is not an IP address: it may be the name of
// a host or of an interface, which are freer than DNS allows.
func checkHost(host string) (problem, fix string) {
	for _, r := range host {
		if unicode.IsSpace(r) || unicode.IsControl(r) || strings.ContainsRune(`/\?#[]<>"'@,`, r) {
			return fmt.Sprintf("%q in the host", r), "write it as in tcp://host:port"
		}
	}
	// "127.0.0.300" or "127.1" is a slip, not a name to look up.
	if strings.Trim(host, "0123456789.") == "" {
		return fmt.Sprintf("%q is not an IPv4 address", host), "write four numbers from 0 to 255, as in tcp://127.0.0.1:5557"
	}
	return "", ""
}

// portOr is port, if it can be connected to, or else one for an example.
func portOr(port, example string) string {
	if port == "" || port == "*" || port == "0" {
		return example
	}
	return port
}
