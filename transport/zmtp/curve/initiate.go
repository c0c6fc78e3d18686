package curve

import (
	"crypto/subtle"
	"encoding/binary"
)

// INITIATE, from the client: the data of at least 248 bytes behind the name, 257 bytes in all.
//
//	 0   96    cookie, as WELCOME brought it
//	96   8     number of the command
//	104  144+  box [C, vouch and metadata] from C' to S', for "CurveZMQINITIATE"
//
// In the box:
//
//	 0   32    C, the client's permanent public key
//	32   16    random
//	48   80    box [C' and S] from C to S', for "VOUCH---" and the random bytes: the vouch
//	128  0+    metadata
//
// The vouch is what proves that the client has the secret key of C, and that it wants this server and no other.
const (
	initiateNumber = cookieSize
	initiateBox    = initiateNumber + shortNonceSize
	initiateMin    = initiateBox + initiateMeta + boxOverhead
	initiateVouch  = KeySize + longNonceSize
	initiateMeta   = initiateVouch + vouchSize

	vouchSize = 2*KeySize + boxOverhead

	initiateNonce = "CurveZMQINITIATE"
	vouchNonce    = "VOUCH---"
)

// initiation is what a client puts into an INITIATE.
type initiation struct {
	cookie   []byte
	number   uint64
	key      PublicKey // C
	vouch    []byte    // the random bytes and the box
	metadata []byte
}

// appendVouch makes the vouch for the transient key, towards a server. k is what C and S' share.
func appendVouch(b []byte, transient, server *PublicKey, k *sharedKey) []byte {
	b = appendRandom(b, longNonceSize)
	inside := append(append(make([]byte, 0, 2*KeySize), transient[:]...), server[:]...)
	return k.seal(b, inside, longNonce(vouchNonce, b[len(b)-longNonceSize:]))
}

// append makes the data of an INITIATE. k is what C' and S' share.
func (i *initiation) append(b []byte, k *sharedKey) []byte {
	b = append(b, i.cookie...)
	b = binary.BigEndian.AppendUint64(b, i.number)
	inside := make([]byte, 0, initiateMeta+len(i.metadata))
	inside = append(append(append(inside, i.key[:]...), i.vouch...), i.metadata...)
	return k.seal(b, inside, shortNonce(initiateNonce, b[len(b)-shortNonceSize:]))
}

// splitInitiate returns what can be read of an INITIATE without a key. All of it points into data.
func splitInitiate(data []byte) (cookie, number, box []byte, err error) {
	if len(data) < initiateMin {
		return nil, nil, nil, malformed("INITIATE", "%d bytes; want at least %d", len(data), initiateMin)
	}
	return data[:initiateNumber], data[initiateNumber:initiateBox], data[initiateBox:], nil
}

var errInitiateBox = malformed("INITIATE", "its box does not open")

// openInitiate opens the box. It returns C, the vouch and the metadata.
func openInitiate(box, number []byte, k *sharedKey) (client PublicKey, vouch, metadata []byte, err error) {
	inside, ok := k.open(box, shortNonce(initiateNonce, number))
	if !ok {
		return client, nil, nil, errInitiateBox
	}
	return PublicKey(inside), inside[KeySize:initiateMeta], inside[initiateMeta:], nil
}

// checkVouch tells whether a vouch is for this transient key of a client, towards this server. k is what C and S'
// share.
func checkVouch(vouch []byte, transient, server *PublicKey, k *sharedKey) error {
	inside, ok := k.open(vouch[longNonceSize:], longNonce(vouchNonce, vouch[:longNonceSize]))
	if !ok {
		return malformed("INITIATE", "the vouch does not open")
	}
	same := subtle.ConstantTimeCompare(inside[:KeySize], transient[:])
	same &= subtle.ConstantTimeCompare(inside[KeySize:], server[:])
	if same == 0 {
		return malformed("INITIATE", "the vouch is for another connection or another server")
	}
	return nil
}
