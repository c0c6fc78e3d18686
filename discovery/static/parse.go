package static

import (
	"errors"
	"strings"
)

// maxBad is how many bad lines of a file an error names.
const maxBad = 8

// parse reads a file. The error names each line that is bad, up to maxBad.
func parse(file, text string) (*list, error) {
	var (
		l    list
		errs []error
		n    int
	)
	text = strings.TrimPrefix(text, "\ufeff") // what some editors begin with
	for line := range strings.Lines(text) {
		n++
		p, ok, err := parseLine(line)
		if ok && err == nil {
			err = l.add(p)
		}
		if err != nil {
			if errs = append(errs, &LineError{File: file, Line: n, Err: err}); len(errs) == maxBad {
				break
			}
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return &l, nil
}

// parseLine reads one entry; ok is false where there is none.
func parseLine(line string) (p Peer, ok bool, err error) {
	words := strings.Fields(line)
	for i, w := range words {
		if strings.HasPrefix(w, "#") {
			words = words[:i]
			break
		}
	}
	if len(words) == 0 {
		return p, false, nil
	}
	p.Service = words[0]
	for _, w := range words[1:] {
		key, value, isPair := strings.Cut(w, "=")
		if strings.Contains(key, "://") || !isPair { // an endpoint may have a "=" in it
			p.Endpoints = append(p.Endpoints, w)
			continue
		}
		field := map[string]*string{"type": &p.Type, "group": &p.Group, "name": &p.Name, "key": &p.Key}[key]
		switch {
		case field == nil:
			return p, true, bad("%.40q is not known: want type, group, name or key", key)
		case value == "" || *field != "":
			return p, true, bad("%s: want one value", key)
		}
		*field = value
	}
	return p, true, nil
}
