package gossip

import (
	"errors"
	"fmt"

	"github.com/yodel-mq/yodel/discovery"
)

var (
	// ErrNoKey says that there is neither a key nor WithoutEncryption.
	ErrNoKey = errors.New("gossip: want WithKey, or WithoutEncryption if everybody may join")
	// ErrAlone is told as Trouble when no seed can be joined. It stays a member of one, and tries again.
	ErrAlone = errors.New("gossip: no seed answers")
)

func badOption(format string, args ...any) error {
	return fmt.Errorf("%w: gossip: "+format, append([]any{discovery.ErrInvalidOption}, args...)...)
}

func badRecord(format string, args ...any) error {
	return fmt.Errorf("%w: gossip: "+format, append([]any{discovery.ErrRecord}, args...)...)
}
