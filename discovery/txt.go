package discovery

import "slices"

// TXT returns the record as the strings of a DNS TXT record.
func (r *Record) TXT() ([]string, error) { return nil, ErrRecord }

// ParseTXT reads what [Record.TXT] wrote.
func ParseTXT(txt []string) (Record, error) { return Record{}, ErrRecord }

// Digest is the same for two announcements that say the same.
func (r *Record) Digest() (d [8]byte) { return d }

// Clone returns a record that shares nothing with r.
func (r Record) Clone() Record { r.Addrs = slices.Clone(r.Addrs); return r }
