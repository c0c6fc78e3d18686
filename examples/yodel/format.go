package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/yodel-mq/yodel/socket"
)

// A printer writes messages to standard output in one of the formats. It is buffered: flush before each wait. Each
// goroutine has a printer of its own, made with as.
type printer struct {
	w      *lockedWriter
	format string
	delim  []byte
	clean  bool // of lines: for a terminal, without what it would obey
	b      []byte

	subscriptions bool // of an XPUB: json says what they mean
}

func newPrinter(w io.Writer, format string, delim []byte) *printer {
	return &printer{w: newLockedWriter(w), format: format, delim: delim, clean: isTerminal(w)}
}

// as makes another printer of the same output.
func (p *printer) as(format string) *printer {
	return &printer{w: p.w, format: format, delim: p.delim, clean: p.clean}
}

// print writes one message.
func (p *printer) print(m socket.Msg) error {
	p.b = p.b[:0]
	switch p.format {
	case "raw":
		return p.w.write(true, m.Frames...)
	case "json":
		p.b = append(p.b, '{')
		p.b = appendFrames(p.b, m.Frames)
		p.b = append(p.b, `,"from":`...)
		p.b = appendJSON(p.b, origin(m.From))
		p.b = appendTexts(p.b, m.Frames)
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
				p.b = p.appendText(p.b, f)
			}
		}
	}
	return p.writeLine(true)
}

// appendText appends the bytes of a frame or of a line, for a terminal without what it would obey.
func (p *printer) appendText(b, text []byte) []byte {
	if p.clean {
		return appendClean(b, text)
	}
	return append(b, text...)
}

// printLine confirms a line that was sent, for --confirm.
func (p *printer) printLine(it item) error {
	p.b = p.b[:0]
	if p.format == "json" {
		p.b = append(p.b, '{')
		p.b = appendFrames(p.b, it.frames)
		p.b = appendTexts(p.b, it.frames)
		p.b = append(p.b, '}')
	} else {
		p.b = p.appendText(p.b, it.line)
	}
	return p.writeLine(false)
}

// writeLine writes what is in p.b, which is a message if so said, and a newline.
func (p *printer) writeLine(message bool) error {
	p.b = append(p.b, '\n')
	err := p.w.write(message, p.b)
	if cap(p.b) > 1<<20 {
		p.b = nil
	}
	return err
}

// printNow writes a message that is one line of text, and does not hold it back.
func (p *printer) printNow(text []byte) error {
	p.b = p.appendText(p.b[:0], text)
	if err := p.writeLine(true); err != nil {
		return err
	}
	return p.flush()
}

// printed reports whether anything was written.
func (p *printer) printed() bool { return p.w.taken() > 0 }

func (p *printer) flush() error { return p.w.flush() }

// unprinted is how many messages were not written whole.
func (p *printer) unprinted() uint64 { return p.w.unwritten() }

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

// appendTexts appends the frames as text, if all of them are that.
func appendTexts(b []byte, frames [][]byte) []byte {
	for _, f := range frames {
		if !utf8.Valid(f) {
			return b
		}
	}
	b = append(b, `,"text":[`...)
	for i, f := range frames {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendJSON(b, string(f))
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
	return append(b, escapeControls(bytes.TrimRight(buf.Bytes(), "\n"))...)
}

// escapeControls escapes in JSON the control characters that JSON may leave as they are and terminals obey: those from
// \u007f to \u009f.
func escapeControls(text []byte) []byte {
	if !bytes.ContainsFunc(text, unicode.IsControl) {
		return text
	}
	var b []byte
	for _, r := range string(text) {
		if unicode.IsControl(r) {
			b = fmt.Appendf(b, `\u%04x`, r)
		} else {
			b = utf8.AppendRune(b, r)
		}
	}
	return b
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
