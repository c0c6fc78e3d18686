package discovery

import "crypto/ed25519"

// Trust decides whose records count: [Open], [GroupKey] or [Signed].
type Trust interface {
	// Seal sets Issued to the present and makes the proof; with a group key, Group becomes its tag (see Tag). Seal a copy of
	// the record anew for each announcement: an announcement that is as old as the last one refreshes nothing.
	Seal(r *Record) error
	// Verify checks the proof, and that Issued is within five minutes of the present.
	Verify(r *Record) error
	// Mode is "open", "group-key" or "signed".
	Mode() string
	// Tag returns what stands for a group on the wire: its name, or with a group key "~" and 26 characters of a-z and 2-7,
	// which say nothing to those who lack the key. The tag of a tag is itself, that of "" is that of DefaultGroup.
	Tag(group string) string
	sealed()
}

// Open believes everybody.
func Open() Trust { return nil }

// GroupKey believes those who have the same key.
func GroupKey(key []byte) (Trust, error) { return nil, ErrUntrusted }

// Signed believes signatures.
func Signed(key ed25519.PrivateKey, trusted ...ed25519.PublicKey) (Trust, error) {
	return nil, ErrUntrusted
}
