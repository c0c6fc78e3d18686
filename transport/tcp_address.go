package transport

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"unicode"
)

// tcpAddress is an address taken apart.
type tcpAddress struct {
	host   string      // host name, interface name or IP without brackets; "" is the wildcard
	port   int         // 0 is "any free one"
	last   int         // of a range of ports that begins at port; else port
	source *tcpAddress // where to connect from; nil is "let the kernel choose"
}

// String is the address in the one form that all its spellings share.
func (a tcpAddress) String() string {
	host, port := a.host, strconv.Itoa(a.port)
	if host == "" {
		host = "*"
	}
	if a.port == 0 {
		port = "*"
	} else if a.last != a.port {
		port += "-" + strconv.Itoa(a.last)
	}
	s := net.JoinHostPort(host, port)
	if a.source != nil {
		s = a.source.String() + ";" + s
	}
	return s
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
		switch {
		case problem != "":
			return bad("source address: "+problem, fix)
		case s.last != s.port:
			return bad("source address: a range of ports can be bound, not connected from",
				"write one port, or 0 for any free one")
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
		return a, "a wildcard can be bound, not connected to", "name the peer's host, as in tcp://127.0.0.1:" +
			portOr(port, "5557")
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
	if notIP == nil {
		host = ip.String()
	} else if use == ForConnect {
		host = strings.ToLower(host) // when bound, it may be the name of an interface
	}
	a.host = host
	return portsTCP(a, port, use)
}

// portsTCP adds the port or range of ports to an address.
func portsTCP(a tcpAddress, port string, use Use) (_ tcpAddress, problem, fix string) {
	const example = "write it as in tcp://127.0.0.1:5557"
	from, to, isRange := strings.Cut(port, "-")
	if !isRange || from == "" { // "-1" is a negative number
		from, to, isRange = port, port, false
	}
	first, err := strconv.ParseUint(from, 10, 16) // refuses signs, spaces and service names
	last, err2 := strconv.ParseUint(to, 10, 16)
	a.port, a.last = int(first), int(last)
	switch {
	case isRange && use == ForConnect:
		return a, "a range of ports can be bound, not connected to", "write the port that the peer has bound"
	case isRange && (err != nil || err2 != nil || first == 0 || first > last):
		return a, fmt.Sprintf("%q is not a range of ports", port),
			"write the lower and the upper one, from 1 to 65535, as in tcp://*:5000-5100"
	case err != nil:
		return a, fmt.Sprintf("port %q is not a number from 0 to 65535", port), example
	case first == 0 && use == ForConnect: // "00"
		return a, "port 0 (any free one) can be bound, not connected to", "write the port that the peer has bound"
	}
	return a, "", ""
}

// splitHostPort is net.SplitHostPort with messages that say what to write. As with libzmq, any host may be in brackets,
// not only an IPv6 address, since programs write "[%s]:%d" for all of them. The host is returned without brackets.
func splitHostPort(s string) (host, port, problem, fix string) {
	if s == "" {
		return "", "", "no host and no port", "write it as tcp://host:port"
	}
	if rest, ok := strings.CutPrefix(s, "["); ok {
		host, rest, ok = strings.Cut(rest, "]")
		if !ok {
			return "", "", "no ']' after the IPv6 address", "write it as in tcp://[::1]:5557"
		}
		if host == "" {
			return "", "", "no host in the brackets", "write it as in tcp://[::1]:5557, or tcp://*:5557 for every address"
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
	if strings.Contains(host, ":") { // in brackets
		return fmt.Sprintf("%q is not an IPv6 address", host), "write it as in tcp://[::1]:5557"
	}
	// "127.0.0.300" or "127.1" is a slip, not a name to look up.
	if strings.Trim(host, "0123456789.") == "" {
		return fmt.Sprintf("%q is not an IPv4 address", host), "write four numbers from 0 to 255, as in tcp://127.0.0.1:5557"
	}
	return "", ""
}

// portOr is port, if it can be connected to, or else one for an example.
func portOr(port, example string) string {
	if port == "" || port == "*" || port == "0" || strings.Contains(port, "-") {
		return example
	}
	return port
}
