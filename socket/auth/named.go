package auth

import (
	"errors"
	"strings"
)

const maxName = 255

// parseNamed reads lines of a key and, behind a blank, a name; without one the key is called as show says. Lines that
// begin with # are remarks.
func parseNamed[K comparable](text string, parse func(string) (K, error), show func(K) string) (map[K]string, error) {
	keys := make(map[K]string)
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' { // with which no CURVE key begins: 32 bits have no digit as high as that
			continue
		}
		first, name := line, ""
		if i := strings.IndexAny(line, " \t"); i >= 0 {
			first, name = line[:i], strings.TrimSpace(line[i:])
		}
		key, err := parse(first)
		if err != nil {
			return nil, badLine(n, err)
		}
		if _, ok := keys[key]; ok {
			return nil, badLine(n, errDouble)
		}
		switch {
		case name == "":
			name = show(key)
		case len(name) > maxName:
			return nil, badLine(n, errors.New("a name of more than 255 bytes"))
		}
		keys[key] = name
	}
	return keys, nil
}
