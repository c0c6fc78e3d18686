package dns

import (
	"fmt"

	"github.com/yodel-mq/yodel/discovery"
)

// A LookupError tells which lookup has failed. It wraps the resolver's error, mostly a *[net.DNSError].
type LookupError struct {
	Type string // "SRV" or "A/AAAA"
	Name string // what was looked up
	Err  error
}

func (e *LookupError) Error() string { return fmt.Sprintf("dns: %s of %s: %v", e.Type, e.Name, e.Err) }

// Unwrap returns Err.
func (e *LookupError) Unwrap() error { return e.Err }

func badOption(format string, args ...any) error {
	return fmt.Errorf("%w: dns: "+format, append([]any{discovery.ErrInvalidOption}, args...)...)
}
