package spool

// A RecordAt says where a record stands in a segment, or, with Kind 0, the header of a batch.
type RecordAt struct {
	Kind      int
	Seq       uint64
	Off, Size int64
}

// RecordsOf returns all that stands in a segment.
func RecordsOf(f FS, name string) (all []RecordAt, err error) {
	_, salt, _ := parseSegmentName(name)
	file, err := f.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	size, err := file.Size()
	if err != nil {
		return nil, err
	}
	seg := segment{seed: seed(salt)}
	w := seg.walker(file, dataStart, size)
	for it, err := range w.items() {
		switch {
		case err != nil:
			return nil, err
		case it == itemBatch:
			all = append(all, RecordAt{0, w.batch.number, w.start, batchHeader})
		default:
			all = append(all, RecordAt{int(w.rec.kind), w.rec.seq, w.start, int64(w.rec.size)})
		}
	}
	return all, nil
}
