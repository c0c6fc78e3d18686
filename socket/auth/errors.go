package auth

import "errors"

// Reasons for which a peer is refused, and for which a file is.
var (
	// ErrUnknown: the key, the user or the process is not one of those that may come in.
	ErrUnknown = errors.New("not on the list")
	// ErrPassword: the user is known and the password is another one.
	ErrPassword = errors.New("wrong password")
	// ErrUnproven: the peer shows nothing of the kind that is looked at, such as a CURVE key: the mechanism or the
	// transport is another one.
	ErrUnproven = errors.New("shows nothing that is looked at here")
	// ErrFile: a line of a file is not as it should be. The text says which.
	ErrFile = errors.New("not a list")
	// ErrExposed: others may write to a file, or read one with passwords.
	ErrExposed = errors.New("others have access to the file")
)
