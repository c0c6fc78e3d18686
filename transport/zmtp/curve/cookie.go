package curve

import (
	"crypto/rand"
	"crypto/subtle"
	"sync"
	"time"
)

// A cookie is all that is left of the server's transient secret key between WELCOME and INITIATE: 96 bytes that nobody
// but the server can open, and not even it for long.
//
//	 0  16  random
//	16  80  secretbox [C' and s'] under a cookie key, for "COOKIE--" and the random bytes
const (
	cookieSize = longNonceSize + 2*KeySize + boxOverhead

	cookieNonce = "COOKIE--"
)

// cookieTurn is how long a cookie key seals. It opens for as long again and is wiped then, so that a client has 30
// seconds at least to answer WELCOME with INITIATE, as long as libzmq gives a handshake, and a key lives for a minute
// at most, as RFC 26 has it.
const cookieTurn = 30 * time.Second

// A cookieJar has the cookie keys of a server: the one that seals and the one before it. While nobody comes in it has
// none. Its time passes by a timer rather than by the next handshake: a key that waited for that one could be read
// from memory for as long.
type cookieJar struct {
	mu       sync.Mutex
	now, old *sharedKey // nil if there is none
}

// seal adds to b a cookie of C' and s'.
func (j *cookieJar) seal(b []byte, client *PublicKey, secret *SecretKey) []byte {
	inside := append(append(make([]byte, 0, 2*KeySize), client[:]...), secret[:]...)
	defer clear(inside)
	b = appendRandom(b, longNonceSize)
	n := longNonce(cookieNonce, b[len(b)-longNonceSize:])
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.now == nil {
		j.now = new(sharedKey)
		_, _ = rand.Read(j.now[:]) // never fails
		if j.old == nil {
			time.AfterFunc(cookieTurn, j.turn)
		}
	}
	return j.now.seal(b, inside, n)
}

// turn makes the key that seals the one that opens, and wipes the one that was so before.
func (j *cookieJar) turn() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.old != nil {
		j.old.wipe()
	}
	j.now, j.old = nil, j.now
	if j.old != nil {
		time.AfterFunc(cookieTurn, j.turn)
	}
}

// open returns C' and s' of a cookie. The random bytes of mark, the first of the cookie that this connection was given,
// must be those of this one: a cookie of another connection, with which all that came after it could be said again, is
// none.
func (j *cookieJar) open(cookie []byte, mark *[longNonceSize]byte) (client PublicKey, secret *SecretKey, ok bool) {
	if subtle.ConstantTimeCompare(cookie[:longNonceSize], mark[:]) == 0 {
		return client, nil, false
	}
	n := longNonce(cookieNonce, mark[:])
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, k := range []*sharedKey{j.now, j.old} {
		if k == nil {
			continue
		}
		if inside, ok := k.open(cookie[longNonceSize:], n); ok {
			client, secret = PublicKey(inside), new(SecretKey(inside[KeySize:]))
			clear(inside)
			return client, secret, true
		}
	}
	return client, nil, false
}
