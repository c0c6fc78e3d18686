package discovery

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// shortEndpoint writes an endpoint as it stands in TXT. With an error it returns text all the same, for Digest.
func shortEndpoint(e string) (string, error) {
	whole := "u" + escape(e, ",")
	scheme, rest, ok := strings.Cut(e, "://")
	if !ok || scheme == "" || rest == "" {
		return whole, fmt.Errorf("endpoint %.80q is not scheme://address", e)
	}
	if err := checkText("endpoint", e, maxString); err != nil {
		return whole, err
	}
	switch scheme {
	case "tcp":
		host, port, err := splitTCP(rest)
		if err != nil {
			return whole, fmt.Errorf("endpoint %.80q: %w", e, err)
		}
		if host == "*" {
			return "t" + port, nil
		}
		return "t" + host + ":" + port, nil
	case "ipc":
		return "i" + escape(rest, ","), nil
	case "inproc":
		return whole, fmt.Errorf("endpoint %.80q means nothing to other processes", e)
	}
	return whole, nil
}

// longEndpoint undoes shortEndpoint. It returns "" for a kind of endpoint that is not known, of a later version.
func longEndpoint(s string) (e string, err error) {
	if s == "" {
		return "", errors.New("empty endpoint")
	}
	switch rest := s[1:]; s[0] {
	case 't':
		rest, _, _ = strings.Cut(rest, "+") // flags of later versions
		s = "t" + rest
		if only(rest, digits) {
			rest = "*:" + rest
		}
		e = "tcp://" + rest
	case 'i':
		if e, err = unescape(rest, ","); err != nil {
			return "", err
		}
		e = "ipc://" + e
	case 'u':
		if e, err = unescape(rest, ","); err != nil {
			return "", err
		}
	default:
		return "", nil
	}
	short, err := shortEndpoint(e)
	if err == nil && short != s {
		err = fmt.Errorf("endpoint %.80q should be %.80q", s, short)
	}
	return e, err
}

// splitTCP returns the host, with the brackets it needs, and the port.
func splitTCP(s string) (host, port string, err error) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return "", "", errors.New("no port")
	}
	host, port = s[:i], s[i+1:]
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || port[0] == '0' {
		return "", "", fmt.Errorf("port %.10q is not 1 to 65535", port)
	}
	bare, bracketed := strings.CutPrefix(host, "[")
	if bracketed {
		bare, bracketed = strings.CutSuffix(bare, "]")
	}
	addr, err := netip.ParseAddr(bare)
	switch {
	case host == "*":
		return host, port, nil
	case err == nil && bracketed == addr.Is6():
		if err := checkAddr(addr); err != nil {
			return "", "", err
		}
		if bracketed {
			return "[" + addr.String() + "]", port, nil
		}
		return addr.String(), port, nil
	case err == nil || host == "" || len(host) > 253 || !only(host, lower+upper+digits+"-._"):
		return "", "", fmt.Errorf("host %.80q is neither a name nor an address", host)
	}
	return host, port, nil
}
