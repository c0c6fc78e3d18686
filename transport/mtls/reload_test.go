package mtls

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/transport"
)

// rewrite puts a certificate where another was.
func rewrite(t *testing.T, certFile, keyFile string, id identity) {
	t.Helper()
	dir := t.TempDir()
	newCert, newKey := filepath.Join(dir, "c"), filepath.Join(dir, "k")
	must(t, WriteFiles(newCert, newKey, id.cert))
	must(t, os.Rename(newKey, keyFile))
	must(t, os.Rename(newCert, certFile))
}

// TestRenewedCertificate: a certificate that is renewed is shown from the next handshake on; while the new one is not
// whole the old one is.
func TestRenewedCertificate(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	first, second := newIdentity(t, "first"), newIdentity(t, "second")
	must(t, WriteFiles(certFile, keyFile, first.cert))
	l := listen(t, New(WithCertificateFiles(certFile, keyFile), WithPins(theirs().key)), "127.0.0.1:0")
	shows := func(want identity) {
		t.Helper()
		c, err := New(WithCertificate(theirs().cert), WithPins(first.key, second.key)).Dial(within(t), l.Address())
		must(t, err)
		defer c.Close()
		s, err := l.Accept()
		must(t, err)
		defer s.Close()
		atServer, atClient := shake(t, s, c)
		must(t, atServer)
		must(t, atClient)
		if got, _ := c.(transport.Certified).PeerCertificate(); got.KeyHash != want.key {
			t.Errorf("it shows %v; want %v", got.Subject, want.cert.Leaf.Subject)
		}
	}
	shows(first)
	shows(first)
	must(t, os.WriteFile(certFile, []byte("half a cert"), 0o600))
	shows(first)
	must(t, os.Remove(keyFile))
	shows(first)
	rewrite(t, certFile, keyFile, second)
	shows(second)
	rewrite(t, certFile, keyFile, first)
	shows(first)
}

// TestExpiredMeanwhile: a certificate that has expired, and cannot be renewed, is blamed on the file.
func TestExpiredMeanwhile(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	old := issue(t, nil, expired)
	must(t, WriteFiles(certFile, keyFile, old.cert))
	tr := New(WithCertificateFiles(certFile, keyFile), WithAnyClient())
	_, err := tr.config(true, "")
	must(t, err) // clocks differ: let the peer judge
	must(t, os.WriteFile(certFile, []byte("no cert"), 0o600))
	if _, err := tr.config(true, ""); !errors.Is(err, ErrConfig) {
		t.Errorf("got %v", err)
	}
}

// TestListOfPins: a key that is put on the list, or taken off, is let in, or is not, from the next handshake on.
func TestListOfPins(t *testing.T) {
	list := filepath.Join(t.TempDir(), "pins")
	must(t, os.WriteFile(list, []byte("# nobody\n"), 0o600))
	l := listen(t, New(WithCertificate(ours().cert), WithPinsFile(list)), "127.0.0.1:0")
	in := func() error {
		c, err := connecting().Dial(within(t), l.Address())
		must(t, err)
		defer c.Close()
		s, err := l.Accept()
		must(t, err)
		defer s.Close()
		atServer, _ := shake(t, s, c)
		return atServer
	}
	if err := in(); !errors.Is(err, ErrNotPinned) {
		t.Errorf("an empty list: %v", err)
	}
	must(t, os.WriteFile(list, []byte("# them\n\n"+theirs().key.String()+" the client\n"), 0o600))
	must(t, in())
	must(t, os.WriteFile(list, []byte("nonsense\n"), 0o600))
	must(t, in())
	must(t, os.WriteFile(list, []byte(ours().key.String()), 0o600))
	if err := in(); !errors.Is(err, ErrNotPinned) {
		t.Errorf("taken off: %v", err)
	}
}

// TestSameTime: a file that is written twice within what its time can tell, with the same size, is read twice.
func TestSameTime(t *testing.T) {
	list := filepath.Join(t.TempDir(), "pins")
	now := time.Now()
	s := New(WithPinsFile(list)).settings
	for _, k := range []KeyHash{ours().key, theirs().key} {
		must(t, os.WriteFile(list, []byte(k.String()), 0o600))
		must(t, os.Chtimes(list, now, now))
		if pins, stale, err := s.pins(); err != nil || stale != nil || len(pins) != 1 || !pins[k] {
			t.Errorf("got %v, %v, %v", pins, stale, err)
		}
	}
}

// TestRootsFile: authorities come from a file.
func TestRootsFile(t *testing.T) {
	ca, _ := authority(t)
	good := issue(t, &ca, valid)
	dir := t.TempDir()
	roots := filepath.Join(dir, "roots")
	must(t, WriteFiles(roots, filepath.Join(dir, "key"), ca.cert))
	tr := New(WithCertificate(good.cert), WithRootsFile(roots))
	s, c := join(t, tr, tr, "127.0.0.1:0")
	atServer, atClient := shake(t, s, c)
	must(t, atServer)
	must(t, atClient)
}

// TestWriteFiles: a key file is for its owner, and nothing is overwritten.
func TestWriteFiles(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	must(t, WriteFiles(certFile, keyFile, ours().cert))
	info, err := os.Stat(keyFile)
	must(t, err)
	if os.PathSeparator == '/' && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	other := filepath.Join(dir, "other")
	if err := WriteFiles(certFile, other, ours().cert); !errors.Is(err, os.ErrExist) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(other); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a key file without a certificate: %v", err)
	}
}
