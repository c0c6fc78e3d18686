package mdns

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/discovery"
)

// A process is a child that runs.
type process struct {
	cmd   *exec.Cmd
	stdin io.Closer
	id    discovery.ID
}

// spawn starts this program as a child that announces, by a command that runs it.
func spawn(t testing.TB, cmd *exec.Cmd, group string) *process {
	t.Helper()
	cmd.Env = append(os.Environ(), childEnv+"=announce "+group)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: cmd, stdin: stdin}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if p.id, err = discovery.ParseID(strings.TrimSpace(line)); err != nil {
		t.Fatal(err)
	}
	return p
}
