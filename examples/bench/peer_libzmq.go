package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
)

//go:embed libzmq/side.c
var libzmqSource []byte

func libzmqPeer() *peer {
	return &peer{
		name:    "libzmq",
		version: buildLibzmq,
		program: libzmqProgram,
		open: func(context.Context, string, job) (conn, error) {
			return nil, errors.New("bench: libzmq's sides are a program of their own")
		},
		most: func(w *work, _ bool) int {
			if w.Kind == released { // it frees what is received in any case
				return 0
			}
			return math.MaxInt
		},
	}
}

func libzmqProgram(dir string) string { return filepath.Join(dir, "libzmq") }

// buildLibzmq compiles the C side into dir, where libzmqProgram finds it, and asks it for libzmq's version.
func buildLibzmq(ctx context.Context, dir string) (string, error) {
	const hint = "(on Debian: apt install gcc libc6-dev libzmq3-dev)"
	source := filepath.Join(dir, "libzmq.c")
	if err := os.WriteFile(source, libzmqSource, 0o600); err != nil {
		return "", err
	}
	out, err := exec.CommandContext(ctx, "cc", "-O2", "-o", libzmqProgram(dir), source, "-lzmq",
		"-lpthread").CombinedOutput()
	if err != nil {
		first, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
		return "", fmt.Errorf("bench: cc: %w: %s %s", err, first, hint)
	}
	out, err = exec.CommandContext(ctx, libzmqProgram(dir), "version").Output()
	if err != nil {
		return "", fmt.Errorf("bench: libzmq's side does not run: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// moduleVersion reads a peer's version from this program itself.
func moduleVersion(path string) func(context.Context, string) (string, error) {
	return func(context.Context, string) (string, error) {
		if info, ok := debug.ReadBuildInfo(); ok {
			for _, m := range info.Deps {
				if m.Path == path {
					return m.Version, nil
				}
			}
		}
		return "unknown", nil
	}
}
