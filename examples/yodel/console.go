package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
)

// A console is standard error: lines, and one progress line that is rewritten in place. Any goroutine may use it. If
// nobody reads what it says, so be it.
type console struct {
	w     io.Writer
	quiet bool

	mu       sync.Mutex
	progress bool // a progress line is showing
}

const eraseLine = "\r\x1b[K"

// printf prints a line, whatever --quiet says, without anything that a terminal would obey.
func (c *console) printf(format string, args ...any) {
	lines := strings.Split(fmt.Sprintf(format, args...), "\n") // of errors that were joined
	for i, line := range lines {
		lines[i] = clean(line)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clear()
	_, _ = io.WriteString(c.w, strings.Join(lines, "\n")+"\n")
}

// notef prints a line unless --quiet.
func (c *console) notef(format string, args ...any) {
	if !c.quiet {
		c.printf(format, args...)
	}
}

// showProgress replaces the progress line; an empty one takes it away.
func (c *console) showProgress(line string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clear()
	if line != "" {
		_, _ = io.WriteString(c.w, line)
		c.progress = true
	}
}

func (c *console) clear() {
	if c.progress {
		_, _ = io.WriteString(c.w, eraseLine)
		c.progress = false
	}
}

// Write passes on what a command run by --exec says.
func (c *console) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clear()
	return c.w.Write(b)
}

// isTerminal reports whether somebody sits at v. The null device, a character device too, is no terminal.
func isTerminal(v any) bool {
	f, ok := v.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}
