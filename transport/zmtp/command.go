package zmtp

import "fmt"

// Names of the commands of RFC 37 that this package encodes.
const (
	CommandReady     = "READY"
	CommandError     = "ERROR"
	CommandSubscribe = "SUBSCRIBE"
	CommandCancel    = "CANCEL"
	CommandPing      = "PING"
	CommandPong      = "PONG"
)

// maxShortString is the most a string with a one-byte length holds: command and
// property names, the reason of an ERROR.
const maxShortString = 255

// AppendCommand adds a whole command frame: header, name, and the parts of data
// one after the other. The name must have 1 to 255 bytes; another length is a
// mistake of the program and panics.
//
// Send commands of your own only to a peer that announced it knows them: libzmq
// 4.0 and 4.1 hand an unknown command to the application as a message.
func AppendCommand(b []byte, name string, data ...[]byte) []byte {
	size := 0
	for _, d := range data {
		size += len(d)
	}
	b = appendCommandHead(b, name, size)
	for _, d := range data {
		b = append(b, d...)
	}
	return b
}

// appendCommandHead adds everything that precedes a command's data of size bytes.
func appendCommandHead(b []byte, name string, size int) []byte {
	if len(name) == 0 || len(name) > maxShortString {
		panic(fmt.Sprintf("zmtp: command name of %d bytes; want 1 to %d", len(name), maxShortString))
	}
	b = AppendHeader(b, FlagCommand, 1+len(name)+size)
	b = append(b, byte(len(name)))
	return append(b, name...)
}

// ParseCommand splits the body of a command frame into its name and its data,
// which points into body. It checks no name: a command nobody knows is to be
// ignored after the handshake. A missing, empty or truncated name is
// ErrMalformed. Names of this package's commands cost no allocation.
func ParseCommand(body []byte) (name string, data []byte, err error) {
	if len(body) == 0 {
		return "", nil, fail("command", ErrMalformed, "empty body; want a name of 1 to %d bytes", maxShortString)
	}
	n := int(body[0])
	if n == 0 {
		return "", nil, fail("command", ErrMalformed, "empty name; want 1 to %d bytes", maxShortString)
	}
	if n > len(body)-1 {
		return "", nil, fail("command", ErrMalformed, "name of %d bytes in a body that has %d left", n, len(body)-1)
	}
	return commandName(body[1 : 1+n]), body[1+n:], nil
}

// commandName is string(b) without an allocation for the names that come often.
func commandName(b []byte) string {
	switch string(b) {
	case CommandReady:
		return CommandReady
	case CommandError:
		return CommandError
	case CommandSubscribe:
		return CommandSubscribe
	case CommandCancel:
		return CommandCancel
	case CommandPing:
		return CommandPing
	case CommandPong:
		return CommandPong
	case CommandAck:
		return CommandAck
	case CommandNext:
		return CommandNext
	case CommandLow:
		return CommandLow
	}
	return string(b)
}

// AppendReady adds a READY command with the given metadata, whole frame. The
// metadata must satisfy [Metadata.Validate].
//
// Keep it short: CURVE peers of libzmq before 4.1.7 and 4.3.2 hold the peer's
// metadata in 256 bytes.
func AppendReady(b []byte, m Metadata) []byte {
	b = appendCommandHead(b, CommandReady, m.size())
	return AppendMetadata(b, m)
}

// AppendError adds an ERROR command, whole frame. Of a reason over 255 bytes the
// first 255 are sent.
//
// A libzmq that connected to us ends its session for good when it gets one: to
// turn a peer away for a while, close the connection instead.
func AppendError(b []byte, reason string) []byte {
	reason = reason[:min(len(reason), maxShortString)]
	b = appendCommandHead(b, CommandError, 1+len(reason))
	b = append(b, byte(len(reason)))
	return append(b, reason...)
}

// ParseError reads the data of an ERROR command. The reason is untrusted text.
// A length that does not match the data is ErrMalformed.
func ParseError(data []byte) (reason string, err error) {
	if len(data) == 0 {
		return "", fail("ERROR command", ErrMalformed, "no reason; want a length byte and the reason")
	}
	if n := int(data[0]); n != len(data)-1 {
		return "", fail("ERROR command", ErrMalformed, "reason of %d bytes in data that has %d left", n, len(data)-1)
	}
	return string(data[1:]), nil
}
