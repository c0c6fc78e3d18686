// Package subject says what the subjects of events are, and which patterns of subscriptions match them.
//
// A subject is 1 to 16 tokens with dots between them, "orders.eu.created". A pattern is a subject in which a token may
// be a wildcard: "*" stands for any one token; ">" as the last token for one or more; "#" as the last token for any
// number, also none. See WIRE.md.
package subject

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Limits of subjects and patterns.
const (
	MaxBytes  = 255
	MaxTokens = 16
)

// Errors of Check and CheckPattern, which come wrapped with what is wrong.
var (
	ErrSubject = errors.New("not a subject")
	ErrPattern = errors.New("not a pattern of subjects")
)

const (
	separator = '.'
	oneToken  = "*"
	someMore  = ">"
	anyMore   = "#"
	wildcards = oneToken + someMore + anyMore
)

// Check returns an error that matches ErrSubject if nothing can be published under that name: a token is empty, or has
// a wildcard in it; there are more than 16 tokens, or 255 bytes; it is not UTF-8, or has a NUL in it.
func Check(subject string) error {
	if problem := check(subject); problem != "" {
		return fmt.Errorf("%w: %.300q: %s", ErrSubject, subject, problem)
	}
	if i := strings.IndexAny(subject, wildcards); i >= 0 {
		return fmt.Errorf("%w: %q: %q is a wildcard, for patterns", ErrSubject, subject, subject[i])
	}
	return nil
}

// CheckPattern returns an error that matches ErrPattern if nobody can subscribe to that: as Check, but a token may be a
// wildcard. One that is only part of a token would match nothing that can be published.
func CheckPattern(pattern string) error {
	problem := check(pattern)
	for rest, more := pattern, problem == ""; more && problem == ""; {
		var token string
		token, rest, more = strings.Cut(rest, string(separator))
		switch {
		case token == oneToken:
		case token == someMore || token == anyMore:
			if more {
				problem = fmt.Sprintf("%q can only be the last token", token)
			}
		case strings.ContainsAny(token, wildcards):
			problem = fmt.Sprintf("token %q has a wildcard in it, but is none", token)
		}
	}
	if problem != "" {
		return fmt.Errorf("%w: %.300q: %s", ErrPattern, pattern, problem)
	}
	return nil
}

// check says what is wrong with both a subject and a pattern, or "".
func check(s string) string {
	switch {
	case len(s) > MaxBytes:
		return fmt.Sprintf("%d bytes, over %d", len(s), MaxBytes)
	case s == "" || s[0] == separator || s[len(s)-1] == separator || strings.Contains(s, ".."):
		return "a token is empty"
	case strings.Count(s, string(separator)) >= MaxTokens:
		return fmt.Sprintf("more than %d tokens", MaxTokens)
	case strings.IndexByte(s, 0) >= 0:
		return "it has a NUL in it"
	case !utf8.ValidString(s):
		return "it is not UTF-8"
	}
	return ""
}

// Match tells whether a pattern, of which CheckPattern has no error, matches a subject. The subject may be whatever a
// foreign publisher has for a topic: any bytes, of which the dots make tokens; the empty one has no tokens. Match
// allocates nothing.
func Match(pattern, subject string) bool {
	left := subject != "" // whether there is another token in subject
	for more := true; more; {
		var token, other string
		token, pattern, more = strings.Cut(pattern, string(separator))
		switch {
		case token == anyMore:
			return true
		case !left:
			return false
		case token == someMore:
			return true
		}
		other, subject, left = strings.Cut(subject, string(separator))
		if token != oneToken && token != other {
			return false
		}
	}
	return !left
}

// Prefix returns what all subjects begin with that a pattern matches: the pattern up to its first wildcard, all of it
// if there is none. "a.#" also matches "a", so there the dot is not part of it. It is what a subscriber asks a
// publisher that knows only prefixes for.
func Prefix(pattern string) string {
	for i := 0; i < len(pattern); {
		token, _, _ := strings.Cut(pattern[i:], string(separator))
		switch token {
		case oneToken, someMore:
			return pattern[:i]
		case anyMore:
			return pattern[:max(i-1, 0)]
		}
		i += len(token) + 1
	}
	return pattern
}
