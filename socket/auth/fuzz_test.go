package auth

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/transport/mtls"
	"github.com/yodel-mq/yodel/transport/zmtp/curve"
)

// The seeds of all targets are files in testdata/fuzz. What is written back from what was read must be read as the
// same.

// refused fails if a list that was refused has let anybody in, or has not said what is wrong.
func refused[K comparable, V any](t *testing.T, entries map[K]V, err error) {
	t.Helper()
	if entries != nil || !errors.Is(err, ErrFile) || !strings.Contains(err.Error(), "line ") {
		t.Fatalf("%d entries along with %v", len(entries), err)
	}
}

// sameNames fails unless a list of names is read again as it was.
func sameNames[K comparable](
	t *testing.T, names map[K]string, show func(K) string, parse func(string) (map[K]string, error),
) {
	t.Helper()
	var b strings.Builder
	for key, name := range names {
		if name == "" || len(name) > maxName {
			t.Fatalf("a name of %d bytes: %q", len(name), name)
		}
		fmt.Fprintf(&b, "# of %q\n%s\t%s\r\n", name, show(key), name)
	}
	if again, err := parse(b.String()); err != nil || !maps.Equal(names, again) {
		t.Fatalf("%v became %v, %v", names, again, err)
	}
}

// FuzzKeys: a list of CURVE keys is read whole or not at all.
func FuzzKeys(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		names, err := parseKeys(text)
		if err != nil {
			refused(t, names, err)
			return
		}
		for key := range names {
			if !strings.Contains(text, key.String()) {
				t.Fatalf("%v is not in the file", key)
			}
		}
		sameNames(t, names, curve.PublicKey.String, parseKeys)
	})
}

// FuzzCertificates: a list of hashes is read whole or not at all, and a hash is what package mtls takes for one.
func FuzzCertificates(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		ours, err := parseKeyHash(text)
		theirs, theirErr := mtls.ParseKeyHash(text)
		if (err == nil) != (theirErr == nil) || ours != keyHash(theirs) || err == nil && ours.String() != theirs.String() {
			t.Fatalf("%q is %v, %v, and to mtls %v, %v", text, ours, err, theirs, theirErr)
		}
		names, err := parseHashes(text)
		if err != nil {
			refused(t, names, err)
			return
		}
		sameNames(t, names, keyHash.String, parseHashes)
	})
}

// FuzzPasswords: a list of users is read whole or not at all; no hash in it costs more than a file may ask for, and who
// is not in it costs as much as the costliest.
func FuzzPasswords(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		p := new(Passwords)
		users, err := p.parse(text)
		if err != nil {
			refused(t, users, err)
			if p.nobodys.Load() != nil {
				t.Fatal("the cost is that of a file that was refused")
			}
			return
		}
		var b strings.Builder
		var most uint64
		for user, h := range users {
			switch {
			case user == "" || len(user) > maxName || strings.Contains(user, ":"):
				t.Fatalf("the user %q", user)
			case h.memory > maxMemory || h.passes < 1 || h.passes > maxPasses || h.threads < 1 || h.threads > maxThreads,
				h.work() > maxWork, len(h.salt) < minSalt, len(h.salt) > maxSum, len(h.sum) < minSum, len(h.sum) > maxSum:
				t.Fatalf("the hash %v", h)
			}
			most = max(most, h.work())
			fmt.Fprintf(&b, "%s:%v\n", user, h)
		}
		if nobody := p.nobodys.Load(); len(users) > 0 && nobody.work() != most {
			t.Fatalf("nobody costs %d, the costliest %d", nobody.work(), most)
		}
		if again, err := p.parse(b.String()); err != nil || !maps.Equal(users, again) {
			t.Fatalf("%v became %v, %v", users, again, err)
		}
	})
}
