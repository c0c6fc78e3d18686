package socket

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"

	"github.com/yodel-mq/yodel/socket/internal/reliable"
	"github.com/yodel-mq/yodel/socket/spool"
)

// A SpoolOption configures a socket that sends from a spool; see [WithSpool].
type SpoolOption interface {
	PushOption
	DealerOption
	ReqOption
	PubOption
	XPubOption
}

// ErrSpoolFull: the spool has no room for the message, which was not stored. It also matches spool.ErrFull and
// ErrWouldBlock. Whether Send waits for room instead is for the spool's Options to say.
var ErrSpoolFull = fmt.Errorf("no room: %w", spool.ErrFull)

// ErrLost is what a [Receipt] says of a message that will not be delivered, and a Req of a request that will not be
// answered; the text says why, as a [Reason].
var ErrLost = errors.New("it will not be delivered")

// errStoreClosed is what a spool says that its owner has closed.
var errStoreClosed = spool.ErrClosed

// errNoCursor is what a spool says of a cursor that was dropped or has expired.
var errNoCursor = spool.ErrNoCursor

// errNoReceipts is what a socket without a spool says that is to tell what becomes of a message.
var errNoReceipts = fmt.Errorf("%w: receipts need a spool", errors.ErrUnsupported)

// errSpooledRoute is what a socket with a spool says that is to send to a given peer.
var errSpooledRoute = fmt.Errorf("%w: a socket with a spool sends what is in the spool, to whichever peer has room",
	errors.ErrUnsupported)

// WithSpool has a Push or Dealer send from a spool: Send returns nil once the message is on disk and synced, whether
// there is a peer or not, and it stays there until a peer's application has received it, across the death of either
// side. It makes the socket reliable (see [WithReliable], whose other options hold too), with these differences:
//
//   - What other parts of the process append to the spool is sent likewise, and so is what an earlier life has left.
//   - Without room Send does what the spool's Options.Overflow says, and [WithOverflow] counts for nothing: it waits
//     until ctx ends, returns an error that matches [ErrSpoolFull], or the oldest messages go. An error that matches
//     spool.ErrUncertain says that the message may have been stored, and may be sent, all the same.
//   - The high-water mark bounds what is read from the spool and is on its way to peers, the window (by default 65,536
//     messages and 8 MiB) what they have not acknowledged.
//   - With several peers each gets a run of messages in turn. What a peer has not acknowledged when it is given up on
//     (see [WithReassign]) goes back to the spool and to another peer, and counts as an attempt if its application may
//     have got it; after the spool's MaxDeliveries it is a dead letter.
//   - A message that may have been received before, as far as this socket knows, is told to be redelivered. That is so
//     of each that an earlier life has left: another receiver may have got it, or this one, which may not know any
//     more. With [WithPartition] there is no other, and what its owner knows that it has not got is not told so.
//   - A peer that acknowledges nothing is sent each message once, which is settled as soon as it is written.
//   - Shutdown waits until all that is in the spool has been acknowledged, for as long as ctx allows; that some of it
//     stays on disk is no error. Close does not wait for it. Both leave the spool open, for the caller to close after
//     the socket, or for another socket: there is one at a time, and Bind, Connect and Send of a second one return an
//     error that matches spool.ErrInUse.
//   - Dealer.SendTo returns an error that matches [errors.ErrUnsupported], and [WithProbe] does nothing.
//
// A Req keeps each request in the spool, from the time that Do or Send has stored it until its reply has been returned:
//
//   - It does not make the socket reliable. A request whose connection is lost is sent again, to whichever peer there
//     is next, and so are those that an earlier life of the process has left, or other parts of it have appended; their
//     replies come by [Req.Pending]. Do and Recv never return ErrPeerLost, and [WithRetry] counts for nothing.
//   - Each request has one reply, but for a process that ends in the moment in which it receives that: up to 100 ms
//     later it may come once more, by Pending. A [Rep] answers a repeated request from the reply that it has kept, and
//     so does its work once; it does it again after a restart. Other peers (a Router, another implementation) may do it
//     twice.
//   - The deadline of Do's context is the request's: after it the request leaves the spool, in this life or the next,
//     and a reply that still comes is discarded. A Do that ends otherwise before its reply leaves the request there, to
//     be answered later, as its error says ([KeptError]); [Req.Withdraw] takes it out. The replier is not told of
//     either; under [WithReliable] it is told how much time each request has left, and how often it was sent before
//     (see [Delivery]).
//   - Up to 256 requests of an earlier life are in hand at a time, until Pending has returned their replies.
//   - Ids are needed: with [WithCorrelate](false) Bind and Connect return ErrInvalidOption. They take 36 bytes.
//   - In the ledger Accepted counts each time that a request is sent again. Shutdown waits until what is queued has
//     left, for no reply; neither it nor Close counts as dropped what stays in the spool.
//
// A Pub with a spool keeps what it publishes for those subscribers that have a name: see [WithSubscriberName] and
// [WithDurableSubscribers]. Send stores a message that is for any of them, once, and returns when it is on disk; one
// that is for none of them is not stored, and peers without a name are served as by any Pub. [WithReliable],
// [WithOverflow] and the marks hold for these alone. Shutdown waits until subscribers that are there have got all. The
// Pub cannot have a [Matcher], and last values and a welcome message are not for subscribers with a name.
//
// nil does nothing. An XPub has no spool: Bind and Connect return ErrInvalidOption. Its application is told what is
// subscribed to and that it is cancelled when a peer leaves, and may decide which topics a peer gets ([WithManual]),
// where a durable subscription goes on while nobody is there to tell of or to decide for. Where there has to be one in
// the middle, what an XSub receives is sent on by a Pub with a spool; [Pub.DurableSubscribers] says who has what.
func WithSpool(q *spool.Spool) SpoolOption {
	return optionForSpool{setting: func(c *config) {
		if q != nil {
			c.store = diskStore{q}
		}
	}}
}

// WithPartition gives each message to one given receiver of those with these names, which are set by the receivers' own
// WithName: the one that a hash of the message's key says (see [WithKey]), or of its number. It waits for its owner,
// however long that is away, and is never given to another, so that none comes twice and each key's messages stay in
// order. Another receiver is refused; where the socket has an authenticator, so is one that has an owner's name and is
// another user ([WithAuthenticator]). All of it is kept in the spool by name: with other names what is in the spool
// would go to other receivers, and some of it again. The default, and no names, is to give it to any.
func WithPartition(names ...string) SpoolOption {
	return optionForSpool{setting: func(c *config) { c.partitions = append([]string(nil), names...) }}
}

// WithKey says by what the owner of a message is found, under [WithPartition]: messages with the same key have the same
// owner. It is called for each message that is read, by several goroutines, and must return the same for it each time.
// The default is the message's number in the spool.
func WithKey(key func(Msg) []byte) SpoolOption {
	return optionForSpool{setting: func(c *config) { c.key = key }}
}

type optionForSpool struct {
	setting
	forPush
	forDealer
	forReq
	forPub
	forXPub
}

// defaultStoreWindow is how many messages from a store may be unacknowledged, unless an option says otherwise.
const defaultStoreWindow = 64 << 10

// assignments are the cursors of a socket's store: one for all, or one for each name of a partition.
func (c *config) assignments() (all []assignment) {
	if len(c.partitions) == 0 {
		return []assignment{{}}
	}
	for i, name := range c.partitions {
		all = append(all, assignment{
			cursor: "partition/" + name, receiver: name,
			only: func(number uint64, m Msg) bool { return c.owner(number, m) == i },
		})
	}
	return all
}

// owner is the place in the partition of the one that a message is for.
func (c *config) owner(number uint64, m Msg) int {
	key := binary.BigEndian.AppendUint64(nil, number)
	if c.key != nil {
		key = c.key(m)
	}
	h := fnv.New64a()
	h.Write(key)
	return int(h.Sum64() % uint64(len(c.partitions)))
}

// receiverID is how a receiver with a name calls itself in OPENED.
func receiverID(name string) (id reliable.ID) {
	sum := sha256.Sum256([]byte("yodel receiver " + name))
	copy(id[:], sum[:])
	return id
}
