//go:build unix

package main

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// processGroup gives a command a process group of its own, and returns what kills all of it.
func processGroup(cmd *exec.Cmd) (kill func() error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return func() error {
		err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		if errors.Is(err, syscall.ESRCH) {
			return os.ErrProcessDone
		}
		return err
	}
}
