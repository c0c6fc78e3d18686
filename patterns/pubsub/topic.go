package pubsub

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/yodel-mq/yodel/patterns/internal/subject"
)

// private is the topic of everything that is between two of our own: a subscription with more to it than a prefix, and
// messages for one subscriber. No subject begins with a NUL, so that no foreign publisher has anything under it.
const private = "\x00"

// maxName is the length of the name of a group or of a durable subscription, in bytes.
const maxName = 200

// A request is what a subscriber asks a publisher of this package for. It travels as a ZeroMQ subscription: a NUL, and
// a msgpack map whose keys are always in the same order, so that cancelling names the same topic.
type request struct {
	pattern  string // s
	group    string // g
	durable  string // d
	replay   uint64 // q: so many of the newest
	last     bool   // z: the newest of each subject
	overflow uint64 // o: a policy and one, 0 for the publisher's own
	hold     bool   // y: nothing before the subscriber has told how far it got
}

// errRequest matches what parseRequest and check refuse.
var errRequest = errors.New("not a subscription")

// topic returns the request as it travels.
func (r *request) topic() string {
	b := append(make([]byte, 0, len(r.pattern)+len(r.group)+len(r.durable)+32), private...)
	at := len(b)
	b = append(b, 0x80)
	text := func(key byte, s string) {
		if s == "" {
			return
		}
		b[at]++
		b = append(b, 0xa1, key)
		if len(s) < 32 {
			b = append(b, 0xa0|byte(len(s)))
		} else {
			b = append(b, 0xd9, byte(len(s))) // patterns and names have at most 255 bytes
		}
		b = append(b, s...)
	}
	number := func(key byte, v uint64) {
		switch {
		case v == 0:
			return
		case v < 0x80:
			b = append(b, 0xa1, key, byte(v))
		case v <= math.MaxUint16:
			b = binary.BigEndian.AppendUint16(append(b, 0xa1, key, 0xcd), uint16(v))
		default:
			b = binary.BigEndian.AppendUint64(append(b, 0xa1, key, 0xcf), v)
		}
		b[at]++
	}
	text('s', r.pattern)
	text('g', r.group)
	text('d', r.durable)
	number('q', r.replay)
	number('z', flag(r.last))
	number('o', r.overflow)
	number('y', flag(r.hold))
	return string(b)
}

func flag(on bool) uint64 {
	if on {
		return 1
	}
	return 0
}

// check returns an error that matches errRequest if no publisher would grant the request.
func (r *request) check() error {
	switch {
	case len(r.group) > maxName || len(r.durable) > maxName:
		return fmt.Errorf("%w: a name of %d bytes, over %d", errRequest, max(len(r.group), len(r.durable)), maxName)
	case r.group != "" && r.durable != "":
		return fmt.Errorf("%w: both a group and a durable name", errRequest)
	case !utf8.ValidString(r.group) || !utf8.ValidString(r.durable):
		return fmt.Errorf("%w: a name that is not UTF-8", errRequest)
	}
	if err := subject.CheckPattern(r.pattern); err != nil {
		return fmt.Errorf("%w: %w", errRequest, err)
	}
	return nil
}

// plain tells whether each subscriber gets what matches, and not one of several.
func (r *request) plain() bool { return r.group == "" && r.durable == "" }

// parseRequest reads a subscription that begins with a NUL. Keys that are not known are skipped.
func parseRequest(topic string) (request, error) {
	var r request
	p := requestReader{rest: topic}
	if topic == "" || topic[:1] != private {
		return r, fmt.Errorf("%w of ours: it does not begin with a NUL", errRequest)
	}
	p.take(1)
	n := p.take(1)
	if p.bad || n[0]&0xf0 != 0x80 {
		return r, fmt.Errorf("%w: no map of up to 15 keys", errRequest)
	}
	for range n[0] & 0x0f {
		key, _, isText := p.value()
		if p.bad || !isText {
			return r, fmt.Errorf("%w: a key that is no str", errRequest)
		}
		text, number, isText := p.value()
		switch {
		case p.bad:
			return r, fmt.Errorf("%w: a value that is neither str nor uint", errRequest)
		case key == "s" || key == "g" || key == "d":
			if !isText {
				return r, fmt.Errorf("%w: %s is no str", errRequest, key)
			}
		case key == "q" || key == "z" || key == "o" || key == "y":
			if isText {
				return r, fmt.Errorf("%w: %s is no uint", errRequest, key)
			}
		}
		r.set(key, text, number)
	}
	if p.rest != "" {
		return r, fmt.Errorf("%w: %d bytes after the map", errRequest, len(p.rest))
	}
	return r, r.check()
}

func (r *request) set(key, text string, number uint64) {
	switch key {
	case "s":
		r.pattern = text
	case "g":
		r.group = text
	case "d":
		r.durable = text
	case "q":
		r.replay = number
	case "z":
		r.last = number != 0
	case "o":
		r.overflow = number
	case "y":
		r.hold = number != 0
	}
}

// A requestReader reads what a request is made of. Once bad is set it reads nothing any more.
type requestReader struct {
	rest string
	bad  bool
}

// take returns the next n bytes.
func (p *requestReader) take(n int) string {
	if p.bad || n > len(p.rest) {
		p.bad = true
		return ""
	}
	s := p.rest[:n]
	p.rest = p.rest[n:]
	return s
}

// number reads one of n bytes.
func (p *requestReader) number(n int) (v uint64) {
	for _, c := range []byte(p.take(n)) {
		v = v<<8 | uint64(c)
	}
	return v
}

// value reads a str or a uint.
func (p *requestReader) value() (text string, number uint64, isText bool) {
	code := p.take(1)
	if p.bad {
		return "", 0, false
	}
	switch c := code[0]; {
	case c < 0x80:
		return "", uint64(c), false
	case c&0xe0 == 0xa0:
		return p.take(int(c & 0x1f)), 0, true
	case c == 0xd9:
		return p.take(int(p.number(1))), 0, true
	case c == 0xda:
		return p.take(int(p.number(2))), 0, true
	case c >= 0xcc && c <= 0xcf:
		return "", p.number(1 << (c - 0xcc)), false
	}
	p.bad = true
	return "", 0, false
}
