package zmqcompat_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// The programs in testdata are written for go-zeromq.
const (
	originalImport = `"github.com/go-zeromq/zmq4"`
	ourImport      = `zmq4 "github.com/yodel-mq/yodel/socket/zmqcompat"`
)

// TestProgramsMoveOver builds each program as it is and with its one import changed, and runs both.
func TestProgramsMoveOver(t *testing.T) {
	programs := []string{"pipeline", "news", "workers"}
	dir := t.TempDir()
	writeModule(t, dir)
	for _, name := range programs {
		src, err := os.ReadFile(filepath.Join("testdata", name, "main.go"))
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(src, []byte(originalImport)); n != 1 {
			t.Fatalf("%s imports go-zeromq %d times, want 1", name, n)
		}
		ours := bytes.Replace(src, []byte(originalImport), []byte(ourImport), 1)
		writeFile(t, filepath.Join(dir, name+"-original", "main.go"), src)
		writeFile(t, filepath.Join(dir, name+"-ours", "main.go"), ours)
	}
	bin := filepath.Join(dir, "bin") + string(filepath.Separator)
	run(t, dir, "go", "build", "-ldflags=-s -w", "-o", bin, "./...")

	for _, name := range programs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := run(t, dir, bin+name+"-original")
			got := run(t, dir, bin+name+"-ours")
			if got != want || got == "" {
				t.Errorf("with our import:\n%s\nwith the original:\n%s", got, want)
			}
		})
	}
}

// writeModule makes a module with our requirements, so that everything it needs is in the module cache already.
func writeModule(t *testing.T, dir string) {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	const path = "github.com/yodel-mq/yodel"
	text := regexp.MustCompile(`(?m)^module .*$`).ReplaceAllString(string(mod), "module example.com/moved")
	text += "\nrequire " + path + " v0.0.0\n\nreplace " + path + " => " + `"` + filepath.ToSlash(root) + `"` + "\n"
	writeFile(t, filepath.Join(dir, "go.mod"), []byte(text))
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "go.sum"), sum)
}

func writeFile(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// run runs a command in dir, off line, and returns what it prints.
func run(t *testing.T, dir string, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off", "GOTOOLCHAIN=local", "CGO_ENABLED=0")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s%s", filepath.Base(name), args, err, out, stderr.String())
	}
	return string(out)
}
