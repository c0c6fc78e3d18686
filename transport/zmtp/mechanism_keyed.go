package zmtp

// A ServerKeyed mechanism is a client's that knows its server by a key, and that can be had for another server.
type ServerKeyed interface {
	Mechanism
	// NeedsServerKey reports whether the key is missing, so that no handshake succeeds.
	NeedsServerKey() bool
	// WithServerKey is the same mechanism for the server with a key, in the form of text that the mechanism has for
	// keys. The error says what is wrong with the text.
	WithServerKey(text string) (Mechanism, error)
}
