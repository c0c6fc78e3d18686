package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
)

// mountsVariable is set in a process that may mount what it likes, for it sees its own mounts and nobody else does.
const mountsVariable = "CRASHTEST_MOUNTS"

// small is the size of the file systems that are to run full.
const small = 6 << 20

// inNamespace runs this program again where its mounts are its own, and returns its status; false if that cannot be, or
// is so already.
func inNamespace() (status int, done bool) {
	if os.Getuid() != 0 || os.Getenv(mountsVariable) != "" {
		return 0, false
	}
	self, err := os.Executable()
	if err != nil {
		return 0, false
	}
	signal.Ignore(os.Interrupt) // which goes to both, and is obeyed by the other
	cmd := exec.CommandContext(context.Background(), self, os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), mountsVariable+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil { // such as in a container that forbids it
		signal.Reset(os.Interrupt)
		return 0, false
	}
	err = cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return max(exit.ExitCode(), 1), true
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1, true
	}
	return 0, true
}

// makeSmall makes the places for spools such that they run full: file systems of their own where that can be, else by
// the capacity that it returns.
func makeSmall(dir string) (capacity int64, unmount func(), err error) {
	if os.Getenv(mountsVariable) == "" {
		return small, func() {}, nil
	}
	// What is mounted must not show in the namespace that this one was made of.
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return 0, nil, fmt.Errorf("crashtest: mount: %w", err)
	}
	var at []string
	unmount = func() {
		for _, dir := range at {
			_ = syscall.Unmount(dir, syscall.MNT_DETACH) // it goes with the namespace at the latest
		}
	}
	for _, name := range []string{"s", "r0"} {
		at = append(at, filepath.Join(dir, "spools", name))
		if err := os.MkdirAll(at[len(at)-1], 0o700); err != nil {
			return 0, nil, err
		}
		if err := syscall.Mount("tmpfs", at[len(at)-1], "tmpfs", 0, fmt.Sprintf("size=%d", small)); err != nil {
			unmount()
			return 0, nil, fmt.Errorf("crashtest: mount: %w", err)
		}
	}
	return -1, unmount, nil
}
