package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// newTerminal returns both ends of a pseudoterminal, which does not change what is written to it.
func newTerminal(t *testing.T) (screen, terminal *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { screen.Close() })
	fd := int(screen.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { terminal.Close() })
	state, err := unix.IoctlGetTermios(int(terminal.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	state.Oflag &^= unix.OPOST
	if err := unix.IoctlSetTermios(int(terminal.Fd()), unix.TCSETS, state); err != nil {
		t.Fatal(err)
	}
	return screen, terminal
}

// TestTerminalIsNotObeyed: on a terminal a line is a line, and what a terminal would obey is shown; --format raw is
// as it is called.
func TestTerminalIsNotObeyed(t *testing.T) {
	for _, tc := range []struct{ name, format, want string }{
		{"line", "line", `\x1b[2Ja\nb\u009b` + "\t\u00e9\ttopic\n"},
		{"raw", "raw", "\x1b[2Ja\nb\u009b\u00e9\ttopic"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			screen, terminal := newTerminal(t)
			pull := startWith(t, strings.NewReader(""), terminal, "pull", "--bind", anyPort, "--count", "1", "--format",
				tc.format)
			push := startInput(t, "", "push", "--connect", pull.endpoint(), "--input", "quoted", "--delim", " ",
				"--data", `"\x1b[2Ja\nb\u009b" "é`+"\t"+`topic"`)
			push.exit(0)
			pull.exit(0)
			if _, err := terminal.WriteString("\x04"); err != nil { // what ends here
				t.Fatal(err)
			}
			got, err := bufio.NewReader(screen).ReadString('\x04')
			if got != tc.want+"\x04" || err != nil {
				t.Errorf("got %q, %v, want %q", got, err, tc.want)
			}
		})
	}
}
