package auth_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/socket/auth"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// Published ones, of the reference implementation: of "password" with the salt "somesalt".
const (
	published     = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	publishedFast = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
)

// otherHash is one with two threads.
const otherHash = "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc"

// TestPasswordsFile: hashes of other programs, and of ours; what a line must not be.
func TestPasswordsFile(t *testing.T) {
	ours := auth.HashPassword("sesame")
	if again := auth.HashPassword("sesame"); again == ours {
		t.Error("two hashes with one salt")
	}
	for _, tt := range []struct {
		name, text, user, password string
		err                        error // of the file
		denied                     error
	}{
		{"published", "ann:" + published, "ann", "password", nil, nil},
		{"published, fast", "ann:" + publishedFast, "ann", "password", nil, nil},
		{"published, two threads", "ann:" + otherHash, "ann", "password", nil, nil},
		{"ours", "# staff\n\nbob:" + publishedFast + "\nann:" + ours + "\n", "ann", "sesame", nil, nil},
		{"another password", "ann:" + publishedFast, "ann", "Password", nil, auth.ErrPassword},
		{"no password", "ann:" + publishedFast, "ann", "", nil, auth.ErrPassword},
		{"the hash as the password", "ann:" + publishedFast, "ann", publishedFast, nil, auth.ErrPassword},
		{"nobody", "ann:" + publishedFast, "eve", "password", nil, auth.ErrUnknown},
		{"no name", "ann:" + publishedFast, "", "password", nil, auth.ErrUnknown},
		{"an empty file", "", "ann", "password", nil, auth.ErrUnknown},
		{"twice", "ann:" + publishedFast + "\nann:" + publishedFast, "", "", auth.ErrFile, nil},
		{"a password as it is", "ann:sesame", "", "", auth.ErrFile, nil},
		{"no user", ":" + publishedFast, "", "", auth.ErrFile, nil},
		{"argon2i", "ann:" + strings.Replace(publishedFast, "2id", "2i", 1), "", "", auth.ErrFile, nil},
		{"another version", "ann:" + strings.Replace(publishedFast, "v=19", "v=16", 1), "", "", auth.ErrFile, nil},
		{"no hash", "ann:$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$", "", "", auth.ErrFile, nil},
		{"no salt", "ann:" + strings.Replace(publishedFast, "c29tZXNhbHQ", "", 1), "", "", auth.ErrFile, nil},
		{"too much memory", "ann:" + strings.Replace(publishedFast, "m=256", "m=2000000", 1), "", "", auth.ErrFile, nil},
		{"too much work", "ann:" + strings.Replace(publishedFast, "256,t=2", "1000000,t=9", 1), "", "", auth.ErrFile, nil},
		{"no passes", "ann:" + strings.Replace(publishedFast, "t=2", "t=0", 1), "", "", auth.ErrFile, nil},
		{"no threads", "ann:" + strings.Replace(publishedFast, "p=1", "p=0", 1), "", "", auth.ErrFile, nil},
		{"negative", "ann:" + strings.Replace(publishedFast, "t=2", "t=-2", 1), "", "", auth.ErrFile, nil},
		{"another order", "ann:" + strings.Replace(publishedFast, "m=256,t=2", "t=2,m=256", 1), "", "", auth.ErrFile, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			passwords, err := auth.OpenPasswords(newFile(t, tt.text))
			if !errors.Is(err, tt.err) || (err != nil) != (tt.err != nil) {
				t.Fatalf("%v, want %v", err, tt.err)
			}
			if err != nil {
				if strings.Contains(err.Error(), "sesame") || strings.Contains(err.Error(), "nf65") {
					t.Errorf("it shows what is in the file: %v", err)
				}
				return
			}
			defer passwords.Close()
			u, err := ask(t, passwords, plain(tt.user, tt.password))
			if !errors.Is(err, tt.denied) || (err != nil) != (tt.denied != nil) || err == nil && u.ID != tt.user {
				t.Errorf("user %q, %v; want %v", u.ID, err, tt.denied)
			}
			if _, err := ask(t, passwords, curveClaim(annKey)); !errors.Is(err, auth.ErrUnproven) {
				t.Errorf("CURVE: %v", err)
			}
		})
	}
}

// TestPasswordsTakeTurns: while as many are looked at as may be, others wait as long as their context lasts.
func TestPasswordsTakeTurns(t *testing.T) {
	passwords, err := auth.OpenPasswords(newFile(t, "ann:"+publishedFast))
	must(t, err)
	defer passwords.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	errs := make(chan error, 64)
	for range cap(errs) {
		go func() {
			_, err := passwords.Authenticate(within(t), plain("ann", "password"))
			errs <- err
		}()
	}
	for range cap(errs) {
		must(t, <-errs)
	}
	// With its context over, who finds no room at once is turned away, and who finds it is looked at.
	if _, err := passwords.Authenticate(ctx, plain("ann", "guess")); !errors.Is(err, context.Canceled) &&
		!errors.Is(err, auth.ErrPassword) {
		t.Errorf("%v", err)
	}
}

// TestPasswordsReload: who has another password now, or is not there any more, has to go.
func TestPasswordsReload(t *testing.T) {
	fast := func(names ...string) (text string) {
		for _, name := range names {
			text += name + ":" + publishedFast + "\n"
		}
		return text
	}
	path := newFile(t, fast("ann", "bob", "eve"))
	passwords, err := auth.OpenPasswords(path, often)
	must(t, err)
	defer passwords.Close()
	pull, at := newServer(t, zmtp.PlainServer(), passwords, "ipc://*")
	for _, name := range []string{"ann", "bob", "eve"} {
		newClient(t, zmtp.PlainClient(name, "password"), at)
		wantUser(t, pull, name)
	}
	newClient(t, zmtp.PlainClient("ann", "guess"), at)
	wantDenied(t, pull, auth.ErrPassword)
	write(t, path, fast("ann")+"bob:"+auth.HashPassword("another"))
	wantRevoked(t, pull, "bob")
	wantRevoked(t, pull, "eve")
	if got := users(pull); len(got) != 1 || got[0] != "ann" {
		t.Errorf("there are %q", got)
	}
}
