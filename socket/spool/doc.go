// Package spool keeps messages on disk until they are settled: a segment log that survives a process that is killed, a
// machine that loses power, a disk that fails and a disk that is full.
//
//	q, err := spool.Open(dir, spool.Options{})
//	…
//	seq, err := q.Append(ctx, spool.Message{Frames: frames}) // nil: on disk and synced
//	…
//	c, err := q.Cursor("", spool.CursorOptions{})
//	ms, err := c.Next(ctx, 100, 0)
//	…
//	c.Settle(spool.Range{From: ms[0].Seq, To: ms[0].Seq + 1})
//
// # How data flows
//
//	Append, Tx, Take ──► queue ──► committer ──► segment ──► reader ──► Cursor.Next, Browse
//	Settle, Return ───► owed ────────┘             │
//	                                            janitor: unlinks, compacts
//
// One goroutine, the committer, owns the file that is written to. It takes all that waits, adds what changed in memory
// and is to be on disk, and writes it as one batch by one write and one sync; then it wakes all who waited for it. What
// is settled alone is committed with the next message, or 100 ms later.
//
// All that is known beside the messages is in one state (state.go), and what is written of it are records in the same
// batches. Each segment begins with a checkpoint, which has all of it. So there is no second file that could disagree.
//
// # The format
//
//	DIR/LOCK                          locked by the owner; holds who it is, for the error message
//	DIR/spare                         128 KiB, allocated: becomes a segment when the disk is full
//	DIR/<number>-<salt>.seg           segments, both numbers as 16 hexadecimal digits; the highest is written to
//
//	segment   0     header               2048  the same header again        4096  batches …  zeros to the end
//	header    0 magic "YSPOOL1\n" | 8 spool id 16 | 24 number u64 | 32 salt u64 | 40 first u64 | 48 prevEnd u64
//	          56 prevIndex u32, in units of 8 | 60 crc32c of 0..60
//	batch     0 crc32c of 4..40 | 4 size u32 | 8 number u64 | 16 first u64 | 24 messages u32 | 28 records u32
//	          32 kind u8: 0 data, 1 checkpoint, 2 index | 33 flags u8: 1 all or none | 34 zeros | 40 records
//	record    0 crc32c of 4..size | 4 size u32 | 8 seq u64 | 16 type u8 | 17 flags u8 | 18 attempts u16
//	          20 expiry u32, in seconds since 2026, 0 never | 24 data, then zeros up to a multiple of 8
//
// All numbers are little endian. The checksums of batches and records begin with the segment's salt, so that a block
// of another file, or of a payload, is never taken for one. Every message from the seq first on is in this segment or
// a later one; what lies behind prevEnd in the segment before is void; prevIndex is where that one's index is. Batches
// are numbered one by one within a segment, and ascend over all of them. messages are the seqs that a batch takes up,
// from first on.
//
// The flags of a record: 1 the data has an origin, 2 worth nothing without the rest of its batch, 4 what it names is
// gone, 8 a dead letter that stood elsewhere; 0x80 is kept free for data that is encrypted.
//
//	type         data
//	1  MESSAGE   enqueued i64 ms | [stream 16, seq u64: the origin] | uvarint count | uvarint lengths | bytes
//	2  SETTLED   cursor u16 | floor u64 | ranges; the cursor 65535: counts where there is no cursor
//	3  ATTEMPT   cursor u16 | not before i64 ms | the last error
//	4  DEAD      given up i64 ms | reason, last error, cursor: each uvarint length, bytes | the data of a MESSAGE
//	5  UNDEAD    nothing: the dead letter of this seq is gone
//	6  CURSOR    id u16 | floor u64 | expiry i64 ns | seen i64 ms | uvarint length, name | the owner's data
//	7  TAKEN     stream 16 | epoch u64 | nonce u64 | low u64 | floor u64 | seen i64 ms | ranges: taken of another stream
//	8  EPOCH     epoch u64 | nonce u64 | reserved u64 | stream 16 | next seq u64
//	9  COPY      that of a MESSAGE, of which this is the place from now on
//	10 REPLY     kept free
//	11 INDEX     count u32 | count times: seq u64, offset u32 in units of 8
//	12 VALUE     uvarint length, key | value
//	13 VOID      kind u8: 0 never stored, 1 damaged | from u64 | to u64: seqs that are nowhere
//	14 PLACES    any times: type u8, seq u64, segment u64, offset u32 in units of 8, size u32; in checkpoints,
//	             and, with segment 0, ahead of a DEAD: there is one, whose record says where
//
// Ranges are a uvarint count, and for each the distance from the floor, or from the end of the one before, and the
// length, both uvarint. Records add up: floors and sets only grow.
//
// # What holds
//
// A batch is begun only when the one ahead of it is synced. So a bad batch with a good one behind it is damage, which
// is counted and told exactly; one with nothing behind it is a commit that nobody was told of.
//
// A file in which a write or a sync has failed is never written to again: the batch goes into a new segment, whose
// header says where the old one ends, and the caller notices nothing. If that fails too, the error is [ErrUncertain].
//
// What is read when a spool is opened is what the page cache says, which after a failed sync may be on no disk: Open
// writes the last batch once more, the same bytes in the same place, before it believes it. And a segment of which
// nothing but the checkpoint was written is not believed at all: its name may be on no disk, whatever is synced now.
//
// A segment is unlinked when the commit that settled the last of it is durable. Messages that hold up many others that
// are settled are written again further on (compaction), and so are dead letters.
//
// # Where to start reading
//
// fs.go says what a file system promises; format.go and record.go have the format; commit.go is the way of a commit,
// birth.go how a segment comes to be; load.go and scan.go read a directory without a change to it, and recover.go
// makes it fit to be written to; read.go and cursor_next.go are the way out; retain.go gives space back; view.go and
// verify.go look into a spool beside its owner. How it is tested: crash_test.go, on the file system in
// internal/memfs, where turns.go sees to it that a seed gives the same run again; internal/disk has what only a real
// disk shows.
package spool
