package zmtp

import "strconv"

// Version is a ZMTP version as it stands in a greeting, for instance {3, 1}.
// The zero Version stands for "none given".
type Version struct{ Major, Minor byte }

// highest is what this package announces, and the most it ever agrees to.
var highest = Version{3, 1}

// HasCommands reports whether a peer of this version takes SUBSCRIBE, CANCEL,
// PING and PONG as commands, that is whether it is 3.1 or later. A 3.0 peer wants
// subscriptions as messages ([AppendSubscribe] sees to it) and must never get a
// PING: old libzmq hands it to the application.
func (v Version) HasCommands() bool {
	return v.Major > 3 || v.Major == 3 && v.Minor >= 1
}

// Common returns the version to speak with a peer that announced v: 3.0 for a 3.0
// peer, 3.1 for anything later (RFC 37 asks to accept higher versions), and the
// zero Version for majors below 3, which are refused.
func (v Version) Common() Version {
	switch {
	case v.Major < 3:
		return Version{}
	case v == Version{3, 0}:
		return v
	}
	return highest
}

// String gives "3.1".
func (v Version) String() string {
	return strconv.Itoa(int(v.Major)) + "." + strconv.Itoa(int(v.Minor))
}
