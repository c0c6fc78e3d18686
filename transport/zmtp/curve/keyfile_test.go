//go:build unix

package curve

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestKeyFile: a key comes back from its file, which nobody else can read, and which is not overwritten.
func TestKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	k := GenerateKey()
	if err := WriteKeyFile(path, k); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if got, err := ReadKeyFile(path); err != nil || !got.Equal(k) {
		t.Errorf("read back: %v", err)
	}
	if err := WriteKeyFile(path, GenerateKey()); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over a file: %v", err)
	}
	if got, err := ReadKeyFile(path); err != nil || !got.Equal(k) {
		t.Errorf("it is another now: %v", err)
	}
	for _, none := range []*SecretKey{nil, {}} {
		if err := WriteKeyFile(path+"2", none); !errors.Is(err, ErrKey) {
			t.Errorf("no key: %v", err)
		}
	}
	if err := WriteKeyFile(filepath.Join(path, "below"), k); err == nil {
		t.Error("a file below a file")
	}
	if _, err := os.Stat(path + "2"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file of no key: %v", err)
	}
}

// TestKeyFileExposed: a file to which others have any access is refused, and so is what is no file.
func TestKeyFileExposed(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "key")
	if err := WriteKeyFile(path, GenerateKey()); err != nil {
		t.Fatal(err)
	}
	for mode := range fs.FileMode(0o1000) {
		if mode&0o400 == 0 {
			continue // not for us either, unless we are root
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := ReadKeyFile(path)
		if want := mode&0o077 != 0; errors.Is(err, ErrExposed) != want || want == (err == nil) {
			t.Errorf("mode %04o: %v", mode, err)
		}
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadKeyFile(link); !errors.Is(err, ErrExposed) {
		t.Errorf("by a link: %v", err)
	}
	if _, err := ReadKeyFile(dir); !errors.Is(err, ErrKey) {
		t.Errorf("a directory: %v", err)
	}
	if _, err := ReadKeyFile(path + "2"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// TestKeyFileText: certificates as czmq and pyzmq write them are read; what is no key pair is refused, and no error
// shows what was in the file.
func TestKeyFileText(t *testing.T) {
	const public, secret = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7", "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6"
	const other = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"
	for _, tt := range []struct {
		name, text string
		ok         bool
	}{
		{"pyzmq", `#   ****  Generated on 2026-12-01 03:00:00 by pyzmq  ****
#   ZeroMQ CURVE **Secret** Certificate
#   DO NOT PROVIDE THIS FILE TO OTHER USERS nor change its permissions.

metadata
    name = "ann"
curve
    public-key = "` + public + `"
    secret-key = "` + secret + `"
`, true},
		{"without the public key", `secret-key = "` + secret + `"`, true},
		{"Windows line ends", "curve\r\n  public-key = \"" + public + "\"\r\n  secret-key = \"" + secret + "\"\r\n", true},
		{"no spaces", `secret-key="` + secret + `"`, true},
		{"the public half", `public-key = "` + public + `"`, false},
		{"empty", "", false},
		{"another's public key", "public-key = \"" + other + "\"\nsecret-key = \"" + secret + `"`, false},
		{"two secret keys", "secret-key = \"" + secret + "\"\nsecret-key = \"" + secret + `"`, false},
		{"two public keys", strings.Repeat("public-key = \""+public+"\"\n", 2) + "secret-key = \"" + secret + `"`, false},
		{"no quotes", "secret-key = " + secret, false},
		{"one quote", `secret-key = "` + secret, false},
		{"cut short", `secret-key = "` + secret[:39] + `"`, false},
		{"zeros", `secret-key = "` + strings.Repeat("0", 40) + `"`, false},
		{"a long line", strings.Repeat("x", 2*maxKeyFile), false},
		{"far behind", strings.Repeat("\n", 2*maxKeyFile) + `secret-key = "` + secret + `"`, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "key")
			if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			k, err := ReadKeyFile(path)
			if tt.ok != (err == nil) || tt.ok && k.Z85() != secret || !tt.ok && k != nil {
				t.Fatalf("%v, %v", k, err)
			}
			if err != nil && (strings.Contains(err.Error(), secret[:5]) || !strings.Contains(err.Error(), path)) {
				t.Errorf("the error is %v", err)
			}
		})
	}
}
