package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/yodel-mq/yodel/transport"
)

// An address is where spout sends to and drain receives from, as Qpid writes it: name[/subject][; {options}].
type address struct {
	name     string // of the service; "" if there is an endpoint
	endpoint string
	subject  string // of a topic; for drain with wildcards
	kind     string // nodeQueue, nodeTopic, or "" if the receiver says
	browse   bool
	durable  bool
}

// The kinds of an address. No broker knows them: a drain by subject makes a topic, any other a queue.
const (
	nodeQueue = "queue"
	nodeTopic = "topic"
)

const (
	maxSubject = 255 // bytes
	maxNested  = 8   // maps and lists of options inside each other
)

// parseAddress reads an address. What it cannot read, and options that mean nothing here, are errors.
func parseAddress(text string) (address, error) {
	var a address
	where, options, given := strings.Cut(text, ";")
	where = strings.TrimSpace(where)
	scheme, rest, isEndpoint := strings.Cut(where, "://")
	switch {
	case where == "":
		return a, errors.New("it is empty: write it as name, name/subject or tcp://host:port")
	case isEndpoint && scheme == "ipc": // whose path has slashes of its own
		a.endpoint = where
	case isEndpoint:
		rest, a.subject, _ = strings.Cut(rest, "/")
		a.endpoint = scheme + "://" + rest
	default:
		a.name, a.subject, _ = strings.Cut(where, "/")
	}
	if a.endpoint == "" {
		if err := checkName("", a.name); err != nil {
			return a, fmt.Errorf("the name %.80q must have 1 to 63 of the characters a-z, 0-9, \"-\", \".\" and \"_\"", a.name)
		}
	}
	if len(a.subject) > maxSubject || strings.ContainsFunc(a.subject, isControl) {
		return a, fmt.Errorf("the subject %.80q must have at most %d bytes, of which none is a control character",
			a.subject, maxSubject)
	}
	if !given {
		return a, nil
	}
	return a, a.setOptions(options)
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// setOptions reads "{mode: browse, node: {type: topic}}". What a broker would create, assert or delete is taken and
// means nothing: a service is there as long as its receiver is.
func (a *address) setOptions(text string) error {
	p := optionParser{rest: text}
	v, err := p.value(0)
	if err != nil {
		return fmt.Errorf("options: %w", err)
	}
	if p.space(); p.rest != "" {
		return fmt.Errorf("options: %.32q is after their end", p.rest)
	}
	all, ok := v.(map[string]any)
	if !ok {
		return errors.New("options: write them as {mode: browse} or {node: {type: topic}}")
	}
	for name, v := range all {
		word, _ := v.(string)
		switch name {
		case "mode":
			if word != "browse" && word != "consume" {
				return errors.New("options: mode must be browse or consume")
			}
			a.browse = word == "browse"
		case "create", "assert", "delete":
			switch word {
			case "always", "sender", "receiver", "never":
			default:
				return fmt.Errorf("options: %s must be always, sender, receiver or never", name)
			}
		case "node", "link":
			inner, ok := v.(map[string]any)
			if !ok {
				return fmt.Errorf("options: %s must be a map, such as {type: topic}", name)
			}
			if err := a.setNode(name, inner); err != nil {
				return err
			}
		default:
			return fmt.Errorf("options: there is no %.32q; there are mode, node, link, create, assert and delete", name)
		}
	}
	return nil
}

func (a *address) setNode(where string, options map[string]any) error {
	for name, v := range options {
		switch {
		case name == "durable":
			on, ok := v.(bool)
			if !ok {
				return fmt.Errorf("options: durable of %s must be True or False", where)
			}
			a.durable = a.durable || on
		case name == "type" && where == "node":
			if v != nodeQueue && v != nodeTopic {
				return errors.New("options: type of node must be queue or topic")
			}
			a.kind = v.(string)
		default:
			return fmt.Errorf("options: there is no %.32q in %s; there are type (of node) and durable", name, where)
		}
	}
	return nil
}

// check says what is wrong with an address beyond how it is written.
func (a *address) check(use transport.Use) error {
	if a.endpoint == "" {
		return nil
	}
	return checkEndpoint(a.endpoint, use)
}

// hasWildcards reports whether a subject stands for others.
func hasWildcards(subject string) bool {
	for word := range strings.SplitSeq(subject, ".") {
		if word == "*" || word == "#" {
			return true
		}
	}
	return false
}

// subjectPrefix is what all subjects begin with that a pattern matches. A "#" stands for no word, too, with which the
// dot in front of it goes.
func subjectPrefix(pattern string) string {
	words := strings.Split(pattern, ".")
	for i, word := range words {
		if word != "*" && word != "#" {
			continue
		}
		prefix := strings.Join(words[:i], ".")
		if word == "*" && i > 0 {
			prefix += "."
		}
		return prefix
	}
	return pattern
}

// matchSubject reports whether a pattern matches a subject: "*" is one word, "#" any number of them, also none.
func matchSubject(pattern, subject string) bool {
	words := strings.Split(subject, ".")
	// at[i] says that the pattern so far matches the first i words.
	at := make([]bool, len(words)+1)
	at[0] = true
	for p := range strings.SplitSeq(pattern, ".") {
		next := make([]bool, len(words)+1)
		for i, ok := range at {
			switch {
			case p == "#":
				next[i] = ok || i > 0 && next[i-1]
			case i > 0:
				next[i] = at[i-1] && (p == "*" || p == words[i-1])
			}
		}
		at = next
	}
	return at[len(words)]
}

// An optionParser reads a map as Qpid and Python write it.
type optionParser struct{ rest string }

func (p *optionParser) space() { p.rest = strings.TrimLeft(p.rest, " \t\r\n") }

// takes reports whether c comes next, and goes past it.
func (p *optionParser) takes(c byte) bool {
	if p.space(); p.rest == "" || p.rest[0] != c {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

// value reads a map, a list, a string or a word. Maps are map[string]any, lists []any, True and False bool, None nil.
func (p *optionParser) value(depth int) (any, error) {
	switch {
	case depth > maxNested:
		return nil, errors.New("too many brackets inside each other")
	case p.takes('{'):
		m := make(map[string]any)
		for !p.takes('}') {
			key, _, err := p.word()
			if err != nil {
				return nil, err
			}
			if !p.takes(':') {
				return nil, fmt.Errorf("a colon is missing behind %.32q", key)
			}
			if _, twice := m[key]; twice {
				return nil, fmt.Errorf("%.32q is there twice", key)
			}
			if m[key], err = p.value(depth + 1); err != nil {
				return nil, err
			}
			if !p.takes(',') && !strings.HasPrefix(p.rest, "}") {
				return nil, errors.New(`a "}" is missing`)
			}
		}
		return m, nil
	case p.takes('['):
		list := []any{}
		for !p.takes(']') {
			v, err := p.value(depth + 1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
			if !p.takes(',') && !strings.HasPrefix(p.rest, "]") {
				return nil, errors.New(`a "]" is missing`)
			}
		}
		return list, nil
	}
	word, quoted, err := p.word()
	if err != nil || quoted {
		return word, err
	}
	switch word {
	case "True", "true":
		return true, nil
	case "False", "false":
		return false, nil
	case "None":
		return nil, nil
	}
	return word, nil
}

// word reads a string in quotes, or letters and digits.
func (p *optionParser) word() (word string, quoted bool, err error) {
	p.space()
	if p.rest == "" {
		return "", false, errors.New("they end too early")
	}
	if quote := p.rest[0]; quote == '\'' || quote == '"' {
		var b strings.Builder
		for i := 1; i < len(p.rest); i++ {
			switch c := p.rest[i]; {
			case c == quote:
				p.rest = p.rest[i+1:]
				return b.String(), true, nil
			case c == '\\' && i+1 < len(p.rest):
				i++
				b.WriteByte(p.rest[i])
			default:
				b.WriteByte(c)
			}
		}
		return "", true, fmt.Errorf("%.32q has no end", p.rest)
	}
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-+"
	n := len(p.rest) - len(strings.TrimLeft(p.rest, letters))
	if n == 0 {
		return "", false, fmt.Errorf("%.32q is not expected", p.rest)
	}
	word, p.rest = p.rest[:n], p.rest[n:]
	return word, false, nil
}
