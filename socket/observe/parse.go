package observe

import (
	"encoding/json"
	"fmt"
)

// Parse reads a snapshot from JSON that may come from anybody. Fields that it does not know are ignored. It returns an
// error that matches [ErrSnapshot] if b is something else, or of a version that has another meaning. Texts in it are as
// the sender wrote them: whoever prints them to a terminal has to replace control characters first.
func Parse(b []byte) (*Snapshot, error) {
	var version struct {
		V *int `json:"v"`
	}
	if err := json.Unmarshal(b, &version); err != nil {
		return nil, fmt.Errorf("observe: %w: %w", ErrSnapshot, err)
	}
	switch {
	case version.V == nil:
		return nil, fmt.Errorf(`observe: %w: it has no "v"`, ErrSnapshot)
	case *version.V != Version:
		return nil, fmt.Errorf("observe: %w: it is of version %d, and this program reads version %d", ErrSnapshot,
			*version.V, Version)
	}
	s := new(Snapshot)
	if err := json.Unmarshal(b, s); err != nil {
		return nil, fmt.Errorf("observe: %w: %w", ErrSnapshot, err)
	}
	return s, nil
}
