package pipeline

import (
	"context"
	"encoding/hex"
	"strconv"
	"time"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/socket"
)

// An ID names a job for good: of work that must not be done twice, keep it with what was done.
type ID struct {
	// Pusher is the pusher's, for as long as it lives, or its spool's. It is zero for jobs of plain ZeroMQ peers.
	Pusher [16]byte
	// Seq counts the pusher's jobs, from 1.
	Seq uint64
}

// String is the pusher in hexadecimal, a slash and the number.
func (id ID) String() string {
	return hex.EncodeToString(id.Pusher[:]) + "/" + strconv.FormatUint(id.Seq, 10)
}

// A Job is what a worker has to do, until it says by Ack, Done, Nack or Reject what became of it. Its methods may be
// called by any number of goroutines; of those four only the first call counts.
type Job[T any] struct {
	Value T
	ID    ID
	// Key is the ordering key; see [Key].
	Key string
	// Attempt is how many attempts there were before this one that may have done something; 1 if that is all that
	// a pusher knows which has begun anew.
	Attempt int
	Headers patterns.Headers
	// From is the pusher's connection that the job came by.
	From *socket.Peer

	held *held
}

// Ack says that the job is done. An error that matches ErrSettled says that the lease went to another worker, or that
// it was said before what became of the job. One that matches socket.ErrPeerLost says that there is no connection to
// the pusher: it will be told if it is back before the job went to another.
func (j *Job[T]) Ack() error {
	return opNil("ack", j.held.answer(patterns.Head{Kind: patterns.KindAck}, nil))
}

// Done is Ack with a result, which the pusher's Receipt has. An error of the codec changes nothing of the job.
func (j *Job[T]) Done(result any) error {
	codec := j.held.from.worker.cfg.codec
	body, err := codec.Append(nil, result)
	if err != nil {
		return opError("done", err)
	}
	return opNil("done", j.held.answer(patterns.Head{Kind: patterns.KindAck, Type: codec.Type()}, body))
}

// Nack gives the job back, to come again after the delay. Errors are those of Ack.
func (j *Job[T]) Nack(delay time.Duration) error {
	return opNil("nack", j.held.answer(patterns.Head{Kind: patterns.KindNack, Left: max(delay, 0)}, nil))
}

// Reject says that the job is never to come again: it becomes a dead letter, for this reason, of which 4 KiB count.
// Errors are those of Ack.
func (j *Job[T]) Reject(reason string) error {
	return opNil("reject", j.held.answer(patterns.Head{Kind: patterns.KindReject, Text: shorten(reason)}, nil))
}

// InProgress renews the lease of the job. Run does so for its handlers. Errors are those of Ack.
func (j *Job[T]) InProgress() error { return opNil("renew", j.held.renew()) }

func opNil(op string, err error) error {
	if err == nil {
		return nil
	}
	return opError(op, err)
}

const mostText = 4 << 10

func shorten(s string) string {
	if len(s) <= mostText {
		return s
	}
	return s[:mostText] + "…" // half a character is repaired when the head is written
}

// A Receipt tells a pusher what became of a job. Its methods may be called by any number of goroutines.
type Receipt struct {
	id    ID
	codec patterns.Codec
	done  chan struct{}

	// Before done is closed of whoever settles it, then for all to read.
	err    error
	result patterns.Raw
}

func newReceipt(id ID, codec patterns.Codec) *Receipt {
	return &Receipt{id: id, codec: codec, done: make(chan struct{})}
}

func (r *Receipt) settle(result patterns.Raw, err error) {
	r.result, r.err = result, err
	close(r.done)
}

// ID names the job.
func (r *Receipt) ID() ID { return r.id }

// Done is closed when the job is settled.
func (r *Receipt) Done() <-chan struct{} { return r.done }

// Err is nil if the job is done, and a [JobError] if it came to nothing. Before it is settled it matches ErrNotDone.
func (r *Receipt) Err() error {
	select {
	case <-r.done:
		return r.err
	default:
		return opError("receipt", ErrNotDone)
	}
}

// Wait waits until the job is settled, or until ctx ends, whose error it returns then; otherwise that of Err.
func (r *Receipt) Wait(ctx context.Context) error {
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return opError("wait", context.Cause(ctx))
	}
}

// Result decodes the result that the worker has given by Done into v, a pointer; without one it is nil, as codecs say.
// The error is that of Err, or the codec's.
func (r *Receipt) Result(v any) error {
	if err := r.Err(); err != nil {
		return err
	}
	return opNil("result", decodeRaw(r.result, v, r.codec))
}
