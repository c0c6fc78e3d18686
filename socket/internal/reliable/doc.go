// Package reliable is the protocol of a reliable link: which messages of a stream have arrived, which have to be sent
// again, when to say so. It does no I/O, starts no goroutines, takes no locks and has no clock: times are passed in.
// What it decides the engine of package socket carries out, and the model check of this package runs exactly the same
// code.
//
// # Streams, numbers, positions
//
// A stream is what one sender has for one receiver (or, with a spool, for several that share it). Its messages have
// numbers, from 1 on, which name them for good. A stream outlives links: over the next link it goes on where it was.
//
// A number travels only where it has to. On a link, which is a FIFO, each message has the number of the one before it
// plus one, unless a NEXT command ahead of it says otherwise. Whatever the receiver says of a message, it says of its
// position on the link: 0 is the first one behind OPENED, and messages that the receiver held already (Opened.Held)
// have the first positions. So an ACK is a count, whatever numbers went over the link in whatever order.
//
//	sender                                                 receiver
//	OPEN    stream, epoch, nonce, low 4, next 10    ──►    takes ownership of the stream for this link
//	        ◄──    OPENED    done: below 6   held: 6, 7   next 8
//	                  positions   0  1  2  3  4 …
//	                  numbers     6  7  8  9  10 …         8 and 9 again, then new ones
//	message 8, message 9, message 10, …             ──►
//	        ◄──    ACK upto 3                              6, 7 and 8 are settled
//
// # The sender's side: Sender
//
//  1. When a link begins, before any message: [Sender.Open], and its [Open] goes out.
//  2. The answer goes to [Sender.Opened]. What it returns as Settled is settled; what it returns as Again is the
//     caller's once more, and goes on this link first, each message through [Sender.Place]. Then one more call of Place
//     with number 0 for the first message behind them. Where Place says so, NEXT goes into the stream ahead of the
//     message. After that no message needs a call of its own.
//  3. A batch is loaded for writing only while there is [Sender.Room]. When it is on the wire whole it is not recycled
//     but handed to [Sender.Wrote], with how many messages it has and their bytes.
//  4. Each ACK goes to [Sender.Ack], which returns the payloads that are free now: whole batches, to be recycled. Then
//     [Sender.TellLow] says whether LOW is due. NAK and TERM go to [Sender.GiveBack], which returns the message: after
//     a NAK it is sent again, here or elsewhere, through Place with number 0 (a spool: with its own number); after a
//     TERM it is dropped. Then [Sender.Settled] is what LOW should say now and then.
//  5. When the link is lost and its writer has finished: first Wrote, for what is whole on the wire of the last write,
//     then [Sender.Lost]. What was not written has no number and goes wherever it may; what was to be sent again and
//     was not keeps its number, for this receiver, or [Sender.Forget] is told. If the same receiver comes back it goes
//     on with 1; the caller may not Open a second link meanwhile. If it has not by [Sender.Expires], or has said BYE,
//     [Sender.Abandon] returns what is left, for another receiver.
//
// # The receiver's side: Receiver
//
//  1. An OPEN of a stream goes to its [Receiver.Open], whatever link it comes by, and the answer goes out. That link
//     owns the stream from then on. In the same step, under the same lock, what the earlier link has queued is moved in
//     front of what the new link will queue: then order holds.
//  2. Messages that a read brings go through [Receiver.Judge], as many at a time as have one verdict, and
//     [Receiver.Took] or [Receiver.Dropped]: one comparison and some additions for all of them as long as they are in
//     order. NEXT goes to [Receiver.Next] in its place between them: the handler pauses the reader there
//     (zmtp.ErrPause).
//  3. When a message is settled: [Receiver.Settle] by count, where receiving settles and messages are received in the
//     order in which they were taken, or [Receiver.SettleNumber], one by one in any order. If the receiver has a disk
//     the commit comes first. If these report that an ACK is due, [Receiver.Acknowledge] and out it goes, ahead of
//     data; otherwise at [Receiver.AckAt], by one timer, and before the socket half-closes.
//  4. [Receiver.GiveBack] and [Receiver.Terminate] return the position that NAK and TERM name. A NAK that is lost with
//     its link the next OPENED says; what TERM has to say then, [Receiver.Terms] tells after Open.
//  5. [Receiver.Lost] when the link is gone. What is queued stays queued and held. A receiver that leaves for good
//     says, after its last ACK, BYE: then its messages need not wait for it.
//
// # Credit
//
// A receiver that stops reading because its queue is full also reads no ACK of what it sends itself. Two sockets that
// both do that, each with the other's ACK behind data, wait for each other. So what Credit grants, in messages and in
// bytes, the receiver must go on reading whatever its high-water mark; the sender leaves no more than that
// unacknowledged.
//
// # What holds
//
// As long as both processes live, each message is taken once, in the order in which it was written, through any number
// of links. With a durable sender and a durable receiver that is so across the death of either. With several receivers
// each message is taken by one, unless one is given up on that comes back: then what it had may come twice, flagged.
// The model check (model_test.go) tries it, and shows for each rule that to break it breaks that.
//
// # Where to start reading
//
// terms.go has what is said; sender.go and receiver.go the two machines, with what happens when a link begins;
// sender_write.go, sender_ack.go, sender_piece.go, receiver_settle.go and receiver_refuse.go the rest; places.go which
// number a position has.
package reliable
