package discovery

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	maxLifetime = 24 * time.Hour
	maxIssued   = 253402300799999 // the end of the year 9999
	maxToken    = 32
	maxType     = 16
	z85         = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
	lower       = "abcdefghijklmnopqrstuvwxyz"
	upper       = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits      = "0123456789"
)

var errNoID = errors.New("no node id")

// groupName returns what an empty group stands for.
func groupName(group string) string {
	if group == "" {
		return DefaultGroup
	}
	return group
}

// only reports whether s has no bytes but those of set.
func only(s, set string) bool {
	for i := range len(s) {
		if strings.IndexByte(set, s[i]) < 0 {
			return false
		}
	}
	return true
}

// checkName allows lower case alone: DNS, in which names of groups and services end up, does not tell upper case apart.
func checkName(what, s string) error {
	if s == "" || len(s) > maxName || !only(s, lower+digits+"-._") {
		return fmt.Errorf("%s %.80q is not 1 to %d characters of a-z, 0-9, -, . and _", what, s, maxName)
	}
	return nil
}

func checkGroup(s string) error {
	if s == "" || isTag(s) {
		return nil
	}
	return checkName("group", s)
}

// checkText allows what can be shown to people: no control characters, and none that turn the direction of what
// follows.
func checkText(what, s string, most int) error {
	if len(s) > most {
		return fmt.Errorf("%s has %d bytes, at most %d fit", what, len(s), most)
	}
	if !utf8.ValidString(s) || strings.IndexFunc(s, func(c rune) bool { return !unicode.IsPrint(c) }) >= 0 {
		return fmt.Errorf("%s %.80q has characters that cannot be shown", what, s)
	}
	return nil
}

func checkToken(what, s string) error {
	if len(s) > maxToken || !only(s, lower+upper+digits+"-._/") {
		return fmt.Errorf("%s %.80q is not up to %d characters of a-z, A-Z, 0-9, -, ., _ and /", what, s, maxToken)
	}
	return nil
}

func checkType(s string) error {
	if len(s) > maxType || !only(s, upper+digits+"-") {
		return fmt.Errorf("socket type %.80q is not up to %d characters of A-Z, 0-9 and -", s, maxType)
	}
	return nil
}

func checkZ85(s string) error {
	if s != "" && (len(s) != 40 || !only(s, z85)) {
		return fmt.Errorf("key %.80q is not 40 characters of Z85", s)
	}
	return nil
}

func checkMetaKey(s string) error {
	if s == "" || len(s) > maxMetaKey || !only(s, lower+digits) {
		return fmt.Errorf("metadata key %.80q is not 1 to %d characters of a-z and 0-9", s, maxMetaKey)
	}
	return nil
}

// checkAddr refuses what means nothing, or something else, to whoever receives it.
func checkAddr(a netip.Addr) error {
	switch {
	case !a.IsValid() || a.IsUnspecified():
		return fmt.Errorf("address %v is none", a)
	case a.Zone() != "" || a.IsLinkLocalUnicast():
		return fmt.Errorf("address %v is link-local", a)
	case a.IsMulticast():
		return fmt.Errorf("address %v is multicast", a)
	case a.Is4In6():
		return fmt.Errorf("address %v is IPv4 in IPv6, write %v", a, a.Unmap())
	}
	return nil
}

const hexDigits = "0123456789ABCDEF"

// escape writes bytes that are not printable ASCII, quotes, backslashes, percent signs and those of also as %XX.
func escape(s, also string) string {
	plain := func(c byte) bool {
		return c >= ' ' && c <= '~' && c != '"' && c != '\\' && c != '%' && strings.IndexByte(also, c) < 0
	}
	i := 0
	for i < len(s) && plain(s[i]) {
		i++
	}
	if i == len(s) {
		return s
	}
	b := append(make([]byte, 0, len(s)+16), s[:i]...)
	for ; i < len(s); i++ {
		if c := s[i]; plain(c) {
			b = append(b, c)
		} else {
			b = append(b, '%', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return string(b)
}

// unescape undoes escape, and takes nothing that escape would have written in another way.
func unescape(s, also string) (string, error) {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '%' || i+2 >= len(s) {
			b = append(b, s[i])
			continue
		}
		high, low := strings.IndexByte(hexDigits, s[i+1]), strings.IndexByte(hexDigits, s[i+2])
		b = append(b, byte(high<<4|low&15))
		i += 2
	}
	if out := string(b); escape(out, also) == s {
		return out, nil
	}
	return "", fmt.Errorf("%.80q is not printable ASCII with other bytes as %%XX", s)
}
