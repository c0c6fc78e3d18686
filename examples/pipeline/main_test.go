package main

import (
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/examples/internal/clitest"
)

func TestMain(m *testing.M) { clitest.Main(m, main) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestWorkerIsKilled: a tree of files is compressed by workers in three processes, of which one is killed and one told
// to end; each file has its checksum, in order, and is there whole.
func TestWorkerIsKilled(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	var want []string
	content := make(map[string]string)
	random := rand.NewChaCha8([32]byte{1})
	for i := range 90 {
		name := filepath.Join(fmt.Sprintf("%d", i/10), fmt.Sprintf("file %02d", i))
		b := make([]byte, 200_000)
		_, _ = random.Read(b)
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(from, name)), 0o755))
		must(t, os.WriteFile(filepath.Join(from, name), b, 0o644))
		content[name] = string(b)
		want = append(want, fmt.Sprintf("%x  %s", sha256.Sum256(b), filepath.Join(from, name)))
	}
	at := "ipc://" + filepath.Join(short(t), "jobs")
	var workers []*clitest.Process
	for range 3 {
		w := clitest.Start(t, "--at", at, "--hands", "2", "work")
		w.Says("working")
		workers = append(workers, w)
	}
	giver := clitest.Start(t, "--at", at, "give", from, to)
	workers[0].Says(from) // it has done something
	workers[0].Dies()
	workers[1].Says(from)
	workers[1].Signal(os.Interrupt)
	workers[1].Ends()
	giver.Ends()
	workers[2].Signal(os.Interrupt)
	workers[2].Ends()
	if got := strings.Join(giver.Lines(), "\n"); got != strings.Join(want, "\n") {
		t.Errorf("the checksums are %s", got)
	}
	for name, b := range content {
		f, err := os.Open(filepath.Join(to, name+".gz"))
		must(t, err)
		r, err := gzip.NewReader(f)
		must(t, err)
		if got, err := io.ReadAll(r); err != nil || string(got) != b {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
		must(t, f.Close())
	}
}

// TestNoSuchDirectory: it is told by its name, and the status says so.
func TestNoSuchDirectory(t *testing.T) {
	from := filepath.Join(t.TempDir(), "nothing")
	p := clitest.Start(t, "--at", "ipc://"+filepath.Join(short(t), "jobs"), "give", from, t.TempDir())
	if said := p.Fails(); !strings.Contains(said, from) {
		t.Errorf("it says %q", said)
	}
}

// short returns a directory with a short name: paths of sockets are limited.
func short(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "p")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
