package discovery

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What a TXT record may hold. It has to fit into one packet together with the records around it.
const (
	maxTXT      = 1300 // bytes in all, with a length byte for each string
	maxStrings  = 32
	maxString   = 255
	maxServices = 16
	maxName     = 63
	maxMetaKey  = 9
)

// TXT returns the record as the strings of a DNS TXT record (RFC 6763 section 6): "key=value", in this order, those
// without a value left out.
//
//	txtvers=1   version of this schema
//	id=         ID
//	i= r=       Incarnation in base 36, Revision
//	g=          Group, or its tag; "default" for ""
//	n=          Name
//	p= m= k=    Wire, Host, Key
//	f= y=       Files, PeerID
//	h=          Addrs, separated by commas
//	s0= … s15=  Services: name,type and then the endpoints: t5555 for tcp://*:5555, t10.0.0.1:5555, i/path and i@name
//	            for ipc, u and the whole endpoint for any other
//	m-KEY=      Meta, sorted by key
//	l=          Lifetime in seconds, rounded up
//	ts=         Issued, in milliseconds since 1970, base 36
//	bye=1       Goodbye
//	x=          Proof in base64url; it covers all strings before it
//
// All is printable ASCII without quotes and backslashes, so that no tool needs to escape anything: bytes of names,
// metadata and paths that are neither, and "%", and a comma in a path, are written %XX.
//
// A record that has something which cannot be written so, or more than 32 strings, a string of more than 255 bytes or
// more than 1300 bytes in all, is an error that says which and wraps ErrRecord.
func (r *Record) TXT() ([]string, error) {
	w := r.write()
	if len(r.Proof) > 0 {
		w.add("x", base64.RawURLEncoding.EncodeToString(r.Proof))
	}
	total := 0
	for _, s := range w.txt {
		total += 1 + len(s)
	}
	switch {
	case w.err != nil:
		return nil, w.err
	case len(w.txt) > maxStrings:
		return nil, fmt.Errorf("%w: %d strings, at most %d fit", ErrRecord, len(w.txt), maxStrings)
	case total > maxTXT:
		return nil, fmt.Errorf("%w: %d bytes of TXT, at most %d fit", ErrRecord, total, maxTXT)
	}
	return w.txt, nil
}

// Digest is the same for two announcements that say the same of the same revision: it covers all that is announced but
// Issued, Lifetime and Proof. It is made from the strings that TXT returns, and also works for records that do not fit.
func (r *Record) Digest() (d [8]byte) {
	c := *r
	c.Issued, c.Lifetime = time.Time{}, 0
	h := sha256.New()
	_ = c.hash(h) // what does not fit is no matter
	var sum [sha256.Size]byte
	copy(d[:], h.Sum(sum[:0]))
	return d
}

// hash writes what a proof covers: each string with its length before it, so that nothing can move from one to another.
func (r *Record) hash(h hash.Hash) error {
	w := r.write()
	var buf [2]byte
	for _, s := range w.txt {
		binary.BigEndian.PutUint16(buf[:], uint16(min(len(s), 1<<16-1)))
		h.Write(buf[:])
		h.Write([]byte(s))
	}
	return w.err
}

// Clone returns a record that shares nothing with r.
func (r Record) Clone() Record {
	r.Addrs = slices.Clone(r.Addrs)
	r.Services = slices.Clone(r.Services)
	for i := range r.Services {
		r.Services[i].Endpoints = slices.Clone(r.Services[i].Endpoints)
	}
	r.Meta = maps.Clone(r.Meta)
	r.Proof = slices.Clone(r.Proof)
	r.From = slices.Clone(r.From)
	return r
}

// A writer collects strings and the first error. It goes on after an error, for Digest.
type writer struct {
	txt []string
	err error
}

func (w *writer) add(key, value string) {
	s := key + "=" + value
	if len(s) > maxString {
		w.check(fmt.Errorf("%s= has %d bytes, at most %d fit", key, len(s), maxString))
	}
	w.txt = append(w.txt, s)
}

// some adds what is not empty.
func (w *writer) some(key, value string, err error) {
	w.check(err)
	if value != "" {
		w.add(key, value)
	}
}

func (w *writer) check(err error) {
	if err != nil && w.err == nil {
		w.err = fmt.Errorf("%w: %w", ErrRecord, err)
	}
}

// write makes all strings but the proof's.
func (r *Record) write() *writer {
	w := &writer{txt: make([]string, 0, 12+len(r.Services)+len(r.Meta))}
	w.add("txtvers", "1")
	if r.ID == (ID{}) {
		w.check(errNoID)
	}
	w.add("id", r.ID.String())
	w.add("i", strconv.FormatUint(r.Incarnation, 36))
	w.add("r", strconv.FormatUint(r.Revision, 10))
	w.add("g", groupName(r.Group))
	w.check(checkGroup(r.Group))
	w.some("n", escape(r.Name, ""), checkText("name", r.Name, maxName))
	w.some("p", r.Wire, checkToken("wire protocol", r.Wire))
	w.some("m", r.Host, checkToken("host token", r.Host))
	w.some("k", r.Key, checkZ85(r.Key))
	w.some("f", r.Files, checkToken("files token", r.Files))
	if r.PeerID != (ID{}) {
		w.add("y", r.PeerID.String())
	}
	w.addrs(r.Addrs)
	w.services(r.Services)
	w.meta(r.Meta)
	switch seconds := int64((r.Lifetime + time.Second - 1) / time.Second); {
	case r.Lifetime < 0 || r.Lifetime > maxLifetime:
		w.check(fmt.Errorf("lifetime of %v is out of range, at most %v", r.Lifetime, maxLifetime))
		fallthrough // for Digest
	case seconds != 0:
		w.add("l", strconv.FormatInt(seconds, 10))
	}
	if !r.Issued.IsZero() {
		ms := r.Issued.UnixMilli()
		if ms <= 0 || ms > maxIssued {
			w.check(fmt.Errorf("issued at %v, which is out of range", r.Issued))
		}
		w.add("ts", strconv.FormatInt(ms, 36))
	}
	if r.Goodbye {
		w.add("bye", "1")
	}
	return w
}

func (w *writer) addrs(addrs []netip.Addr) {
	if len(addrs) == 0 {
		return
	}
	list := make([]string, len(addrs))
	for i, a := range addrs {
		w.check(checkAddr(a))
		list[i] = a.String()
	}
	w.add("h", strings.Join(list, ","))
}

func (w *writer) services(services []Service) {
	if len(services) > maxServices {
		w.check(fmt.Errorf("%d services, at most %d fit", len(services), maxServices))
	}
	for i, s := range services {
		w.check(checkName("service", s.Name))
		w.check(checkType(s.Type))
		parts := append(make([]string, 0, 2+len(s.Endpoints)), s.Name, s.Type)
		for _, e := range s.Endpoints {
			text, err := shortEndpoint(e)
			if err != nil {
				w.check(fmt.Errorf("service %q: %w", s.Name, err))
			}
			parts = append(parts, text)
		}
		w.add("s"+strconv.Itoa(i), strings.Join(parts, ","))
	}
}

func (w *writer) meta(meta map[string]string) {
	for _, key := range slices.Sorted(maps.Keys(meta)) {
		w.check(checkMetaKey(key))
		w.check(checkText("metadata "+strconv.Quote(key), meta[key], maxString))
		w.add("m-"+key, escape(meta[key], ""))
	}
}
