package spool

import "time"

// Options say how a spool is kept. The zero value is what most want.
type Options struct {
	// MaxBytes bounds the files. Default (0): 1 GiB; below 0: no bound. Two segments more may be needed to make room.
	MaxBytes int64
	// MaxMessages bounds how many messages wait. Default (0 or less): no bound.
	MaxMessages int64
	// MaxAge is after how long a message expires that brings no time of its own. Default (0 or less): never.
	MaxAge time.Duration
	// Overflow is what Append does when there is no room. Default: Block.
	Overflow Overflow
	// SyncEvery above 0 has messages wait for so long for others to share the commit, and Append not wait for the
	// commit: when the process or the machine ends suddenly, the messages of that time are lost. Nothing is handed to a
	// cursor before it is synced. Default (0 or less): every Append waits for its commit.
	SyncEvery time.Duration
	// MaxDeliveries is how often a message may be returned before it becomes a dead letter. Default (0): 20; below 0:
	// no bound.
	MaxDeliveries int
	// DeadBytes bounds the dead letters: the oldest go first, and are counted as dropped. Default (0): a tenth of
	// MaxBytes; below 0: no bound.
	DeadBytes int64
	// SegmentBytes is the size of the largest files, which are never below 16 KiB. Default (0 or less): 64 MiB, or a
	// sixteenth of MaxBytes if that is less.
	SegmentBytes int64
	// Events, unless nil, is told what happens: by one goroutine, in order. It must not block for long, nor call the
	// Spool's Close.
	Events func(Event)
	// Fork makes a new stream of a directory that was copied or rolled back: it gets a new ID. Without it, receivers
	// refuse the stream, which has gone on elsewhere.
	Fork bool
	// Network allows a directory on another machine, where the server says what a sync and a lock are worth. Without it
	// such a directory is refused.
	Network bool
	// FS is where the files are. Default (nil): the operating system's.
	FS FS
}

// Overflow is what a spool does with a message for which there is no room.
type Overflow int

// The policies.
const (
	Block      Overflow = iota // Append waits for room until its context ends
	Reject                     // Append returns ErrFull
	DropOldest                 // the oldest messages go, a segment of them at a time, and are counted as dropped
)

const (
	defaultMaxBytes   = 1 << 30
	defaultSegment    = 64 << 20
	minSegment        = 16 << 10
	firstSegment      = 1 << 20
	smallSegment      = 256 << 10 // what a segment is halved down to on a full disk
	defaultDeliveries = 20
	spareBytes        = 128 << 10
	maxReserve        = 64 << 10 // at the end of a segment, for commits without messages
	maxGroup          = 8 << 20  // of one commit
	maxMessage        = 1 << 30
	settleDelay       = 100 * time.Millisecond
	fullRetry         = time.Second // a disk that was full may have room by now
)

func (o Options) withDefaults() Options {
	if o.MaxBytes == 0 {
		o.MaxBytes = defaultMaxBytes
	}
	o.MaxBytes, o.MaxMessages, o.MaxAge = max(o.MaxBytes, 0), max(o.MaxMessages, 0), max(o.MaxAge, 0)
	o.SyncEvery = max(o.SyncEvery, 0)
	if o.SegmentBytes <= 0 {
		o.SegmentBytes = defaultSegment
		if o.MaxBytes > 0 {
			o.SegmentBytes = min(o.SegmentBytes, o.MaxBytes/16)
		}
	}
	o.SegmentBytes = max(o.SegmentBytes, minSegment) / dataStart * dataStart
	if o.MaxDeliveries == 0 {
		o.MaxDeliveries = defaultDeliveries
	}
	o.MaxDeliveries = max(o.MaxDeliveries, 0)
	switch {
	case o.DeadBytes < 0 || o.DeadBytes == 0 && o.MaxBytes == 0:
		o.DeadBytes = 0
	case o.DeadBytes == 0:
		o.DeadBytes = o.MaxBytes / 10
	}
	return o
}
