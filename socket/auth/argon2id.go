package auth

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
)

// A hash is what stands for a password: that of argon2id (RFC 9106) in the form that the password hashing competition
// has defined,
//
//	$argon2id$v=19$m=19456,t=2,p=1$salt$hash
//
// where salt and hash are in base64 without padding. It is comparable, so that it shows whether it has changed.
type hash struct {
	cost
	salt, sum string
}

// A cost is what it takes to compute a hash.
type cost struct {
	memory  uint32 // KiB
	passes  uint32
	threads uint8
}

// defaultCost is what OWASP recommends: 19 MiB and some 20 ms, for all clients may come at once.
var defaultCost = cost{19 << 10, 2, 1}

// What a file may ask for: a hash must not take all there is, nor be none.
const (
	maxMemory  = 1 << 20 // KiB
	maxPasses  = 64
	maxThreads = 64
	maxWork    = 8 << 20 // KiB times passes

	saltSize, sumSize       = 16, 32
	minSalt, minSum, maxSum = 8, 16, 64
)

var errHash = errors.New("want $argon2id$v=19$m=KiB,t=passes,p=threads$salt$hash")

// HashPassword returns the hash of a password for a file of [OpenPasswords], at a cost of 19 MiB and two passes, with a
// salt of its own: each call returns another one.
func HashPassword(password string) string {
	salt := make([]byte, saltSize)
	_, _ = rand.Read(salt) // ends the program rather than return an error
	h := hash{cost: defaultCost, salt: string(salt)}
	h.sum = string(h.compute([]byte(password), sumSize))
	return h.String()
}

// String is the form in a file.
func (h hash) String() string {
	enc := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.memory, h.passes, h.threads,
		enc.EncodeToString([]byte(h.salt)), enc.EncodeToString([]byte(h.sum)))
}

// parseHash reads what String gives.
func parseHash(text string) (h hash, err error) {
	part := strings.Split(text, "$")
	if len(part) != 6 || part[0] != "" || part[1] != "argon2id" || part[2] != "v="+strconv.Itoa(argon2.Version) {
		return hash{}, errHash
	}
	params := strings.Split(part[3], ",")
	if len(params) != 3 {
		return hash{}, errHash
	}
	var n [3]uint64
	for i, name := range []string{"m=", "t=", "p="} {
		digits, ok := strings.CutPrefix(params[i], name)
		if n[i], err = strconv.ParseUint(digits, 10, 32); err != nil || !ok {
			return hash{}, errHash
		}
	}
	salt, err1 := base64.RawStdEncoding.Strict().DecodeString(part[4])
	sum, err2 := base64.RawStdEncoding.Strict().DecodeString(part[5])
	if err1 != nil || err2 != nil || len(salt) < minSalt || len(salt) > maxSum || len(sum) < minSum || len(sum) > maxSum {
		return hash{}, errHash
	}
	switch {
	case n[1] < 1 || n[1] > maxPasses || n[2] < 1 || n[2] > maxThreads || n[0] < 8*n[2] || n[0] > maxMemory,
		n[0]*n[1] > maxWork:
		return hash{}, fmt.Errorf("%w: %s is out of bounds", errHash, part[3])
	}
	return hash{cost{uint32(n[0]), uint32(n[1]), uint8(n[2])}, string(salt), string(sum)}, nil
}

func (h hash) compute(password []byte, size uint32) []byte {
	return argon2.IDKey(password, []byte(h.salt), h.passes, h.memory, h.threads, size)
}

// matches reports whether the hash is that of a password, in a time that tells nothing of either.
func (h hash) matches(password []byte) bool {
	return subtle.ConstantTimeCompare(h.compute(password, uint32(len(h.sum))), []byte(h.sum)) == 1
}

// work is what a hash takes, to compare.
func (c cost) work() uint64 { return uint64(c.memory) * uint64(c.passes) }
