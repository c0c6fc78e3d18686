//go:build !unix

package main

import "os/exec"

// processGroup returns what kills the command; there are no process groups here.
func processGroup(cmd *exec.Cmd) (kill func() error) {
	return func() error { return cmd.Process.Kill() }
}
