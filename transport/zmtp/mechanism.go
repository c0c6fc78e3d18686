package zmtp

import "context"

// A Mechanism is a security mechanism (RFC 37): what the two peers of a connection say to each other between the
// greeting and the first message. [Null] is the one without security. A Mechanism serves any number of connections at
// once.
//
// A Mechanism does no I/O: it is a state machine that is given the peer's commands and returns ours. So the same one
// runs over bytes ([Handshake]) and between two sockets of a process ([Negotiate]).
type Mechanism interface {
	// Name is the name in the greeting: 1 to 20 bytes of A-Z, 0-9 and "-_.+". Peers whose names differ refuse each
	// other.
	Name() string
	// AsServer is the bit in the greeting that says which of two roles we have. Two servers refuse each other. It is
	// false for a mechanism without roles.
	AsServer() bool
	// New begins the exchange of one connection, before a byte is sent. first is our first command, which goes as
	// soon as the peer's greeting has been accepted; the zero Command is none. An error says that our side cannot be
	// used as it is set up; it should wrap ErrConfig.
	New(local Local) (ex Exchange, first Command, err error)
}

// An Exchange is one side of a [Mechanism] on one connection. It is for one goroutine. One that is also an [Opener] and
// a [Sealer] encrypts what follows the handshake; these two are used by different goroutines at once.
type Exchange interface {
	// Step takes the peer's next command and returns our answer; the zero Command is none. done says that nothing
	// follows from either side once send has gone. An error ends the handshake; send goes to the peer even so, if
	// there is one: an ERROR, say. Step never gets an ERROR of the peer's, which ends every exchange.
	//
	// The data of c is valid during the call only. Step may wait for what [Local] offers, as long as ctx lasts, and
	// for nothing else.
	Step(ctx context.Context, c Command) (send Command, done bool, err error)
}

// A Beginner is an [Exchange] that may have to wait before it says its first word, which [Mechanism.New] must not.
type Beginner interface {
	// Begin is called once, when the peer's greeting has been accepted and before the first Step, if New returned no
	// command. It returns our first command; the zero Command is none. An error ends the handshake, along with a
	// command or without one, as that of Step does, and it may wait for the same.
	Begin(ctx context.Context) (send Command, err error)
}

// A Sealer encrypts the frames of a connection that we send, as an [Opener] decrypts those we receive. It belongs to
// whoever writes: frames are to be sealed in the order in which they travel, each once, and all of them sent.
type Sealer interface {
	// Seal adds to b the whole frame, header too, that carries the frame with these flags and this body: a part of a
	// message, or with FlagCommand a command. It keeps body as it is, which must not be in the capacity of b behind
	// its length. It allocates nothing beyond growing b.
	Seal(b []byte, flags byte, body []byte) []byte
	// Overhead is the most bytes that a body has more than the one inside.
	Overhead() int
}

// A Command is a command without its frame.
type Command struct {
	Name string // 1 to 255 bytes; empty if there is no command
	Data []byte
}

// Local is what an [Exchange] works with: our side of one handshake.
type Local struct {
	// Metadata is what the peer is to be told of us: the data of a READY ([AppendMetadata]). It is read only.
	Metadata []byte
	// PeerFirst asks not to send Metadata before Peer has returned nil ([Config.Admit]). A mechanism whose order of
	// commands does not allow that ignores it.
	PeerFirst bool
	// Asks says that Authenticate asks somebody ([Config.Authenticate] is set) and does not just let everybody in. No
	// Metadata is to be sent before it has returned nil then.
	Asks bool
	// Peer takes what the peer says of itself, encoded like Metadata, and judges it. Each Exchange calls it once. An
	// error is to be returned by Step as it is; after one that wraps ErrSocketType the peer may still be told our
	// Metadata.
	Peer func(ctx context.Context, metadata []byte) error
	// Authenticate decides whether the peer may come in, given what it has shown for that, in the form that RFC 27
	// has for the mechanism: nothing for NULL, user and password for PLAIN, the public key for CURVE. Each Exchange
	// calls it once, also where the credentials are none. An error is to be returned by Step as it is.
	Authenticate func(ctx context.Context, credentials ...[]byte) error
}

// A Claim is what [Config.Authenticate] decides on.
type Claim struct {
	// Mechanism is the name of the mechanism.
	Mechanism string
	// Credentials are those of RFC 27: none for NULL, user and password for PLAIN, the public key for CURVE. They are
	// valid during the call only.
	Credentials [][]byte
	// Peer is what the peer has said of itself: claims that nothing proves. It is nil if the mechanism asks before the
	// peer has said anything.
	Peer *Session
}

// A User is whom [Config.Authenticate] took a peer for.
type User struct {
	// ID names the user; empty if the authenticator names nobody.
	ID string
	// Metadata is what the authenticator knows of the user, in contrast to what the peer says.
	Metadata Metadata
}
