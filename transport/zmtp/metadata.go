package zmtp

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
)

// Property is one named value in the metadata of a READY command.
type Property struct {
	// Name has 1 to 255 bytes, letters, digits and "-_.+"; case does not matter.
	// Names of applications start with "X-".
	Name string
	// Value is any bytes, at most 2^31-1.
	Value []byte
}

// Metadata is the properties of a READY command in the order they travel. Names
// may repeat.
type Metadata []Property

// Names of the properties RFC 37 defines and this package uses. libzmq compares
// them exactly, so they are sent in this case.
const (
	PropertySocketType = "Socket-Type"
	PropertyIdentity   = "Identity"
)

// Lengths that go with each property.
const (
	nameLengthSize  = 1
	valueLengthSize = 4
)

// Get returns the value of the first property with that name and whether there
// is one. ASCII letters match in either case, as RFC 37 has it. The value is not
// a copy.
func (m Metadata) Get(name string) (value []byte, ok bool) {
	for _, p := range m {
		if sameName(p.Name, name) {
			return p.Value, true
		}
	}
	return nil, false
}

// sameName folds ASCII only: strings.EqualFold would take the Kelvin sign for a k.
func sameName(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// Validate tells whether m may be sent: every name of the form given at
// [Property], no value over 2^31-1 bytes. The error wraps ErrConfig.
func (m Metadata) Validate() error {
	for i, p := range m {
		if len(p.Name) == 0 || len(p.Name) > maxShortString || !validName(p.Name) {
			return fail("metadata", ErrConfig, "property %d has the name %.64q; want 1 to %d bytes of letters, digits and -_.+",
				i, p.Name, maxShortString)
		}
		if len(p.Value) > math.MaxInt32 {
			return fail("metadata", ErrConfig, "property %q has a value of %d bytes; want at most %d", p.Name, len(p.Value),
				math.MaxInt32)
		}
	}
	return nil
}

func validName(name string) bool {
	for i := range len(name) {
		switch c := lower(name[i]); {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_', c == '.', c == '+':
		default:
			return false
		}
	}
	return true
}

// size returns how many bytes AppendMetadata writes.
func (m Metadata) size() int {
	n := 0
	for _, p := range m {
		n += nameLengthSize + len(p.Name) + valueLengthSize + len(p.Value)
	}
	return n
}

// AppendMetadata adds the properties of m in their order. A name or value whose
// length does not fit its field panics, as it would corrupt what follows; check
// what comes from outside with [Metadata.Validate].
func AppendMetadata(b []byte, m Metadata) []byte {
	for _, p := range m {
		if len(p.Name) == 0 || len(p.Name) > maxShortString || len(p.Value) > math.MaxInt32 {
			panic("zmtp: append metadata: " + Metadata{p}.Validate().Error())
		}
		b = append(b, byte(len(p.Name)))
		b = append(b, p.Name...)
		b = binary.BigEndian.AppendUint32(b, uint32(len(p.Value)))
		b = append(b, p.Value...)
	}
	return b
}

// ParseMetadata reads properties until b ends; no bytes give none. A property that
// is cut short, an empty name, or a value that claims more bytes than there are
// is ErrMalformed. Names are taken with any characters and in any case. Names and
// values are copies.
func ParseMetadata(b []byte) (Metadata, error) { return parseMetadata(b, math.MaxInt) }

// parseMetadata takes at most so many properties: each costs about as much again
// as one of 64 bytes, so that a READY of nothing but empty ones would weigh 16
// times what was sent.
func parseMetadata(b []byte, most int) (Metadata, error) {
	var m Metadata
	b = bytes.Clone(b) // one copy for all values
	for at := 0; at < len(b); {
		if len(m) == most {
			return nil, fail("metadata", ErrTooLarge, "more than %d properties", most)
		}
		name, value, n, err := parseProperty(b[at:])
		if err != nil {
			return nil, fail("metadata", ErrMalformed, "property %d at byte %d: %s", len(m), at, err)
		}
		m = append(m, Property{Name: string(name), Value: value})
		at += n
	}
	return m, nil
}

// parseProperty splits the first property off b, which has at least one byte.
// All bounds are checked by subtraction from what is there, never by adding to
// what is claimed.
func parseProperty(b []byte) (name, value []byte, n int, err error) {
	nameLen := int(b[0])
	rest := b[nameLengthSize:]
	if nameLen == 0 {
		return nil, nil, 0, fmt.Errorf("empty name; want 1 to %d bytes", maxShortString)
	}
	if nameLen > len(rest) {
		return nil, nil, 0, fmt.Errorf("name of %d bytes where %d are left", nameLen, len(rest))
	}
	name, rest = rest[:nameLen], rest[nameLen:]
	if len(rest) < valueLengthSize {
		return nil, nil, 0, fmt.Errorf("value length of %d bytes where %d are left", valueLengthSize, len(rest))
	}
	valueLen := binary.BigEndian.Uint32(rest)
	rest = rest[valueLengthSize:]
	if uint64(valueLen) > uint64(len(rest)) {
		return nil, nil, 0, fmt.Errorf("value of %d bytes where %d are left", valueLen, len(rest))
	}
	value = rest[:valueLen:valueLen]
	return name, value, nameLengthSize + nameLen + valueLengthSize + int(valueLen), nil
}
