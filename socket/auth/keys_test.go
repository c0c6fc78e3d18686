package auth_test

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/auth"
	"github.com/yodel-mq/yodel/transport/zmtp/curve"
)

var (
	serverKey                 = curve.GenerateKey()
	annKey, bobKey, eveKey    = curve.GenerateKey(), curve.GenerateKey(), curve.GenerateKey()
	annLine, bobLine, eveLine = fmt.Sprintln(annKey.Public(), "ann"), fmt.Sprintln(bobKey.Public(), "bob the builder"),
		fmt.Sprintln(eveKey.Public())
	often = auth.WithInterval(5 * time.Millisecond)
)

func curveClaim(k *curve.SecretKey) socket.Claim {
	public := k.Public()
	return socket.Claim{Mechanism: "CURVE", Credentials: [][]byte{public[:]}}
}

// TestKeysFile: what a file may have in it, and that one wrong line lets nobody in.
func TestKeysFile(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		user       string // ann's key
		err        error
	}{
		{"a name", annLine, "ann", nil},
		{"a name of several words", fmt.Sprintf("%v \t ann  the first \n", annKey.Public()), "ann  the first", nil},
		{"no name", annKey.Public().String(), annKey.Public().String(), nil},
		{"not the only one", bobLine + annLine + eveLine, "ann", nil},
		{"comments", "# of May\n#\n\n  \n" + annLine + strings.Repeat("#", 40) + "\n", "ann", nil},
		{"Windows", strings.ReplaceAll(annLine, "\n", "\r\n"), "ann", nil},
		{"empty", "", "", nil},
		{"another one alone", eveLine, "", nil},
		{"twice", annLine + annLine, "", auth.ErrFile},
		{"no key", "ann\n" + annLine, "", auth.ErrFile},
		{"a cut key", annLine + bobLine[:39], "", auth.ErrFile},
		{"a long name", strings.TrimSpace(annLine) + strings.Repeat("x", 255), "", auth.ErrFile},
		{"zeros", annLine + "0000000000000000000000000000000000000000", "", auth.ErrFile},
	} {
		t.Run(tt.name, func(t *testing.T) {
			keys, err := auth.OpenKeys(newFile(t, tt.text), nil)
			if !errors.Is(err, tt.err) || (err != nil) != (tt.err != nil) {
				t.Fatalf("%v, want %v", err, tt.err)
			}
			if err != nil {
				return
			}
			defer keys.Close()
			u, err := ask(t, keys, curveClaim(annKey))
			if u.ID != tt.user || (err != nil) != (tt.user == "") || err != nil && !errors.Is(err, auth.ErrUnknown) {
				t.Errorf("user %q, %v", u.ID, err)
			}
			for _, c := range []socket.Claim{
				plain("ann", ""), {Mechanism: "NULL"}, {Mechanism: "CURVE", Credentials: [][]byte{{1}}},
			} {
				if _, err := ask(t, keys, c); !errors.Is(err, auth.ErrUnproven) {
					t.Errorf("%v: %v", c, err)
				}
			}
		})
	}
	if _, err := auth.OpenKeys(t.TempDir()); !errors.Is(err, auth.ErrFile) {
		t.Errorf("a directory: %v", err)
	}
	if _, err := auth.OpenKeys("/nonexistent"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// TestExposedFile: who can write to a file could let himself in, and who can read hashes could guess.
func TestExposedFile(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // permissions are another thing there
	}
	path := newFile(t, "")
	for _, tt := range []struct {
		mode         os.FileMode
		keys, hashes error
	}{
		{0o600, nil, nil},
		{0o640, nil, nil},
		{0o644, nil, auth.ErrExposed},
		{0o620, auth.ErrExposed, auth.ErrExposed},
		{0o602, auth.ErrExposed, auth.ErrExposed},
	} {
		must(t, os.Chmod(path, tt.mode))
		keys, err := auth.OpenKeys(path)
		if !errors.Is(err, tt.keys) {
			t.Errorf("%#o: %v", tt.mode, err)
		}
		if err == nil {
			keys.Close()
		}
		passwords, err := auth.OpenPasswords(path)
		if !errors.Is(err, tt.hashes) {
			t.Errorf("%#o, passwords: %v", tt.mode, err)
		}
		if err == nil {
			passwords.Close()
		}
	}
	if os.Geteuid() == 0 {
		must(t, os.Chmod(path, 0o600))
		must(t, os.Chown(path, 4711, 0))
		if _, err := auth.OpenKeys(path); !errors.Is(err, auth.ErrExposed) {
			t.Errorf("of another user: %v", err)
		}
	}
}

// TestKeysReload: a file that changes takes effect on live connections: who was removed from it has to go, who is on it
// still stays, who is new may come in; one that is broken changes nothing, and tells so.
func TestKeysReload(t *testing.T) {
	path := newFile(t, annLine+bobLine)
	told := make(chan error, 16)
	keys, err := auth.OpenKeys(path, often, auth.WithErrors(func(err error) { told <- err }))
	must(t, err)
	defer keys.Close()
	pull, at := newServer(t, curve.Server(serverKey, nil), keys, "tcp://127.0.0.1:*")
	client := func(k *curve.SecretKey) *socket.Push { return newClient(t, curve.Client(k, serverKey.Public()), at) }
	client(annKey)
	wantUser(t, pull, "ann")
	bob := client(bobKey)
	wantUser(t, pull, "bob the builder")
	client(eveKey)
	wantDenied(t, pull, auth.ErrUnknown)
	must(t, bob.Send(within(t), socket.Text("sent in time")))
	m, err := pull.Recv(within(t))
	must(t, err)
	if m.From.User != "bob the builder" {
		t.Errorf("from %v", m.From)
	}

	write(t, path, annLine+"nonsense\n")
	if err := <-told; !errors.Is(err, auth.ErrFile) {
		t.Errorf("told %v", err)
	}
	if err := keys.Err(); !errors.Is(err, auth.ErrFile) {
		t.Errorf("Err is %v", err)
	}
	if got := users(pull); len(got) != 2 {
		t.Errorf("there are %q", got)
	}

	write(t, path, annLine+eveLine)
	wantRevoked(t, pull, "bob the builder")
	if err := keys.Err(); err != nil {
		t.Errorf("Err is %v", err)
	}
	client(eveKey)
	wantUser(t, pull, eveKey.Public().String())
	client(bobKey)
	event(t, pull, "bob is refused", func(ev socket.Event) bool {
		return ev.Kind == socket.HandshakeFailed && errors.Is(ev.Err, auth.ErrUnknown) &&
			strings.Contains(ev.Err.Error(), bobKey.Public().String())
	})
	if got := users(pull); !slices.Contains(got, "ann") {
		t.Errorf("there are %q", got)
	}

	must(t, os.Remove(path))
	if err := <-told; !errors.Is(err, os.ErrNotExist) {
		t.Errorf("told %v", err)
	}
	write(t, path, strings.Replace(annLine, "ann", "anna", 1)) // the same key, somebody else
	wantRevoked(t, pull, "ann")
}

// TestReloadNow: without looking for changes Reload is what makes them count, also for a peer whose handshake is under
// way.
func TestReloadNow(t *testing.T) {
	path := newFile(t, annLine)
	keys, err := auth.OpenKeys(path, auth.WithInterval(-1))
	must(t, err)
	defer keys.Close()
	u, err := ask(t, keys, curveClaim(annKey))
	must(t, err)
	write(t, path, "")
	must(t, keys.Reload())
	var revoked error
	stop := u.OnRevoke(func(err error) { revoked = err })
	if !errors.Is(revoked, auth.ErrUnknown) || stop != nil {
		t.Errorf("revoked: %v", revoked)
	}
	if _, err := ask(t, keys, curveClaim(annKey)); !errors.Is(err, auth.ErrUnknown) {
		t.Errorf("let in: %v", err)
	}
	write(t, path, "nonsense")
	if err := keys.Reload(); !errors.Is(err, auth.ErrFile) || !errors.Is(keys.Err(), auth.ErrFile) {
		t.Errorf("reload: %v", err)
	}
}

// TestChangeOfTheSameSize: two changes within one tick of the file system's clock, to as many bytes in the same file,
// are both seen.
func TestChangeOfTheSameSize(t *testing.T) {
	path := newFile(t, annLine)
	keys, err := auth.OpenKeys(path, often)
	must(t, err)
	defer keys.Close()
	u, err := ask(t, keys, curveClaim(annKey))
	must(t, err)
	revoked := make(chan error, 1)
	u.OnRevoke(func(err error) { revoked <- err })
	info, err := os.Stat(path)
	must(t, err)
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteString(strings.TrimSpace(bobLine)[:40] + " ann\n")
	must(t, err)
	must(t, f.Close())
	must(t, os.Chtimes(path, time.Time{}, info.ModTime()))
	select {
	case err := <-revoked:
		if !errors.Is(err, auth.ErrUnknown) {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Error("it was not seen")
	}
}
