package main

import (
	"fmt"
	"os"
)

// progress is one line on a terminal, rewritten with each run. Anywhere else it says nothing; nil too.
type progress struct{ out *os.File }

func newProgress(out *os.File) *progress {
	info, err := out.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return nil
	}
	return &progress{out}
}

const clearLine = "\r\x1b[K"

func (p *progress) step(n, of int, what string) {
	if p != nil {
		_, _ = fmt.Fprintf(p.out, clearLine+"%d/%d %s", n, of, what)
	}
}

func (p *progress) clear() {
	if p != nil {
		_, _ = fmt.Fprint(p.out, clearLine)
	}
}
