package zmtp

import (
	"encoding/binary"
	"math"
	"slices"
)

// How a stream begins or goes on over a new connection: between READY and the first message the side that sends says
// OPEN and the side that receives answers OPENED; where both send, both do both. Data of these commands, big endian:
//
//	OPEN    0  flags     u8    2 the stream outlives the sender's process, 4 others get some of its messages
//	        1  stream    16
//	       17  epoch     u64   which incarnation of the sender
//	       25  nonce     u64   drawn for it
//	       33  link      u64   how many connections of this incarnation have carried the stream, with this one
//	       41  low       u64   all below is settled
//	       49  next      u64   the first number that was never sent
//	       57  window    u32   messages that may be unacknowledged, 0 for any number
//	       61  window    u32   KiB
//	       65  length    u8    of the name
//	       66  name
//
//	OPENED  0  status    u8    0 ok, 1 fenced, 2 forked, 3 refused
//	        1  flags     u8    1 more follows: the sender says MORE and gets another OPENED with further ranges
//	        2  known     u8    0 nothing of the stream, 1 what is on disk, 2 everything that this process was sent
//	        3  receiver  16
//	       19  next      u64   the number that the first message is taken for
//	       27  credit    u32   messages that may be unacknowledged, 0 for any number
//	       31  credit    u32   KiB
//	       35  floor     u64   all below is settled
//	       43  done      u16   how many ranges above floor are settled
//	       45  held      u16   how many ranges have arrived and are not settled
//	       47  ranges    16    each: from u64, to u64 (exclusive); first those done, then those held
//
//	MORE    nothing
//
// Bytes behind the last field, values of flags that are not here, and of status as "refused", are left to later
// versions.
const (
	CommandOpen   = "OPEN"
	CommandOpened = "OPENED"
	CommandMore   = "MORE"
)

// A Range is numbers or positions from From up to, but without, To.
type Range struct{ From, To uint64 }

const rangeSize = 16

// Open is an OPEN command.
type Open struct {
	Durable, Shared             bool
	Stream                      [16]byte
	Epoch, Nonce, Link          uint64
	Low, Next                   uint64
	WindowMessages, WindowBytes uint64 // they travel as at most 2^32-1 messages and KiB; bytes are rounded up
	Name                        string // at most 255 bytes; what is longer is cut
}

const (
	openDurable = 2
	openShared  = 4
	openSize    = 66
)

// Command returns the OPEN command.
func (o *Open) Command() Command {
	name := o.Name[:min(len(o.Name), maxShortString)]
	b := make([]byte, 0, openSize+len(name))
	b = append(b, flag(o.Durable, openDurable)|flag(o.Shared, openShared))
	b = append(b, o.Stream[:]...)
	b = binary.BigEndian.AppendUint64(b, o.Epoch)
	b = binary.BigEndian.AppendUint64(b, o.Nonce)
	b = binary.BigEndian.AppendUint64(b, o.Link)
	b = binary.BigEndian.AppendUint64(b, o.Low)
	b = binary.BigEndian.AppendUint64(b, o.Next)
	b = binary.BigEndian.AppendUint32(b, clip(o.WindowMessages))
	b = binary.BigEndian.AppendUint32(b, kibibytes(o.WindowBytes))
	b = append(b, byte(len(name)))
	return Command{CommandOpen, append(b, name...)}
}

// ParseOpen reads the data of an OPEN command. Data that is cut short is ErrMalformed. The name is untrusted text.
func ParseOpen(data []byte) (o Open, err error) {
	if len(data) < openSize || len(data) < openSize+int(data[openSize-1]) {
		return o, short("OPEN command", data, openSize)
	}
	o.Durable, o.Shared = data[0]&openDurable != 0, data[0]&openShared != 0
	o.Stream = [16]byte(data[1:])
	o.Epoch = binary.BigEndian.Uint64(data[17:])
	o.Nonce = binary.BigEndian.Uint64(data[25:])
	o.Link = binary.BigEndian.Uint64(data[33:])
	o.Low = binary.BigEndian.Uint64(data[41:])
	o.Next = binary.BigEndian.Uint64(data[49:])
	o.WindowMessages = uint64(binary.BigEndian.Uint32(data[57:]))
	o.WindowBytes = uint64(binary.BigEndian.Uint32(data[61:])) << 10
	o.Name = string(data[openSize:][:data[openSize-1]])
	return o, nil
}

// Opened is an OPENED command, or several of which each but the last says that more follows.
type Opened struct {
	Status                      OpenStatus
	Known                       byte
	Receiver                    [16]byte
	Next                        uint64
	CreditMessages, CreditBytes uint64 // as the window of Open
	Floor                       uint64
	Done, Held                  []Range
}

// An OpenStatus is what the receiver thinks of an OPEN.
type OpenStatus byte

// What the receiver may think.
const (
	OpenOK      OpenStatus = iota
	OpenFenced             // it knows a later epoch, or a later connection of this one
	OpenForked             // it knows another sender with this epoch, or messages that this one does not
	OpenRefused            // it takes no such stream
)

const (
	openedMore = 1
	openedSize = 47

	// MaxOpenedRanges is how many ranges one OPENED carries at most: its frame stays below 4 KiB.
	MaxOpenedRanges = 240
	// MaxOpenedTotal is how many ranges an answer in several parts may have altogether.
	MaxOpenedTotal = 1 << 16
)

// Commands returns the OPENED commands that say all of o, at least one. Those behind the first go out one by one, each
// when the sender has said MORE. Of more than MaxOpenedTotal ranges the rest is left out, those done first: their
// messages come again.
func (o *Opened) Commands() []Command {
	all := o.Held[:min(len(o.Held), MaxOpenedTotal)]
	done := o.Done[:min(len(o.Done), MaxOpenedTotal-len(all))]
	all = append(slices.Clone(done), all...)
	var commands []Command
	for n := len(done); len(commands) == 0 || len(all) > 0; {
		part := all[:min(len(all), MaxOpenedRanges)]
		all = all[len(part):]
		here := min(n, len(part))
		n -= here
		commands = append(commands, o.command(here, part, len(all) > 0))
	}
	return commands
}

// command is one OPENED with the given ranges, of which the first done are done.
func (o *Opened) command(done int, ranges []Range, more bool) Command {
	b := make([]byte, 0, openedSize+rangeSize*len(ranges))
	b = append(b, byte(o.Status), flag(more, openedMore), o.Known)
	b = append(b, o.Receiver[:]...)
	b = binary.BigEndian.AppendUint64(b, o.Next)
	b = binary.BigEndian.AppendUint32(b, clip(o.CreditMessages))
	b = binary.BigEndian.AppendUint32(b, kibibytes(o.CreditBytes))
	b = binary.BigEndian.AppendUint64(b, o.Floor)
	b = binary.BigEndian.AppendUint16(b, uint16(done))
	b = binary.BigEndian.AppendUint16(b, uint16(len(ranges)-done))
	return Command{CommandOpened, appendRanges(b, ranges)}
}

// Add reads the data of an OPENED command, the first or one that follows a MORE, into o. more says that another one is
// to be asked for. Data that is cut short, or an empty range, is ErrMalformed, more than MaxOpenedTotal ranges
// ErrTooLarge.
func (o *Opened) Add(data []byte) (more bool, err error) {
	if len(data) < openedSize {
		return false, short("OPENED command", data, openedSize)
	}
	done, held := int(binary.BigEndian.Uint16(data[43:])), int(binary.BigEndian.Uint16(data[45:]))
	if want := openedSize + rangeSize*(done+held); len(data) < want {
		return false, short("OPENED command", data, want)
	}
	if n := len(o.Done) + len(o.Held) + done + held; n > MaxOpenedTotal {
		return false, fail("OPENED command", ErrTooLarge, "%d ranges; want at most %d", n, MaxOpenedTotal)
	}
	o.Status = min(OpenStatus(data[0]), OpenRefused)
	more = data[1]&openedMore != 0
	o.Known = data[2]
	o.Receiver = [16]byte(data[3:])
	o.Next = binary.BigEndian.Uint64(data[19:])
	o.CreditMessages = uint64(binary.BigEndian.Uint32(data[27:]))
	o.CreditBytes = uint64(binary.BigEndian.Uint32(data[31:])) << 10
	o.Floor = binary.BigEndian.Uint64(data[35:])
	if o.Done, err = parseRanges("OPENED command", o.Done, data[openedSize:], done); err != nil {
		return false, err
	}
	o.Held, err = parseRanges("OPENED command", o.Held, data[openedSize+rangeSize*done:], held)
	return more && err == nil, err
}

func appendRanges(b []byte, ranges []Range) []byte {
	for _, r := range ranges {
		b = binary.BigEndian.AppendUint64(b, r.From)
		b = binary.BigEndian.AppendUint64(b, r.To)
	}
	return b
}

// parseRanges adds the first n ranges in b, which has them.
func parseRanges(op string, ranges []Range, b []byte, n int) ([]Range, error) {
	for ; n > 0; n-- {
		r := Range{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}
		if r.From >= r.To {
			return ranges, fail(op, ErrMalformed, "a range from %d to %d", r.From, r.To)
		}
		ranges = append(ranges, r)
		b = b[rangeSize:]
	}
	return ranges, nil
}

// short is the error of data that is cut short.
func short(op string, data []byte, want int) error {
	return fail(op, ErrMalformed, "%d bytes of data; want at least %d and what lengths in it claim", len(data), want)
}

func flag(set bool, bit byte) byte {
	if set {
		return bit
	}
	return 0
}

// clip is n as far as it fits.
func clip(n uint64) uint32 { return uint32(min(n, math.MaxUint32)) }

// kibibytes is n bytes in KiB, rounded up, as far as it fits.
func kibibytes(n uint64) uint32 {
	k := n >> 10
	if n&1023 != 0 {
		k++
	}
	return clip(k)
}
