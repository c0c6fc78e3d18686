package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"strconv"
	"sync"

	"github.com/yodel-mq/yodel/socket"
)

// A printer writes messages to standard output in one of the formats. It is buffered: flush before each wait. Each
// goroutine has a printer of its own, made with as.
type printer struct {
	w      *lockedWriter
	format string
	delim  []byte
	b      []byte

	subscriptions bool // of an XPUB: json says what they mean
}

// A lockedWriter is what the printers of one output share.
type lockedWriter struct {
	mu sync.Mutex
	w  *bufio.Writer
}

func newPrinter(w io.Writer, format string, delim []byte) *printer {
	return &printer{w: &lockedWriter{w: bufio.NewWriterSize(w, 64<<10)}, format: format, delim: delim}
}

// as makes another printer of the same output.
func (p *printer) as(format string) *printer {
	return &printer{w: p.w, format: format, delim: p.delim}
}

// print writes one message.
func (p *printer) print(m socket.Msg) error {
	p.b = p.b[:0]
	switch p.format {
	case "raw":
		return p.writeRaw(m.Frames)
	case "json":
		p.b = append(p.b, '{')
		p.b = appendFrames(p.b, m.Frames)
		p.b = append(p.b, `,"from":`...)
		p.b = appendJSON(p.b, origin(m.From))
		if p.subscriptions {
			if sub, ok := socket.ParseSubscription(m); ok {
				p.b = append(p.b, `,"event":`...)
				p.b = appendJSON(p.b, changeOf(sub))
				p.b = append(p.b, `,"topic":`...)
				p.b = appendJSON(p.b, sub.Topic)
			}
		}
		p.b = append(p.b, '}')
	default:
		for i, f := range m.Frames {
			if i > 0 {
				p.b = append(p.b, p.delim...)
			}
			switch p.format {
			case "quoted":
				p.b = strconv.AppendQuote(p.b, string(f))
			case "hex":
				p.b = hex.AppendEncode(p.b, f)
			default:
				p.b = append(p.b, f...)
			}
		}
	}
	return p.writeLine()
}

// printLine confirms a line that was sent, for --confirm.
func (p *printer) printLine(it item) error {
	p.b = p.b[:0]
	if p.format == "json" {
		p.b = append(p.b, '{')
		p.b = appendFrames(p.b, it.frames)
		p.b = append(p.b, '}')
	} else {
		p.b = append(p.b, it.line...)
	}
	return p.writeLine()
}

// writeLine writes what is in p.b and a newline.
func (p *printer) writeLine() error {
	p.b = append(p.b, '\n')
	p.w.mu.Lock()
	_, err := p.w.w.Write(p.b)
	p.w.mu.Unlock()
	if cap(p.b) > 1<<20 {
		p.b = nil
	}
	if err != nil {
		return outputError(err)
	}
	return nil
}

// writeRaw writes frames with nothing added.
func (p *printer) writeRaw(frames [][]byte) error {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	for _, f := range frames {
		if _, err := p.w.w.Write(f); err != nil {
			return outputError(err)
		}
	}
	return nil
}

func (p *printer) flush() error {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	if p.w.w.Buffered() == 0 {
		return nil
	}
	if err := p.w.w.Flush(); err != nil {
		return outputError(err)
	}
	return nil
}

func appendFrames(b []byte, frames [][]byte) []byte {
	b = append(b, `"frames":[`...)
	for i, f := range frames {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = base64.StdEncoding.AppendEncode(b, f)
		b = append(b, '"')
	}
	return append(b, ']')
}

// appendJSON appends a string as JSON, without the escapes that are for HTML.
func appendJSON(b []byte, s string) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if enc.Encode(s) != nil {
		return append(b, `""`...)
	}
	return append(b, bytes.TrimRight(buf.Bytes(), "\n")...)
}

// origin names who a message came from: its identity or else its address.
func origin(p *socket.Peer) string {
	switch {
	case p == nil:
		return ""
	case len(p.Identity) > 0:
		return string(p.Identity)
	}
	return p.Address
}

// lineFormat is the format of --confirm.
func (a *app) lineFormat() string {
	if a.json {
		return "json"
	}
	return "line"
}
