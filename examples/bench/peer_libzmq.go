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
	"slices"
	"strings"
)

//go:embed libzmq/side.c
var libzmqSource []byte

func libzmqPeer() *peer {
	return libzmqBuilt("libzmq", func(w *work) bool {
		return w.Kind != released // it frees what is received in any case
	})
}

// libzmqBuilt is a peer whose sides are the C program, compiled with the given flags, for the work that it can do.
func libzmqBuilt(name string, does func(w *work) bool, flags ...string) *peer {
	program := func(dir string) string { return filepath.Join(dir, name) }
	return &peer{
		name: name,
		version: func(ctx context.Context, dir string) (string, error) {
			return buildLibzmq(ctx, program(dir), flags...)
		},
		program: program,
		open: func(context.Context, string, job) (conn, error) {
			return nil, errors.New("bench: libzmq's sides are a program of their own")
		},
		most: func(w *work, _ bool) int {
			if !does(w) {
				return 0
			}
			return math.MaxInt
		},
	}
}

// buildLibzmq compiles the C side and asks it for libzmq's version.
func buildLibzmq(ctx context.Context, program string, flags ...string) (string, error) {
	const hint = "(on Debian: apt install gcc libc6-dev libzmq3-dev)"
	source := program + ".c"
	if err := os.WriteFile(source, libzmqSource, 0o600); err != nil {
		return "", err
	}
	args := append(slices.Clone(flags), "-O2", "-o", program, source, "-lzmq", "-lpthread")
	out, err := exec.CommandContext(ctx, "cc", args...).CombinedOutput()
	if err != nil {
		first, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
		return "", fmt.Errorf("bench: cc: %w: %s %s", err, first, hint)
	}
	out, err = exec.CommandContext(ctx, program, "version").Output()
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
