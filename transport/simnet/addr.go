package simnet

import (
	"slices"
	"strconv"
	"strings"

	"github.com/yodel-mq/yodel/transport"
)

const scheme = "sim"

// maxName is the longest host name, in bytes; DNS's limit, so that tests do not rely on names real networks refuse.
const maxName = 253

// addr is the address of one end of a connection: a name and a port, such as "collector:1". A dialling end of the
// unnamed host reads ":49152".
type addr string

func (addr) Network() string  { return scheme }
func (a addr) String() string { return string(a) }

// splitAddress parses "name" or "name:port". The port is -1 when there is none.
func splitAddress(address string) (host string, port int, err error) {
	host, digits, hasPort := strings.Cut(address, ":")
	switch {
	case host == "":
		return "", 0, addressError(address, "no host name")
	case len(host) > maxName:
		return "", 0, addressError(address, "host name longer than 253 bytes")
	}
	for _, c := range []byte(host) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '-', c == '_':
		default:
			return "", 0, addressError(address, "host name has a character other than letters, digits, '.', '-' and '_'")
		}
	}
	if !hasPort {
		return host, -1, nil
	}
	n, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || strconv.FormatUint(n, 10) != digits {
		return "", 0, addressError(address, "port is not a number from 0 to 65535")
	}
	return host, int(n), nil
}

func validate(address string, use transport.Use) error {
	_, port, err := splitAddress(address)
	if err == nil && port == 0 && use == transport.ForConnect {
		return addressError(address, "port 0 (any free port) can be bound but not dialled")
	}
	return err
}

// names are what one end of a connection answers to in faults.
type names []string

// addressNames are the names of an address nobody owns: itself and its host part.
func addressNames(address string) names {
	host, _, _ := strings.Cut(address, ":")
	if host == address {
		return names{address}
	}
	return names{host, address}
}

// has reports whether name, or the wildcard "*", means this end.
func (ns names) has(name string) bool {
	if name == "*" {
		return true
	}
	return slices.Contains(ns, name)
}

// in reports whether any of the group's names means this end.
func (ns names) in(group []string) bool {
	return slices.ContainsFunc(group, ns.has)
}
