package auth

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"

	"github.com/yodel-mq/yodel/socket"
)

// Passwords lets in PLAIN clients whose user names and passwords stand in a file:
//
//	# anything
//	ann:$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$…
//
// A line has a user name of 1 to 255 bytes without a colon, and the hash of the password, as [HashPassword] and other
// programs for argon2id print it. At most 1 GiB, 64 passes and 64 threads are taken, and 8 GiB in all passes together.
//
// To look at a password takes memory and time on purpose, and any stranger can ask for it: no more are looked at
// at a time than there are processors for Go. To ask about a user that there is not takes as long as about the one
// whose hash costs most. All methods may be called by any number of goroutines.
type Passwords struct {
	list    list[string, hash]
	turns   chan struct{}
	nobodys atomic.Pointer[hash] // costs as much as the costliest hash in the file, and matches nothing
}

// OpenPasswords reads a list of users. The error matches [ErrFile] or [ErrExposed], or is that of the file system.
func OpenPasswords(path string, opts ...FileOption) (*Passwords, error) {
	p := &Passwords{turns: make(chan struct{}, runtime.GOMAXPROCS(0))}
	p.list = list[string, hash]{path: path, secret: true, parse: p.parse}
	if err := p.list.open(opts); err != nil {
		return nil, err
	}
	return p, nil
}

// Authenticate implements [socket.Authenticator].
func (p *Passwords) Authenticate(ctx context.Context, c socket.Claim) (socket.User, error) {
	if c.Mechanism != "PLAIN" || len(c.Credentials) != 2 {
		return socket.User{}, fmt.Errorf("auth: %s: %w, a user and a password", c.Mechanism, ErrUnproven)
	}
	user := string(c.Credentials[0])
	select {
	case p.turns <- struct{}{}:
		defer func() { <-p.turns }()
	case <-ctx.Done():
		return socket.User{}, fmt.Errorf("auth: user %.64q: others are being looked at: %w", user, ctx.Err())
	}
	h, known := p.list.find(user)
	if !known {
		h = *p.nobodys.Load()
	}
	match := h.matches(c.Credentials[1])
	switch {
	case !known:
		return socket.User{}, fmt.Errorf("auth: user %.64q: %w", user, ErrUnknown)
	case !match:
		return socket.User{}, fmt.Errorf("auth: user %.64q: %w", user, ErrPassword)
	}
	return socket.User{ID: user, OnRevoke: p.list.hold(user, h)}, nil
}

// Reload reads the file now. After an error what was read before counts.
func (p *Passwords) Reload() error { return p.list.reload() }

// Err returns why the file could not be used when it was read last, or nil.
func (p *Passwords) Err() error { return p.list.err() }

// Close ends the looking for changes. The users that were read last may come in as before. It always returns nil.
func (p *Passwords) Close() error {
	p.list.close()
	return nil
}

func (p *Passwords) parse(text string) (map[string]hash, error) {
	users := make(map[string]hash)
	nobodys := hash{cost: defaultCost, salt: strings.Repeat("-", saltSize), sum: strings.Repeat("-", sumSize)}
	n, first := 0, true
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		user, hashed, _ := strings.Cut(line, ":")
		if user == "" || len(user) > maxName {
			return nil, badLine(n, errors.New("want a user name of 1 to 255 bytes, a colon and a hash"))
		}
		h, err := parseHash(hashed)
		if err != nil {
			return nil, badLine(n, err)
		}
		if _, ok := users[user]; ok {
			return nil, badLine(n, errDouble)
		}
		users[user] = h
		if first || h.work() > nobodys.work() {
			nobodys.cost, first = h.cost, false
		}
	}
	p.nobodys.Store(&nobodys)
	return users, nil
}
