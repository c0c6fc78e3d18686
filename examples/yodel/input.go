package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The formats of --input: each reads what the --format of the same name prints.
var inputs = []string{"line", "quoted", "hex", "json"}

const inputHelp = `A line ends in a newline. With --input line all before it is the message, also a carriage return, as
in files from Windows: take it off with tr -d '\r' if it is not meant. With quoted, hex and json it
is no part of the message. An empty line is an empty message, but with quoted and json, in which an
empty message is written otherwise: there lines with nothing but blanks are skipped.`

// A badLine is a line that is not in the form that --input promises.
type badLine struct {
	line []byte
	why  string
}

func (e *badLine) Error() string { return fmt.Sprintf("line %.60q: %s", e.line, e.why) }

func isBadLine(err error) bool {
	_, ok := errors.AsType[*badLine](err)
	return ok
}

// skips reports whether a line is no message and no mistake: a blank one, where no message looks like that.
func (f *socketFlags) skips(line []byte) bool {
	return (f.input == "json" || f.input == "quoted") && len(bytes.TrimSpace(line)) == 0
}

// split makes the frames of a line, --topic first.
func (f *socketFlags) split(line []byte) ([][]byte, error) {
	var frames [][]byte
	why := ""
	if f.input != "line" && !bytes.Contains(f.delim, []byte{'\r'}) {
		line = bytes.TrimSuffix(line, []byte{'\r'})
	}
	switch f.input {
	case "quoted":
		frames, why = splitQuoted(line, f.delim)
	case "hex":
		frames, why = splitHex(line, f.delim)
	case "json":
		frames, why = splitJSON(line)
	default:
		frames = splitPlain(line, f.delim)
	}
	if why != "" {
		return nil, &badLine{line, why}
	}
	if prefix := f.prefix(); prefix != nil {
		frames = append(prefix, frames...)
	}
	return frames, nil
}

// prefix is the frame that --topic puts in front of a message to be published.
func (f *socketFlags) prefix() [][]byte {
	if f.hasTopic && f.verb.is(publishes) {
		return [][]byte{[]byte(f.topic)}
	}
	return nil
}

func splitPlain(line, delim []byte) [][]byte {
	if len(delim) == 0 {
		return [][]byte{line}
	}
	return bytes.Split(line, delim)
}

// splitJSON takes the frames in base64 or, where there are none, as text.
func splitJSON(line []byte) (frames [][]byte, why string) {
	var m struct {
		Frames [][]byte
		Text   []string
	}
	err := json.Unmarshal(line, &m)
	if err == nil && len(m.Frames) == 0 {
		for _, t := range m.Text {
			m.Frames = append(m.Frames, []byte(t))
		}
	}
	if err != nil || len(m.Frames) == 0 {
		why = `write it as {"text":["…"]}, or {"frames":["…base64…"]} for what is no text`
	}
	return m.Frames, why
}

func splitHex(line, delim []byte) (frames [][]byte, why string) {
	for _, field := range splitPlain(line, delim) {
		frame, err := hex.AppendDecode([]byte{}, field)
		if err != nil {
			return nil, "write each frame in hexadecimal, two digits a byte"
		}
		frames = append(frames, frame)
	}
	return frames, ""
}

// splitQuoted takes the strings one by one, since a delimiter may stand in one of them.
func splitQuoted(line, delim []byte) (frames [][]byte, why string) {
	const want = `write each frame as a Go string, such as "text" or "\x00\xff"`
	for rest := string(line); ; {
		quoted, err := strconv.QuotedPrefix(rest)
		if err != nil || quoted[0] != '"' {
			return nil, want
		}
		frame, err := strconv.Unquote(quoted)
		if err != nil {
			return nil, want
		}
		frames = append(frames, []byte(frame))
		rest = rest[len(quoted):]
		if rest == "" {
			return frames, ""
		}
		after, ok := strings.CutPrefix(rest, string(delim))
		if !ok {
			return nil, "the delimiter is missing between two frames"
		}
		rest = after
	}
}
