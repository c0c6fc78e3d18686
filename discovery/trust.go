package discovery

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"time"
)

// maxSkew is how far from the present a record may have been issued, to allow for clocks that differ.
const maxSkew = 5 * time.Minute

// proofVersion stands before what is hashed, so that no proof of something else can pass for one of a record.
const proofVersion = "yodel discovery record 1\n"

// Trust decides whose records count: [Open], [GroupKey] or [Signed]. It is safe for concurrent use. Whatever it says, a
// record is only a candidate: the handshake of the connection decides who the peer is.
type Trust interface {
	// Seal sets Issued to the present and makes the proof; with a group key, Group becomes its tag (see Tag). With
	// Open it changes nothing. Seal a copy of the record anew for each announcement: one that is not later than the
	// last is taken for a copy of that and refreshes nothing. The error wraps ErrRecord if the record cannot be
	// written (see [Record.TXT]), ErrUntrusted if the key is not good for it.
	Seal(r *Record) error
	// Verify checks the proof, and that Issued is within five minutes of the present. The error wraps ErrUntrusted
	// and says why. Whether the record is newer than what is known is for the Table to see.
	Verify(r *Record) error
	// Mode is "open", "group-key" or "signed".
	Mode() string
	// Tag returns what stands for a group on the wire: its name, or with a group key "~" and 26 characters of a-z and
	// 2-7, which say nothing to those who lack the key. The tag of a tag is itself, that of "" is that of
	// DefaultGroup.
	Tag(group string) string

	// proves reports whether records have proofs at all; exclusive, whether only those who were let in can make one.
	proves() bool
	exclusive() bool
	// same reports whether two good proofs for one ID are of the same author, as far as can be told.
	same(a, b *Record) bool
}

// Open returns the Trust that lets every record pass, for networks on which everybody is welcome. A goodbye counts if
// it comes from an address that the node was heard from, which others on the network can forge.
func Open() Trust { return open{} }

type open struct{}

func (open) Seal(*Record) error      { return nil }
func (open) Verify(*Record) error    { return nil }
func (open) Mode() string            { return "open" }
func (open) Tag(group string) string { return groupName(group) }
func (open) proves() bool            { return false }
func (open) exclusive() bool         { return false }
func (open) same(_, _ *Record) bool  { return true }

// GroupKey returns the Trust of those who share a key of 32 random bytes: each record, goodbyes included, has an
// HMAC-SHA256 of 128 bits. Records are not secret, but the name of the group is not shown. Who has the key can speak
// for every node. Any other length of key is an error.
func GroupKey(key []byte) (Trust, error) {
	if len(key) != 32 {
		return nil, fmt.Errorf("discovery: a group key has 32 bytes, not %d", len(key))
	}
	// One key for each purpose, so that tags say nothing of proofs.
	mac, err := hkdf.Key(sha256.New, key, nil, "yodel discovery proof", 32)
	if err != nil {
		return nil, fmt.Errorf("discovery: group key: %w", err)
	}
	tag, err := hkdf.Key(sha256.New, key, nil, "yodel discovery group", 32)
	if err != nil {
		return nil, fmt.Errorf("discovery: group key: %w", err)
	}
	return &groupKey{mac: mac, tag: tag}, nil
}

type groupKey struct{ mac, tag []byte }

func (g *groupKey) Seal(r *Record) error {
	r.Issued = time.Now().UTC().Truncate(time.Millisecond)
	r.Group = g.Tag(r.Group)
	proof, err := g.proof(r)
	if err != nil {
		return err
	}
	r.Proof = proof
	return nil
}

func (g *groupKey) Verify(r *Record) error {
	if err := timely(r); err != nil {
		return err
	}
	proof, err := g.proof(r)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUntrusted, err)
	}
	if !hmac.Equal(proof, r.Proof) {
		return fmt.Errorf("%w: not made with our group key", ErrUntrusted)
	}
	return nil
}

// proof covers the tag in place of the group's name, so that it holds for a record whichever of the two it has.
func (g *groupKey) proof(r *Record) ([]byte, error) {
	c := *r
	c.Group = g.Tag(r.Group)
	h := hmac.New(sha256.New, g.mac)
	h.Write([]byte(proofVersion))
	if err := c.hash(h); err != nil {
		return nil, err
	}
	return h.Sum(nil)[:16], nil
}

func (g *groupKey) Mode() string { return "group-key" }

func (g *groupKey) Tag(group string) string {
	if isTag(group) {
		return group
	}
	h := hmac.New(sha256.New, g.tag)
	h.Write([]byte(groupName(group)))
	return "~" + ID(h.Sum(nil)[:len(ID{})]).String()
}

func (g *groupKey) proves() bool           { return true }
func (g *groupKey) exclusive() bool        { return true }
func (g *groupKey) same(_, _ *Record) bool { return true }

func isTag(group string) bool {
	return len(group) == 27 && group[0] == '~' && only(group[1:], lower+"234567")
}

// timely checks the time of a record that has a proof.
func timely(r *Record) error {
	if len(r.Proof) == 0 {
		return fmt.Errorf("%w: no proof", ErrUntrusted)
	}
	if age := time.Since(r.Issued); age > maxSkew || age < -maxSkew {
		return fmt.Errorf("%w: issued at %v, more than %v from now", ErrUntrusted, r.Issued, maxSkew)
	}
	return nil
}
