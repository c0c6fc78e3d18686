package discovery

import (
	"errors"
	"regexp"
	"testing"
)

var errNone = errors.New("no such file")

func TestHostToken(t *testing.T) {
	a := HostToken()
	if a != HostToken() {
		t.Error("it changes")
	}
	if !regexp.MustCompile(`^[0-9a-f]{16}$`).MatchString(a) {
		t.Errorf("%q is not 16 hexadecimal digits", a)
	}
}

func TestHardware(t *testing.T) {
	for name, tc := range map[string]struct {
		hardware []string
		token    bool
	}{
		"some": {[]string{"host", "00:11:22:33:44:55"}, true},
		"none": {nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := system{
				read:     func(string) ([]byte, error) { return nil, errNone },
				readlink: func(string) (string, error) { return "", errNone },
				hardware: func() []string { return tc.hardware },
			}
			if got := hostToken(s); (got != "") != tc.token {
				t.Errorf("%q", got)
			}
		})
	}
	first := hardware()
	if len(first) == 1 {
		t.Errorf("%v: a name alone says too little", first)
	}
}

func TestToken(t *testing.T) {
	if a, b := token("ab", "c"), token("a", "bc"); a == b {
		t.Errorf("%s for both", a)
	}
	if a, b := token("a"), token("a", ""); a == b {
		t.Errorf("%s for both", a)
	}
}
