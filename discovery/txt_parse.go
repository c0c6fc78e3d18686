package discovery

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

const maxProof = 160 // bytes; all that 255 bytes of base64url can hold is 187

// ParseTXT reads what [Record.TXT] wrote. It is meant for input from anybody: values are taken only as TXT would
// write them, within its limits. Keys it does not know it ignores, and kinds of endpoints, and of two strings with
// one key it takes the first (RFC 6763 section 6.4); keys may be upper case. All keys but txtvers and id may be
// missing. A record of a later version of the schema, or with a value that makes no sense, is an error that wraps
// ErrRecord.
func ParseTXT(txt []string) (Record, error) {
	p := parser{}
	if err := p.parse(txt); err != nil {
		return Record{}, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	return p.r, nil
}

type parser struct {
	r        Record
	seen     map[string]bool
	services [maxServices]string
}

func (p *parser) parse(txt []string) error {
	if err := bounded(txt); err != nil {
		return err
	}
	if err := version(txt); err != nil {
		return err
	}
	p.seen = make(map[string]bool, len(txt))
	p.r.Group = DefaultGroup
	for _, s := range txt {
		key, value, ok := strings.Cut(s, "=")
		key = strings.ToLower(key)
		if !ok || key == "" || p.seen[key] {
			continue
		}
		p.seen[key] = true
		if err := p.value(key, value); err != nil {
			return fmt.Errorf("%.20s: %w", key, err)
		}
	}
	if p.r.ID == (ID{}) {
		return errNoID
	}
	for i, s := range p.services {
		if s == "" {
			continue
		}
		service, err := parseService(s)
		if err != nil {
			return fmt.Errorf("s%d: %w", i, err)
		}
		p.r.Services = append(p.r.Services, service)
	}
	return nil
}

func bounded(txt []string) error {
	if len(txt) > maxStrings {
		return fmt.Errorf("%d strings, more than %d", len(txt), maxStrings)
	}
	total := 0
	for _, s := range txt {
		if len(s) > maxString {
			return fmt.Errorf("string of %d bytes, more than %d", len(s), maxString)
		}
		total += 1 + len(s)
	}
	if total > maxTXT {
		return fmt.Errorf("%d bytes, more than %d", total, maxTXT)
	}
	return nil
}

// version comes first: of a record of another version nothing else makes sense.
func version(txt []string) error {
	for _, s := range txt {
		key, value, _ := strings.Cut(s, "=")
		if !strings.EqualFold(key, "txtvers") {
			continue
		}
		if major, _, _ := strings.Cut(value, "."); major != "1" {
			return fmt.Errorf("version %.20q of the schema is not known", value)
		}
		return nil
	}
	return errors.New("no txtvers")
}

// value takes one string apart. What a check refuses on the way out is refused on the way in.
func (p *parser) value(key, value string) (err error) {
	r := &p.r
	switch key {
	case "id":
		r.ID, err = ParseID(value)
	case "i":
		r.Incarnation, err = parseUint(value, 36)
	case "r":
		r.Revision, err = parseUint(value, 10)
	case "g":
		if r.Group = value; !isTag(value) {
			err = checkName("group", value)
		}
	case "n":
		if r.Name, err = unescape(value, ""); err == nil {
			err = checkText("name", r.Name, maxName)
		}
	case "p":
		r.Wire, err = value, checkToken("wire protocol", value)
	case "m":
		r.Host, err = value, checkToken("host token", value)
	case "k":
		r.Key, err = value, checkZ85(value)
	case "f":
		r.Files, err = value, checkToken("files token", value)
	case "y":
		if r.PeerID, err = ParseID(value); err == nil && r.PeerID == (ID{}) {
			err = errors.New("the zero id is none")
		}
	case "h":
		r.Addrs, err = parseAddrs(value)
	case "l":
		var n uint64
		if n, err = parseUint(value, 10); err == nil && n > uint64(maxLifetime/time.Second) {
			err = fmt.Errorf("lifetime of %d s, more than %v", n, maxLifetime)
		}
		r.Lifetime = time.Duration(n) * time.Second
	case "ts":
		var ms uint64
		if ms, err = parseUint(value, 36); err == nil && (ms == 0 || ms > maxIssued) {
			err = fmt.Errorf("time %.20q is out of range", value)
		}
		r.Issued = time.UnixMilli(int64(ms)).UTC()
	case "bye":
		if r.Goodbye = value == "1"; !r.Goodbye {
			err = fmt.Errorf("%.20q is not 1", value)
		}
	case "x":
		r.Proof, err = parseProof(value)
	default:
		return p.numbered(key, value)
	}
	return err
}

// numbered takes services and metadata; anything else is of a later version.
func (p *parser) numbered(key, value string) (err error) {
	if name, ok := strings.CutPrefix(key, "m-"); ok {
		if checkMetaKey(name) != nil {
			return nil
		}
		if value, err = unescape(value, ""); err != nil {
			return err
		}
		if err := checkText("metadata", value, maxString); err != nil {
			return err
		}
		if p.r.Meta == nil {
			p.r.Meta = make(map[string]string)
		}
		p.r.Meta[name] = value
		return nil
	}
	if n, ok := strings.CutPrefix(key, "s"); ok {
		if i, err := strconv.Atoi(n); err == nil && i >= 0 && i < maxServices && strconv.Itoa(i) == n {
			if value == "" {
				return errors.New("empty service")
			}
			p.services[i] = value
		}
	}
	return nil
}

// parseUint wants numbers written the one way FormatUint writes them.
func parseUint(s string, base int) (uint64, error) {
	n, err := strconv.ParseUint(s, base, 64)
	if err != nil || strconv.FormatUint(n, base) != s {
		return 0, fmt.Errorf("%.20q is not a number in base %d", s, base)
	}
	return n, nil
}

func parseAddrs(s string) (addrs []netip.Addr, err error) {
	for text := range strings.SplitSeq(s, ",") {
		a, err := netip.ParseAddr(text)
		if err != nil || a.String() != text {
			return nil, fmt.Errorf("%.80q is not an address", text)
		}
		if err := checkAddr(a); err != nil {
			return nil, err
		}
		addrs = append(addrs, a)
	}
	return addrs, nil
}

func parseProof(s string) ([]byte, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) == 0 || len(b) > maxProof {
		return nil, fmt.Errorf("%.20q… is not 1 to %d bytes in base64url", s, maxProof)
	}
	return b, nil
}

func parseService(s string) (service Service, err error) {
	parts := strings.Split(s, ",")
	service.Name = parts[0]
	if err := checkName("service", service.Name); err != nil {
		return service, err
	}
	if len(parts) == 1 {
		return service, nil
	}
	service.Type = parts[1]
	if err := checkType(service.Type); err != nil {
		return service, err
	}
	for _, part := range parts[2:] {
		e, err := longEndpoint(part)
		if err != nil {
			return service, err
		}
		if e != "" {
			service.Endpoints = append(service.Endpoints, e)
		}
	}
	return service, nil
}
