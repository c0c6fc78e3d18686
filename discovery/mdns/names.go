package mdns

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/miekg/dns"
)

const (
	serviceType = "_yodel._tcp.local."
	enumeration = "_services._dns-sd._udp.local." // RFC 6763 section 9: which types are there?
	maxLabel    = 63
)

// instanceName is the name of the node with this label.
func instanceName(label string) string { return label + "." + serviceType }

// hostName is the name of the host record. It is not the machine's own name, which belongs to its mDNS daemon.
func hostName(label string) string { return label + ".local." }

func groupSubtype(group string) string     { return subtype("_g-", group) }
func serviceSubtype(service string) string { return subtype("_s-", service) }

// subtype names a subset of the nodes (RFC 6763 section 7.1). What does not fit a label goes by its hash.
func subtype(prefix, name string) string {
	label := prefix + strings.ToLower(name)
	if len(label) > maxLabel || strings.ContainsFunc(name, notPlain) {
		sum := sha256.Sum256([]byte(name))
		label = prefix + hex.EncodeToString(sum[:16])
	}
	return label + "._sub." + serviceType
}

// notPlain reports what would need escaping in a name, dots included.
func notPlain(r rune) bool {
	return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '-' && r != '_'
}

// labelOf returns the one label that name has in front of the service type.
func labelOf(name string) (label string, ok bool) {
	cut := len(name) - len(serviceType) - 1
	if cut < 1 || name[cut] != '.' || !strings.EqualFold(name[cut+1:], serviceType) || dns.CountLabel(name) != 4 {
		return "", false
	}
	return strings.ToLower(name[:cut]), true
}

// isType reports whether name is the service type or one of its subtypes.
func isType(name string) bool {
	if strings.EqualFold(name, serviceType) {
		return true
	}
	suffix := "._sub." + serviceType
	cut := len(name) - len(suffix)
	return cut > 0 && strings.EqualFold(name[cut:], suffix)
}

// escape makes of a TXT string what the dns package calls presentation format, in which a backslash is special.
func escape(s string) string { return strings.ReplaceAll(s, `\`, `\\`) }

// unescape is the way back: the dns package also writes quotes and bytes beyond printable ASCII with a backslash.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] != '\\' || i+1 == len(s):
			b = append(b, s[i])
		case i+3 < len(s) && digit(s[i+1]) && digit(s[i+2]) && digit(s[i+3]):
			b = append(b, (s[i+1]-'0')*100+(s[i+2]-'0')*10+(s[i+3]-'0'))
			i += 3
		default:
			b = append(b, s[i+1])
			i++
		}
	}
	return string(b)
}

func digit(c byte) bool { return c >= '0' && c <= '9' }
