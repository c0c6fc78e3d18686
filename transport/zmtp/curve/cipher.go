package curve

import (
	"encoding/binary"

	//nolint:staticcheck // deprecated in favour of whole ciphers; that of NaCl opens nothing in place (secretbox panics)
	"golang.org/x/crypto/poly1305"
	//nolint:staticcheck // likewise
	"golang.org/x/crypto/salsa20/salsa"
)

// derive sets k to the key that from gives for the first 16 bytes of a nonce.
func (k *sharedKey) derive(from *sharedKey, in *[16]byte) {
	salsa.HSalsa20((*[KeySize]byte)(k), in, (*[KeySize]byte)(from), &salsa.Sigma)
}

// A direction is what seals and opens the messages of one side. Of the nonce only the number changes, so that the first
// half of XSalsa20 is done once: key is what the shared key and the text at the nonce's start come to.
type direction struct {
	key  *[KeySize]byte
	last uint64 // number of the last command
}

// newDirection makes a side from a shared key and the text at the nonce's start. key is where its key is to be.
func newDirection(key *[KeySize]byte, shared *sharedKey, text string) direction {
	(*sharedKey)(key).derive(shared, (*[16]byte)([]byte(text)))
	return direction{key: key}
}

// firstBlock is how Salsa20 begins: 32 bytes are the key of Poly1305, 32 encrypt.
const (
	blockSize = 64
	polyKey   = 32
)

// start makes the first block for a number, and the counter that goes on behind it.
func (d *direction) start(block *[blockSize]byte, counter *[16]byte, number []byte) {
	copy(counter[:], number)
	salsa.XORKeyStream(block[:], block[:], counter, d.key)
	counter[shortNonceSize] = 1
}

// seal fills out, of 33 bytes and those of body, with a MESSAGE.
func (d *direction) seal(out []byte, flags byte, body []byte) {
	d.last++
	if d.last == 0 {
		panic("curve: 2^64 messages on one connection") // would begin anew with numbers that were used
	}
	copy(out, messageName)
	binary.BigEndian.PutUint64(out[messageNumber:], d.last)
	var block [blockSize]byte
	var counter [16]byte
	d.start(&block, &counter, out[messageNumber:messageTag])

	box := out[messageBody:]
	box[0] = flags ^ block[polyKey]
	n := min(len(body), blockSize-polyKey-1)
	for i, c := range body[:n] {
		box[1+i] = c ^ block[polyKey+1+i]
	}
	salsa.XORKeyStream(box[1+n:], body[n:], &counter, d.key)
	poly1305.Sum((*[boxOverhead]byte)(out[messageTag:]), box, (*[polyKey]byte)(block[:]))
}

// open decrypts a MESSAGE in place and returns what is inside, which is in body.
func (d *direction) open(body []byte) (flags byte, plain []byte, err error) {
	if len(body) < overhead || string(body[:messageNumber]) != messageName {
		return 0, nil, malformed("MESSAGE", "%d bytes that begin with %.16q; want at least %d that begin with %q",
			len(body), body, overhead, messageName)
	}
	number := binary.BigEndian.Uint64(body[messageNumber:])
	if number <= d.last {
		return 0, nil, malformed("MESSAGE", "number %d after %d; want a higher one", number, d.last)
	}
	var block [blockSize]byte
	var counter [16]byte
	d.start(&block, &counter, body[messageNumber:messageTag])
	box := body[messageBody:]
	if !poly1305.Verify((*[boxOverhead]byte)(body[messageTag:]), box, (*[polyKey]byte)(block[:])) {
		return 0, nil, malformed("MESSAGE", "its box does not open")
	}
	d.last = number

	n := min(len(box), blockSize-polyKey)
	for i := range n {
		box[i] ^= block[polyKey+i]
	}
	salsa.XORKeyStream(box[n:], box[n:], &counter, d.key)
	return box[0], box[1:], nil
}
