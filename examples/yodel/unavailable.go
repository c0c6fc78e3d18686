package main

import (
	"strings"

	"github.com/spf13/pflag"
)

// Flags that are part of the tool's contract and whose parts of Yodel do not exist yet. They are recognised, so that a
// script is told what is missing rather than that it is wrong.
var unavailable = []struct {
	name, arg string
	bool      bool
}{
	{name: "plain", arg: "USER:PASS"},
	{name: "plain-server", arg: "FILE"},
	{name: "curve-key", arg: "FILE"},
	{name: "curve-server-key", arg: "Z85"},
	{name: "curve-server", bool: true},
	{name: "curve-allow", arg: "FILE"},
}

func registerUnavailable(fs *pflag.FlagSet) {
	for _, u := range unavailable {
		registerOne(fs, u.name, u.arg, u.bool)
	}
}

// registerUnavailableCurve is for bench, which has the flags on CURVE only.
func registerUnavailableCurve(fs *pflag.FlagSet) {
	for _, u := range unavailable[len(unavailable)-4:] {
		registerOne(fs, u.name, u.arg, u.bool)
	}
}

func registerOne(fs *pflag.FlagSet, name, arg string, isBool bool) {
	if isBool {
		fs.Bool(name, false, "not available yet")
	} else {
		fs.StringArray(name, nil, "not available yet (`"+arg+"`)")
	}
	fs.Lookup(name).Hidden = true
}

// checkUnavailable refuses a command line with such flags.
func checkUnavailable(fs *pflag.FlagSet) error {
	var given []string
	for _, u := range unavailable {
		if fs.Changed(u.name) && fs.Lookup(u.name).Hidden {
			given = append(given, "--"+u.name)
		}
	}
	switch len(given) {
	case 0:
		return nil
	case 1:
		return usagef("%s is not available yet", given[0])
	}
	return usagef("%s are not available yet", strings.Join(given, ", "))
}
