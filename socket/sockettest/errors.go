package sockettest

import "fmt"

// A StreamError is what [Checker.Check] found wrong.
type StreamError struct {
	Report
	what string
}

// Error lists what is missing, doubled, out of order and unknown.
func (e *StreamError) Error() string {
	return fmt.Sprintf("sockettest: %d messages sent, %d received: %s", e.Sent, e.Received, e.what)
}
