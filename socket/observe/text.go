package observe

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// maxText is how long a text of a snapshot may be, in bytes.
const maxText = 256

// clean makes a text fit for a snapshot: valid UTF-8 of one line without control characters, cut to a number of bytes.
func clean(s string, most int) string {
	s = strings.Map(func(c rune) rune {
		if unicode.IsControl(c) || c == '\u2028' || c == '\u2029' {
			return utf8.RuneError
		}
		return c
	}, s) // which makes RuneError of invalid UTF-8 too
	if len(s) <= most {
		return s
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut]
}

// explain puts the cause of a failure in words. Unless private matters are shown, WithTopics, it says nothing of who
// the peer is.
func explain(err error, topics bool) string {
	if !topics {
		for _, private := range []error{socket.ErrIdentityInUse, socket.ErrDenied, socket.ErrRevoked, socket.ErrTakenOver} {
			if errors.Is(err, private) {
				return private.Error()
			}
		}
	}
	return clean(socket.Explain(err), maxText)
}

// Causes of a failure, in one word each.
const (
	causeRefused     = "refused"
	causeTimeout     = "timeout"
	causeDNS         = "dns"
	causeUnreachable = "unreachable"
	causeHandshake   = "handshake"
	causeType        = "type"
	causeSecurity    = "security"
	causeOther       = otherName
)

// causes are all of them.
var causes = []string{
	causeRefused, causeTimeout, causeDNS, causeUnreachable, causeHandshake, causeType, causeSecurity, causeOther,
}

// kinds of causes, the first that an error matches; those that say most come first.
var kinds = []struct {
	cause string
	of    []error
}{
	{causeType, []error{zmtp.ErrSocketType}},
	{causeSecurity, []error{zmtp.ErrMechanism, socket.ErrDenied, socket.ErrRevoked, zmtp.ErrRefused}},
	{causeHandshake, []error{zmtp.ErrNotZMTP, zmtp.ErrVersion, zmtp.ErrMalformed, socket.ErrWrongNode}},
	{causeRefused, []error{syscall.ECONNREFUSED}},
	{causeUnreachable, []error{syscall.ENETUNREACH, syscall.EHOSTUNREACH}},
	{causeTimeout, []error{socket.ErrTimeout, socket.ErrHeartbeat, context.DeadlineExceeded, syscall.ETIMEDOUT}},
}

// causeOf puts an error in one word; "" of nil.
func causeOf(err error) string {
	if err == nil {
		return ""
	}
	for _, k := range kinds {
		for _, target := range k.of {
			if errors.Is(err, target) {
				return k.cause
			}
		}
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return causeDNS
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return causeTimeout
	}
	return causeOther
}
