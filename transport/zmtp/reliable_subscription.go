package zmtp

import "encoding/binary"

// A durable subscription: one that its publisher keeps for while the subscriber is away. The subscriber names it ahead
// of the publisher's OPEN, by a DSUB without flags and without a topic. What it wants it lists by SUBSCRIBE, as any
// other does, and then says ALL: the topics of an earlier connection that it has not listed end, and messages begin.
// Data of the command, big endian:
//
//	DSUB  0  flags   u8    1 the subscription ends, and what is kept for it goes; 2 ALL
//	      1  start   u8    where it begins, if it is new: 0 now, 1 at the oldest kept, 2 at a number, 3 at a time
//	      2  at      u64   the number; or the time, in milliseconds since 1970
//	     10  length  u8    of the name
//	     11  name
//	         topic         the rest
const CommandDurableSubscribe = "DSUB"

// A SubscriptionStart says where a durable subscription begins.
type SubscriptionStart byte

// Where it may begin.
const (
	StartNew SubscriptionStart = iota
	StartEarliest
	StartAtNumber
	StartAtTime
)

// DurableSubscription is a DSUB command.
type DurableSubscription struct {
	End   bool
	All   bool // what was subscribed to over this connection is all there is
	Start SubscriptionStart
	At    uint64
	Name  string // 1 to 255 bytes
	Topic []byte
}

const (
	dsubEnd  = 1
	dsubAll  = 2
	dsubSize = 11
)

// Command is the command that says it. Of a name over 255 bytes the first 255 are sent.
func (d *DurableSubscription) Command() Command {
	return Command{CommandDurableSubscribe, appendDurable(nil, d)}
}

// AppendDurableSubscribe adds a DSUB command, whole frame. Of a name over 255 bytes the first 255 are sent.
func AppendDurableSubscribe(b []byte, d *DurableSubscription) []byte {
	name := d.Name[:min(len(d.Name), maxShortString)]
	b = appendCommandHead(b, CommandDurableSubscribe, dsubSize+len(name)+len(d.Topic))
	return appendDurable(b, d)
}

func appendDurable(b []byte, d *DurableSubscription) []byte {
	name := d.Name[:min(len(d.Name), maxShortString)]
	b = append(b, flag(d.End, dsubEnd)|flag(d.All, dsubAll), byte(d.Start))
	b = binary.BigEndian.AppendUint64(b, d.At)
	b = append(b, byte(len(name)))
	b = append(b, name...)
	return append(b, d.Topic...)
}

// ParseDurableSubscribe reads the data of a DSUB command; the topic points into it. Data that is cut short, a start
// that is not in the table and an empty name are ErrMalformed. The name is untrusted text.
func ParseDurableSubscribe(data []byte) (d DurableSubscription, err error) {
	const op = CommandDurableSubscribe + " command"
	if len(data) < dsubSize || len(data) < dsubSize+int(data[dsubSize-1]) {
		return d, short(op, data, dsubSize)
	}
	n := int(data[dsubSize-1])
	switch start := SubscriptionStart(data[1]); {
	case start > StartAtTime:
		return d, fail(op, ErrMalformed, "start %d; want 0 to %d", start, StartAtTime)
	case n == 0:
		return d, fail(op, ErrMalformed, "no name")
	}
	d.End, d.All = data[0]&dsubEnd != 0, data[0]&dsubAll != 0
	d.Start = SubscriptionStart(data[1])
	d.At = binary.BigEndian.Uint64(data[2:])
	d.Name = string(data[dsubSize:][:n])
	d.Topic = data[dsubSize+n:]
	return d, nil
}
