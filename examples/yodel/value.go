package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"strconv"
	"unicode/utf8"

	"github.com/yodel-mq/yodel/patterns"
)

// What the verbs of patterns read and print is JSON, whatever its encoding on the way.

const valueHelp = `Values are JSON, one a line; a text is written "text", and jq -R . makes one of any line. They
travel as JSON too, which every Yodel program understands, whatever its own encoding; what comes in
another one is shown as JSON: bytes as a string, those that are no text in Base64.`

// source opens what is sent: --data, or else the lines of standard input.
func (f *taskFlags) source(a *app, what string) (source, error) {
	if !f.hasData || f.data == "-" {
		a.promptFor(what)
		return newLines(a.stdin, isBlank, splitValue), nil
	}
	frames, err := splitValue([]byte(f.data))
	if err != nil {
		return nil, usagef("--data: %w", err)
	}
	return &repeated{item{[]byte(f.data), frames}, max(1, f.count)}, nil
}

func isBlank(line []byte) bool { return len(bytes.TrimSpace(line)) == 0 }

// splitValue makes a body of a line.
func splitValue(line []byte) ([][]byte, error) {
	body, err := compact(line)
	if err != nil {
		return nil, &badLine{line, `it is no JSON; write a text as "text"`}
	}
	return [][]byte{body}, nil
}

// compact checks JSON, and leaves out what may be left out.
func compact(text []byte) ([]byte, error) {
	var b bytes.Buffer
	if err := json.Compact(&b, text); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// jsonBody is a body of JSON.
func jsonBody(text []byte) patterns.Raw {
	return patterns.Raw{Type: patterns.JSON().Type(), Data: text}
}

// toJSON is a body as JSON, whatever it is encoded as. Strangers may have sent it.
func toJSON(r patterns.Raw) ([]byte, error) {
	switch {
	case r.Type == patterns.Bytes().Type():
		return textJSON(r.Data), nil
	case len(r.Data) == 0:
		return []byte("null"), nil
	case r.Type == patterns.JSON().Type():
		text, err := compact(r.Data)
		return escapeControls(text), err
	}
	v, err := patterns.Decode[any](r)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return escapeControls(bytes.TrimRight(b.Bytes(), "\n")), nil
}

// textJSON is a string of JSON: the bytes as text or, if they are none, in Base64.
func textJSON(b []byte) []byte {
	if !utf8.Valid(b) {
		b = base64.StdEncoding.AppendEncode(nil, b)
	}
	return appendJSON(nil, string(b))
}

// fromJSON is a body made of JSON, encoded as typ says.
func fromJSON(text []byte, typ string) (patterns.Raw, error) {
	if isBlank(text) {
		return patterns.Raw{Type: typ}, nil
	}
	text, err := compact(text)
	if err != nil {
		return patterns.Raw{}, err
	}
	switch typ {
	case patterns.Bytes().Type():
		var s string
		if json.Unmarshal(text, &s) == nil {
			text = []byte(s)
		}
		return patterns.Raw{Type: typ, Data: text}, nil
	case patterns.Msgpack(patterns.Limits{}).Type():
		var v any
		dec := json.NewDecoder(bytes.NewReader(text))
		dec.UseNumber()
		if err := dec.Decode(&v); err != nil && err != io.EOF {
			return patterns.Raw{}, err
		}
		body, err := patterns.Msgpack(patterns.Limits{}).Append(nil, plainNumbers(v))
		return patterns.Raw{Type: typ, Data: body}, err
	}
	return jsonBody(text), nil
}

// plainNumbers makes integers of the numbers that are some, and floats of the others.
func plainNumbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			return n
		}
		if n, err := strconv.ParseUint(v.String(), 10, 64); err == nil {
			return n
		}
		f, _ := v.Float64()
		return f
	case []any:
		for i := range v {
			v[i] = plainNumbers(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = plainNumbers(v[k])
		}
	}
	return v
}

// appendCount appends a member of an object, unless it is 0.
func appendCount(b []byte, name string, n int) []byte {
	if n == 0 {
		return b
	}
	return strconv.AppendInt(append(append(append(b, `,"`...), name...), `":`...), int64(n), 10)
}
