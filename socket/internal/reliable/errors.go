package reliable

import "errors"

// Reasons for which a stream does not go on. The text of an error adds what was seen.
var (
	// ErrFenced means that the receiver has heard of a later epoch of the stream, so that this sender is an old copy, or
	// of a later link, so that this connection is an old one.
	ErrFenced = errors.New("fenced: the receiver knows a later incarnation of the sender")

	// ErrForked means that two senders continue one stream: a copied spool, or one that was put back to an earlier state.
	ErrForked = errors.New("forked: the receiver knows messages of the stream that this sender does not")

	// ErrRefused means that the receiver takes no stream from this sender.
	ErrRefused = errors.New("the receiver refuses the stream")

	// ErrProtocol means that the peer said what it cannot know or must not say.
	ErrProtocol = errors.New("reliable link: protocol error")

	// ErrNotWritten means that a message is given back of which [Sender.Wrote] has not been told yet.
	ErrNotWritten = errors.New("the message is still being written")

	// ErrLinkUp means that a stream is to be opened on a second link while the first one is still up.
	ErrLinkUp = errors.New("the stream is open on another link")
)
