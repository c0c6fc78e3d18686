//go:build race

package mdns

// raceEnabled says that the race detector is on, with which all takes several times as long.
const raceEnabled = true
