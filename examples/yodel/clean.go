package main

import (
	"strconv"
	"unicode"
	"unicode/utf8"
)

// appendClean appends text as a terminal may be given it: what a terminal would obey, or what would pass for another
// line or another order of the letters, is written as in a Go string, such as \x1b and \n. Tabs and letters of all
// languages stay. Strangers may send anything.
func appendClean(b, text []byte) []byte {
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && n == 1: // no UTF-8; some terminals obey such bytes
			const digits = "0123456789abcdef"
			b = append(b, '\\', 'x', digits[text[0]>>4], digits[text[0]&0xf])
		case r != '\t' && (unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp)):
			quoted := strconv.AppendQuoteRuneToASCII(nil, r)
			b = append(b, quoted[1:len(quoted)-1]...)
		default:
			b = append(b, text[:n]...)
		}
		text = text[n:]
	}
	return b
}

// clean is appendClean for a string.
func clean(s string) string { return string(appendClean(nil, []byte(s))) }
