package main

import (
	"errors"
	"fmt"
	"strings"
)

// A mailFormat is what drain --print says, as Python writes it: %(M)s is the message, %(P)s its properties, %(C)s its
// content. Qpid evaluates what is between the parentheses as a program; here it is one of a few words.
type mailFormat []formatPart

type formatPart struct {
	text  string // as it is, if there is no field
	field byte   // 'M', 'P', 'C'; 0 if there is none
	key   string // of a map, or an attribute of M
	keyed bool
	repr  bool // as Python writes it in a program: %(C)r
}

// mailAttributes are what M has.
var mailAttributes = []string{"subject", "reply_to", "properties", "content"}

const formatForms = "there are %(M)s, %(P)s, %(C)s, %(P[name])s, %(C[key])s, %(M.subject)s, " +
	"%(M.reply_to)s, %(M.properties)s, %(M.content)s, each with r for s, and %%"

// parseFormat reads a format.
func parseFormat(text string) (mailFormat, error) {
	var f mailFormat
	for text != "" {
		plain, rest, found := strings.Cut(text, "%")
		if plain != "" {
			f = append(f, formatPart{text: plain})
		}
		switch {
		case !found:
			return f, nil
		case strings.HasPrefix(rest, "%"):
			f = append(f, formatPart{text: "%"})
			text = rest[1:]
			continue
		case !strings.HasPrefix(rest, "("):
			return nil, fmt.Errorf("%.32q: %s", "%"+rest, formatForms)
		}
		inner, end, ok := cutField(rest[1:])
		if !ok || end == "" || end[0] != 's' && end[0] != 'r' {
			return nil, fmt.Errorf("%.32q has no end, which is )s: %s", "%"+rest, formatForms)
		}
		part, err := parseField(inner)
		if err != nil {
			return nil, fmt.Errorf("%%(%.32s)%c: %s", inner, end[0], formatForms)
		}
		part.repr = end[0] == 'r'
		f = append(f, part)
		text = end[1:]
	}
	return f, nil
}

// cutField is what is in front of the parenthesis that ends a field: one in a key in brackets does not.
func cutField(s string) (inner, rest string, ok bool) {
	if len(s) > 1 && s[1] == '[' {
		n := strings.Index(s, "])")
		if n < 0 {
			return "", "", false
		}
		return s[:n+1], s[n+2:], true
	}
	return strings.Cut(s, ")")
}

var errField = errors.New("no such field")

func parseField(s string) (formatPart, error) {
	switch {
	case s == "M" || s == "P" || s == "C":
		return formatPart{field: s[0]}, nil
	case (strings.HasPrefix(s, "P[") || strings.HasPrefix(s, "C[")) && strings.HasSuffix(s, "]"):
		key := s[2 : len(s)-1]
		if n := len(key); n > 1 && (key[0] == '\'' || key[0] == '"') && key[n-1] == key[0] {
			key = key[1 : n-1]
		}
		if key == "" {
			return formatPart{}, errField
		}
		return formatPart{field: s[0], key: key, keyed: true}, nil
	}
	for _, name := range mailAttributes {
		if s == "M."+name {
			return formatPart{field: 'M', key: name, keyed: true}, nil
		}
	}
	return formatPart{}, errField
}

// appendTo appends a message in this format. A property or an entry that is not there is nothing.
func (f mailFormat) appendTo(b []byte, m *mail) []byte {
	for _, p := range f {
		if p.field == 0 {
			b = append(b, p.text...)
			continue
		}
		v, ok := p.of(m)
		switch {
		case !ok:
		case p.field == 'M' && !p.keyed:
			b = m.appendTo(b)
		case p.repr:
			b = appendRepr(b, v)
		default:
			b = appendStr(b, v)
		}
	}
	return b
}

// of is the value of a field.
func (p *formatPart) of(m *mail) (v any, ok bool) {
	switch {
	case p.field == 'P' && !p.keyed:
		return m.properties, true
	case p.field == 'P':
		v, ok = m.properties[p.key]
		return v, ok
	case p.field == 'C' && !p.keyed:
		return m.content, true
	case p.field == 'C':
		switch entries := m.content.(type) {
		case map[string]any:
			v, ok = entries[p.key]
		case map[any]any:
			v, ok = entries[p.key]
		}
		return v, ok
	}
	switch p.key {
	case "subject":
		return m.subject, true
	case "reply_to":
		return m.replyTo, true
	case "properties":
		return m.properties, true
	case "content":
		return m.content, true
	}
	return nil, true // M itself
}
