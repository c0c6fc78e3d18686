package subject

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

const (
	// MaxWild is how many patterns with wildcards one subscriber may have: each may have to be looked at for a message,
	// so with many of them a subscriber would hold up all others.
	MaxWild = 1000

	cached  = 1024       // subjects whose subscribers are known without looking
	renewed = 8 * cached // after so many that had no room there, others get a chance
)

// ErrTooMany is the error of Add for a subscriber that has MaxWild patterns with wildcards already.
var ErrTooMany = errors.New("too many patterns with wildcards")

// A Tree finds the subscribers S whose patterns match a subject. It is not safe for concurrent use.
type Tree[S comparable] struct {
	root    node[S]
	members map[S]*member[S]
	round   uint64 // of Match, to find each subscriber once

	known  map[string][]S // by subject, until a pattern comes or goes
	misses int            // since known was full
}

type node[S comparable] struct {
	exact map[string]*node[S] // by the next token
	one   *node[S]            // behind "*"
	here  []*member[S]        // whose pattern ends here
	more  []*member[S]        // whose pattern goes on with ">"
	rest  []*member[S]        // whose pattern goes on with "#"
}

type member[S comparable] struct {
	name     S
	found    uint64 // the round in which it was found last
	patterns int
	wild     int // of these with wildcards
}

// Add adds a pattern, of which CheckPattern has no error, for a subscriber. added is false if it has that pattern.
func (t *Tree[S]) Add(pattern string, s S) (added bool, err error) {
	wild := strings.ContainsAny(pattern, wildcards)
	m := t.members[s]
	if m == nil {
		m = &member[S]{name: s}
	}
	if wild && m.wild >= MaxWild {
		if t.Has(pattern, s) {
			return false, nil
		}
		return false, fmt.Errorf("%w: %d", ErrTooMany, m.wild)
	}
	n := &t.root
	for token, rest, more := cut(pattern); ; token, rest, more = cut(rest) {
		if set := n.last(token); set != nil {
			if added = !slices.Contains(*set, m); added {
				*set = append(*set, m)
			}
			break
		}
		n = n.child(token)
		if !more {
			if added = !slices.Contains(n.here, m); added {
				n.here = append(n.here, m)
			}
			break
		}
	}
	if !added {
		return false, nil
	}
	if t.members == nil {
		t.members = make(map[S]*member[S])
	}
	t.members[s] = m
	m.count(1, wild)
	t.forget()
	return true, nil
}

// Remove takes a pattern of a subscriber out. removed is false if it had no such pattern.
func (t *Tree[S]) Remove(pattern string, s S) (removed bool) {
	m := t.members[s]
	if m == nil || !t.root.remove(pattern, m) {
		return false
	}
	if m.count(-1, strings.ContainsAny(pattern, wildcards)); m.patterns == 0 {
		delete(t.members, s)
	}
	t.forget()
	return true
}

// Has tells whether a subscriber has a pattern.
func (t *Tree[S]) Has(pattern string, s S) bool {
	m, n := t.members[s], &t.root
	if m == nil {
		return false
	}
	for token, rest, more := cut(pattern); ; token, rest, more = cut(rest) {
		if set := n.last(token); set != nil {
			return slices.Contains(*set, m)
		}
		if n = n.next(token); n == nil {
			return false
		}
		if !more {
			return slices.Contains(n.here, m)
		}
	}
}

// Match appends the subscribers with a pattern that matches a subject, each once, in no order that means anything.
func (t *Tree[S]) Match(dst []S, subject string) []S {
	if all, ok := t.known[subject]; ok {
		return append(dst, all...)
	}
	t.round++
	before := len(dst)
	dst = t.match(dst, &t.root, subject, subject != "")
	if len(t.known) == cached {
		if t.misses++; t.misses < renewed {
			return dst
		}
		t.forget()
	}
	if t.known == nil {
		t.known = make(map[string][]S)
	}
	t.known[strings.Clone(subject)] = slices.Clone(dst[before:])
	return dst
}

// match appends those below n; left tells whether subject has another token.
func (t *Tree[S]) match(dst []S, n *node[S], subject string, left bool) []S {
	dst = t.take(dst, n.rest)
	if !left {
		return t.take(dst, n.here)
	}
	dst = t.take(dst, n.more)
	token, rest, more := cut(subject)
	if n.one != nil {
		dst = t.match(dst, n.one, rest, more)
	}
	if child := n.exact[token]; child != nil {
		dst = t.match(dst, child, rest, more)
	}
	return dst
}

func (t *Tree[S]) take(dst []S, from []*member[S]) []S {
	for _, m := range from {
		if m.found != t.round {
			m.found = t.round
			dst = append(dst, m.name)
		}
	}
	return dst
}

func (t *Tree[S]) forget() {
	clear(t.known)
	t.misses = 0
}

func (m *member[S]) count(by int, wild bool) {
	m.patterns += by
	if wild {
		m.wild += by
	}
}

// last returns where the subscribers are whose pattern ends with a token for any number, nil if it is another token.
func (n *node[S]) last(token string) *[]*member[S] {
	switch token {
	case someMore:
		return &n.more
	case anyMore:
		return &n.rest
	}
	return nil
}

// next returns the node behind a token of a pattern, nil if there is none.
func (n *node[S]) next(token string) *node[S] {
	if token == oneToken {
		return n.one
	}
	return n.exact[token]
}

// child returns the node behind a token of a pattern, which it makes if there is none.
func (n *node[S]) child(token string) *node[S] {
	c := n.next(token)
	switch {
	case c != nil:
		return c
	case token == oneToken:
		n.one = new(node[S])
		return n.one
	}
	if n.exact == nil {
		n.exact = make(map[string]*node[S])
	}
	c = new(node[S])
	n.exact[strings.Clone(token)] = c
	return c
}

// remove takes m out where a pattern leads to, and on the way back what is empty then.
func (n *node[S]) remove(pattern string, m *member[S]) bool {
	token, rest, more := cut(pattern)
	if set := n.last(token); set != nil {
		return without(set, m)
	}
	c := n.next(token)
	if c == nil {
		return false
	}
	if more && !c.remove(rest, m) || !more && !without(&c.here, m) {
		return false
	}
	if len(c.exact) == 0 && c.one == nil && len(c.here) == 0 && len(c.more) == 0 && len(c.rest) == 0 {
		if token == oneToken {
			n.one = nil
		} else {
			delete(n.exact, token)
		}
	}
	return true
}

// without takes m out of a set, in which order means nothing.
func without[S comparable](set *[]*member[S], m *member[S]) bool {
	i := slices.Index(*set, m)
	if i < 0 {
		return false
	}
	last := len(*set) - 1
	(*set)[i], (*set)[last] = (*set)[last], nil
	*set = (*set)[:last]
	return true
}

func cut(s string) (token, rest string, more bool) { return strings.Cut(s, string(separator)) }
