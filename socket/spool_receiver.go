package socket

import "encoding/binary"

// What a feeder knows of the one receiver that it is for (WithPartition). It is kept with the cursor, for the next
// socket on the same spool and for the next life. What is settled does not tell it: a cursor passes also what is for
// others or has expired.

// receiverNotes are guarded by outbox.mu.
type receiverNotes struct {
	met   bool   // it has had something, in whatever life of this side: to know nothing is to have lost its state
	doubt uint64 // messages with numbers below may have been received by an earlier life of it
	owner owner  // of its name

	dirty, saving bool // they are to be, or are being, kept
}

// meet notes that the receiver has had something.
func (f *feeder) meet() {
	if f.receiver != "" && !f.notes.met {
		f.notes.met = true
		f.saveNotes()
	}
}

// beganAnew notes that the receiver does not remember what it may have had of messages with numbers below one.
func (f *feeder) beganAnew(below uint64) {
	if f.receiver != "" && below > f.notes.doubt {
		f.notes.doubt = below
		f.saveNotes()
	}
}

// mayHaveHad reports whether an earlier life of the receiver may have received a message that none of this feeder's
// attempts says so of: any receiver may, of what an earlier life of this side has left.
func (f *feeder) mayHaveHad(number uint64) bool {
	if f.receiver == "" {
		return number < f.of.found
	}
	return number < f.notes.doubt
}

// saveNotes has the notes kept, by a goroutine. What cannot be kept now is with the next change.
func (f *feeder) saveNotes() {
	f.notes.dirty = true
	if !f.notes.saving {
		f.notes.saving = true
		f.of.box.env.writers.Go(f.keepNotes)
	}
}

func (f *feeder) keepNotes() {
	o := f.of.box
	o.mu.Lock()
	defer o.mu.Unlock()
	for f.notes.dirty {
		f.notes.dirty = false
		data := f.notes.encode()
		o.mu.Unlock()
		err := f.of.store.keep(f.assignment, data)
		o.mu.Lock()
		if err != nil {
			o.env.events.add(Event{Kind: SpoolFailing, Err: err})
			break
		}
	}
	f.notes.saving = false
}

const notesVersion, notesSize = 1, 10

// encode is what is kept: a version, whether the receiver was met, the doubt, and the owner of its name to the end.
func (n *receiverNotes) encode() []byte {
	b := []byte{notesVersion, 0}
	if n.met {
		b[1] = 1
	}
	return append(binary.BigEndian.AppendUint64(b, n.doubt), n.owner...)
}

// restore takes what was kept; nothing was of a receiver that has never come. What cannot be read says that it was met,
// and that it may have had any message that this life of the store has found, all with numbers below one.
func (n *receiverNotes) restore(data []byte, found uint64) {
	switch {
	case len(data) == 0:
	case len(data) >= notesSize && data[0] == notesVersion:
		n.met, n.doubt = data[1]&1 != 0, binary.BigEndian.Uint64(data[2:])
		n.owner = owner(data[notesSize:])
	default:
		n.met, n.doubt = true, found
	}
}
