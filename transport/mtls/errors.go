package mtls

import (
	"errors"
	"net"
)

// Why a secure connection did not come about, or ended. Each comes wrapped in a [transport.OpError] or a [net.OpError];
// those of a handshake match [transport.ErrHandshake] as well.
var (
	// ErrConfig means that the transport lacks what it takes, such as a certificate to bind with, or that a file of its
	// options is of no use. The text says which option or file.
	ErrConfig = errors.New("unusable TLS configuration")

	// ErrKeyHash means that a text is no [KeyHash].
	ErrKeyHash = errors.New("not the hash of a key")

	// ErrNotTLS means that the far side does not speak TLS: a ZMTP peer with a tcp:// endpoint, say, or a port scanner.
	ErrNotTLS = errors.New("the far side does not speak TLS")

	// ErrProtocol means that the far side speaks TLS, and something else than ZMTP inside: it has not agreed to
	// [Protocol] by ALPN.
	ErrProtocol = errors.New("the far side does not speak " + Protocol + " inside TLS")

	// ErrNotPinned means that the far side has proven to have a key that is not among those of [WithPins].
	ErrNotPinned = errors.New("key not pinned")

	// ErrExpired means that the certificate of a pinned key is not valid at this time.
	ErrExpired = errors.New("certificate not valid now")

	// ErrRefused means that the far side has ended the connection with an alert: it does not accept our certificate,
	// wants one where we have none, or speaks no TLS 1.3. The text has its reason.
	ErrRefused = errors.New("refused by the far side")

	// ErrCut means that the connection ended without the end of stream that belongs to TLS: the process at the far side
	// was killed, or somebody in between has cut the connection. What came before it is authentic.
	ErrCut = errors.New("the connection was cut: it ended without TLS's end of stream")
)

// isAlert reports whether err says that the far side has sent an alert, for which crypto/tls exports no type.
func isAlert(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "remote error"
}
