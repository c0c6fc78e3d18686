package spool

import (
	"crypto/rand"
	"encoding/binary"
	"time"
)

// An env is what a spool takes from outside beside its FS, so that a test can have the same again.
type env struct {
	now      func() time.Time
	random   func() uint64 // salts, nonces and ids
	mutation mutation      // no mutation but in tests of the tests
	pause    func()        // waits until nobody else works: see turns.go; nil but in tests
}

func systemEnv() env { return env{now: time.Now, random: systemRandom} }

func systemRandom() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.LittleEndian.Uint64(b[:])
}

func (e *env) id() (id ID) {
	binary.LittleEndian.PutUint64(id[:], e.random())
	binary.LittleEndian.PutUint64(id[8:], e.random())
	return id
}

// A mutation is a mistake that a store of this kind can have. Tests switch one on to see that the crash test finds it;
// nothing else does.
type mutation int

const (
	noMutation             mutation = iota
	noDirSync                       // 1: the directory is not synced when a segment is born
	noCommitSync                    // 2: a commit is not synced
	noBirthSync                     // 3: a new segment is not synced
	lastBatchNotRewriten            // 4: Open believes the last batch it finds
	tornBatchTaken                  // 5: a batch counts as whole if its header is
	prevEndIgnored                  // 6: a segment goes on to its last batch, void or not
	seqsReused                      // 7: the seqs of a failed commit are given again
	failedSettleDone                // 8: a settle whose commit failed is not written again
	unlinkEarly                     // 9: a segment goes before the settle that frees it is durable
	checkpointWithoutFloor          // 10: a checkpoint lacks what was settled
	noDataChecksum                  // 11: a record's checksum is not looked at
	noSalt                          // 12: checksums do not depend on the segment
	failedSegmentReused             // 13: a segment with a failed write is written to again
	unbornSegmentKept               // 14: a segment that was never born is taken for the newest
	tailNotZeroed                   // 15: what follows the last batch stays
)

func (e *env) is(m mutation) bool { return e.mutation == m }

// seed is what the checksums of a segment begin with.
func (e *env) seed(salt uint64) uint32 {
	if e.is(noSalt) {
		salt = 0
	}
	return seed(salt)
}
