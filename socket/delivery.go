package socket

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/yodel-mq/yodel/socket/spool"
)

// A MessageID names a message for good, over however many connections and restarts. It is zero for a message of a peer
// that takes no part in reliable links.
type MessageID struct {
	Stream spool.ID // the sender's spool or, of a sender without one, what it has for this receiver
	Seq    uint64   // its number there, from 1
}

// String is the stream in hexadecimal, a slash and the number; empty for the zero MessageID.
func (id MessageID) String() string {
	if id == (MessageID{}) {
		return ""
	}
	return id.Stream.String() + "/" + strconv.FormatUint(id.Seq, 10)
}

// MarshalText implements [encoding.TextMarshaler]: the text is that of String.
func (id MessageID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (id *MessageID) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*id = MessageID{}
		return nil
	}
	stream, seq, _ := strings.Cut(string(text), "/")
	n, err := strconv.ParseUint(seq, 10, 64)
	b, bad := hex.DecodeString(stream)
	if err != nil || bad != nil || len(b) != len(id.Stream) {
		return fmt.Errorf("socket: message id %.80q: write 32 hexadecimal digits, a slash and a number", text)
	}
	*id = MessageID{Stream: spool.ID(b), Seq: n}
	return nil
}

// A Delivery is a message with what is known of how it came, as [Pull.Next] returns it. Under [WithManualAck] it is the
// application's until one of its verbs settles it: Ack, Nak or Term. Each of them settles it once; from then on they
// return an error that matches [ErrSettled], or [ErrExpired] if the time of [WithAckWait] was over first, which has
// given the message back. After Close they return [ErrClosed], for what was not settled by then has gone back.
//
// Without WithManualAck a message is settled by being returned, so that the verbs return ErrSettled. A message of a
// peer that takes no part in reliable links is not to be settled: Ack and InProgress do nothing, and Nak and Term
// return an error that matches [ErrForeign].
//
// The verbs may be called by any goroutine.
type Delivery struct {
	Msg
	// ID is the message's, for an application that notes what it has done with its own data (see [WithTaken]).
	ID MessageID
	// Attempts is how many deliveries were begun before this one, as far as the sender knows: those after which the
	// message was given back, or its receiver was lost. With an inbox those that were given back there count too.
	Attempts int
	// Redelivered says that an application may have seen the message before.
	Redelivered bool
	// Expires is from when on the message is worth nothing to its sender, zero for never, by the clock of this side.
	Expires time.Time

	handed *handout
}

// Ack says that the application has done with the message: it is not sent again. It waits for nothing; what is to be on
// disk is there with the next commit, and the sender is told together with others, within some milliseconds.
func (d *Delivery) Ack() error { return d.settle("ack", settler.settled) }

// AckSync is Ack that returns once the message is settled on disk, where this side keeps that there, and the sender has
// been told, or was told when the message came: with an inbox the message is this side's own. When ctx ends first the
// message is settled all the same, and the error is the context's.
func (d *Delivery) AckSync(ctx context.Context) error {
	h := d.handed
	if err := d.settle("ack", settler.settled); err != nil {
		return err
	}
	if h.by == nil {
		return nil
	}
	return opError("ack", h.by.sync(ctx, h))
}

// Nak gives the message back, to be delivered again after the delay, here or to another receiver, and with one more of
// its Attempts. With an inbox it goes back there, and to the dead letters once it was given back
// [spool.Options.MaxDeliveries] times; so it does at a sender with a spool. One without a spool drops it, as
// [TooManyDeliveries], once its delivery was begun as often as [WithMaxAttempts] allows, 20 times by default. If the
// connection is lost before the sender has heard of it, the message comes again over the next one, at once.
func (d *Delivery) Nak(delay time.Duration) error {
	return d.settle("nak", func(by settler, h *handout) func() error { return by.givenBack(h, max(0, delay)) })
}

// InProgress says that the message is still being worked on: the time of [WithAckWait] begins anew.
func (d *Delivery) InProgress() error {
	h := d.handed
	if h == nil {
		return opError("extend", ErrSettled)
	}
	h.q.mu.Lock()
	defer h.q.mu.Unlock()
	if err := h.open(); err != nil {
		return opError("extend", err)
	}
	h.q.unsettled.extend(h, h.q.env.now())
	return nil
}

// Term says that the message is worth nothing to anybody: it is not delivered again, and goes to the dead letters of
// its sender's spool or, with an inbox, of that, with the reason; a sender without a spool drops it, as [Rejected].
// With an inbox it returns once that is on disk. Without one it is said again over the next connection if this one is
// lost before the sender has heard of it, of up to 16,384 messages; if this side ends first the message may be sent
// again.
func (d *Delivery) Term(reason string) error {
	return d.settle("term", func(by settler, h *handout) func() error { return by.terminated(h, reason) })
}

// settle ends the message's hand-out by a verb, if that is still to be done.
func (d *Delivery) settle(verb string, how func(settler, *handout) (then func() error)) error {
	h := d.handed
	if h == nil {
		return opError(verb, ErrSettled)
	}
	q := h.q
	q.mu.Lock()
	err := h.open()
	var then func() error
	switch {
	case err != nil:
	case h.by != nil:
		q.end(h, handoutSettled)
		then = how(h.by, h)
	case verb != "ack":
		err = fmt.Errorf("%w: the message cannot be given back", ErrForeign)
	default:
		q.end(h, handoutSettled)
	}
	q.mu.Unlock()
	if then != nil {
		err = then()
	}
	return opError(verb, err)
}
