package main

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/yodel-mq/yodel/patterns"
)

// A mail is a message as spout sends it and drain prints it.
type mail struct {
	subject    string
	replyTo    string
	properties map[string]any // text, of what spout sends
	content    any            // nil, a string, or what a body decodes into: a map of what --map says
}

// The header that is no property, and the property that has the subject when a message has arrived, as with Qpid.
const (
	replyToHeader   = "reply-to"
	subjectProperty = "qpid.subject"
	spoutID         = "spout-id"
)

// textType is the encoding of a content that is text, in the head.
const textType = "text/plain"

// frames are the mail as it travels: the subject, which is the topic, then the head and the body of package patterns.
func (m *mail) frames() ([][]byte, error) {
	head := patterns.Head{Headers: make(patterns.Headers)}
	for name, v := range m.properties {
		head.Headers[name], _ = v.(string)
	}
	if m.replyTo != "" {
		head.Headers[replyToHeader] = m.replyTo
	}
	var body []byte
	switch c := m.content.(type) {
	case nil:
	case string:
		head.Type, body = textType, []byte(c)
	default:
		var err error
		if body, err = patterns.Msgpack(patterns.Limits{}).Append(nil, c); err != nil {
			return nil, err
		}
	}
	if err := head.Validate(); err != nil {
		return nil, err
	}
	return [][]byte{[]byte(m.subject), head.AppendTo(nil), body}, nil
}

// readMail reads frames that anybody may have sent: those of another than spout are a mail with just a content, and
// those of a topic with a subject in front.
func readMail(frames [][]byte, topic bool) *mail {
	m := &mail{properties: make(map[string]any)}
	switch {
	case len(frames) == 3 && len(frames[1]) > 0 && m.readHead(frames):
	case topic && len(frames) > 1:
		m.subject, m.content = string(frames[0]), joined(frames[1:])
	case topic && len(frames) == 1:
		m.subject, m.content = string(frames[0]), string(frames[0])
	default:
		m.content = joined(frames)
	}
	if m.subject != "" {
		m.properties[subjectProperty] = m.subject
	}
	return m
}

func joined(frames [][]byte) string { return string(bytes.Join(frames, []byte("\t"))) }

// readHead reads a subject, a head and a body; false if it is no head. A body that cannot be decoded is its bytes.
func (m *mail) readHead(frames [][]byte) bool {
	head, err := patterns.ParseHead(frames[1])
	if err != nil {
		return false
	}
	m.subject = string(frames[0])
	for name, value := range head.Headers {
		if name == replyToHeader {
			m.replyTo = value
		} else {
			m.properties[name] = value
		}
	}
	body := frames[2]
	if strings.HasPrefix(head.Type, "text/") || len(body) == 0 {
		m.content = string(body)
		return true
	}
	if m.content, err = patterns.Decode[any](patterns.Raw{Type: head.Type, Data: body}); err != nil {
		m.content = string(body)
	}
	return true
}

// appendTo appends the mail as Qpid's Message shows itself.
func (m *mail) appendTo(b []byte) []byte {
	b = append(b, "Message("...)
	start := len(b)
	field := func(name string, v any) {
		if len(b) > start {
			b = append(b, ", "...)
		}
		b = append(append(b, name...), '=')
		b = appendRepr(b, v)
	}
	if m.subject != "" {
		field("subject", m.subject)
	}
	if m.replyTo != "" {
		field("reply_to", m.replyTo)
	}
	if len(m.properties) > 0 {
		field("properties", m.properties)
	}
	switch {
	case m.content == nil:
	case len(b) > start:
		field("content", m.content)
	default:
		b = appendRepr(b, m.content)
	}
	return append(b, ')')
}

// appendStr appends a value as Python prints it: text as it is.
func appendStr(b []byte, v any) []byte {
	switch v := v.(type) {
	case string:
		return append(b, v...)
	case []byte:
		return append(b, v...)
	}
	return appendRepr(b, v)
}

// appendRepr appends a value as Python writes it in a program: 'text', {'a': 1}, [True, None]. The keys of a map are
// sorted. What comes from a decoder has a bounded depth.
func appendRepr(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "None"...)
	case string:
		return appendQuoted(b, v)
	case []byte:
		return appendQuoted(append(b, 'b'), string(v))
	case bool:
		if v {
			return append(b, "True"...)
		}
		return append(b, "False"...)
	case float32:
		return strconv.AppendFloat(b, float64(v), 'g', -1, 32)
	case float64:
		return strconv.AppendFloat(b, v, 'g', -1, 64)
	case map[string]any:
		b = append(b, '{')
		for i, key := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = append(appendQuoted(b, key), ": "...)
			b = appendRepr(b, v[key])
		}
		return append(b, '}')
	case map[any]any:
		type entry struct {
			key   string
			value any
		}
		entries := make([]entry, 0, len(v))
		for key, value := range v {
			entries = append(entries, entry{string(appendRepr(nil, key)), value})
		}
		slices.SortFunc(entries, func(x, y entry) int { return cmp.Compare(x.key, y.key) })
		b = append(b, '{')
		for i, e := range entries {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = append(append(b, e.key...), ": "...)
			b = appendRepr(b, e.value)
		}
		return append(b, '}')
	case []any:
		b = append(b, '[')
		for i, e := range v {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = appendRepr(b, e)
		}
		return append(b, ']')
	}
	if k := reflect.TypeOf(v).Kind(); k >= reflect.Int && k <= reflect.Uint64 {
		return fmt.Append(b, v)
	}
	return appendQuoted(b, fmt.Sprint(v)) // a time
}

// appendQuoted appends text in Python's quotes: single ones, or double ones if only single ones are in it.
func appendQuoted(b []byte, s string) []byte {
	quote := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = '"'
	}
	b = append(b, quote)
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			b = fmt.Appendf(b, `\x%02x`, s[0])
		case r == rune(quote), r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\r':
			b = append(b, `\r`...)
		case r == '\t':
			b = append(b, `\t`...)
		case r < 0x100 && !unicode.IsPrint(r):
			b = fmt.Appendf(b, `\x%02x`, r)
		case !unicode.IsPrint(r) && r <= 0xffff:
			b = fmt.Appendf(b, `\u%04x`, r)
		case !unicode.IsPrint(r):
			b = fmt.Appendf(b, `\U%08x`, r)
		default:
			b = append(b, s[:n]...)
		}
		s = s[n:]
	}
	return append(b, quote)
}

// A mailJSON is a mail with --json. The content is the value that it is, or text.
type mailJSON struct {
	Subject    string         `json:"subject,omitempty"`
	ReplyTo    string         `json:"reply_to,omitempty"`
	Properties map[string]any `json:"properties"`
	Content    any            `json:"content"`
}

// jsonable is a value with which JSON can do: the keys of maps are text there.
func jsonable(v any) any {
	switch v := v.(type) {
	case []byte:
		return string(v)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Sprint(v)
		}
	case map[string]any:
		m := make(map[string]any, len(v))
		for key, value := range v {
			m[key] = jsonable(value)
		}
		return m
	case map[any]any:
		m := make(map[string]any, len(v))
		for key, value := range v {
			m[string(appendStr(nil, key))] = jsonable(value)
		}
		return m
	case []any:
		list := make([]any, len(v))
		for i, value := range v {
			list[i] = jsonable(value)
		}
		return list
	}
	return v
}

// named are NAME=VALUE flags; a value that is not there is what missing says.
func named(flags []string, missing any) map[string]any {
	m := make(map[string]any, len(flags))
	for _, f := range flags {
		name, value, given := strings.Cut(f, "=")
		if given {
			m[name] = value
		} else {
			m[name] = missing
		}
	}
	return m
}
