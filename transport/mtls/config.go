package mtls

import (
	"crypto/tls"
	"errors"
	"fmt"
	"time"
)

// Protocol is the name of what is spoken inside TLS, on which both ends agree by ALPN (RFC 7301): ZMTP 3.1, whose
// greeting goes inside as it is. Over another protocol no connection comes about, so that what is meant for one service
// cannot be diverted to another with the same certificate (ALPACA).
const Protocol = "zmtp/3.1"

// config is what one handshake works with. It is made for each, since files may have changed.
func (s *settings) config(server bool, host string) (*tls.Config, error) {
	cfg := &tls.Config{
		MinVersion: tls.VersionTLS13,
		NextProtos: []string{Protocol},
		// A ticket would let a client come back after its certificate, or the authority behind it, has been withdrawn.
		SessionTicketsDisabled:      true,
		DynamicRecordSizingDisabled: true, // small records at the beginning are for browsers
	}
	v := &verifier{server: server, anybody: server && s.anyClient}
	if s.identity != nil {
		cert, stale, err := s.identity()
		if err != nil {
			return nil, err
		}
		if leaf := cert.Leaf; stale != nil && leaf != nil && time.Now().After(leaf.NotAfter) {
			return nil, fmt.Errorf("%w: our certificate has expired, and there is no new one: %w", ErrConfig, stale)
		}
		cfg.Certificates = []tls.Certificate{*cert}
		// By itself crypto/tls shows a server none that it does not ask for by the authority's name, and the server could
		// only say that there was none.
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return cert, nil }
	} else if server {
		return nil, fmt.Errorf("%w: no certificate to bind with; give WithCertificate or WithCertificateFiles", ErrConfig)
	}
	if s.pins != nil && !v.anybody {
		var err error
		if v.pins, _, err = s.pins(); err != nil {
			return nil, err
		}
	}
	if s.roots != nil {
		pool, _, err := s.roots()
		if err != nil {
			return nil, err
		}
		cfg.RootCAs, cfg.ClientCAs = pool, pool
	}
	switch {
	case !server:
		cfg.ServerName = s.serverName
		if cfg.ServerName == "" {
			cfg.ServerName = host
		}
		// Without roots a pinned key is all that counts: the verifier looks at it.
		cfg.InsecureSkipVerify = s.roots == nil && s.pins != nil
	case s.anyClient:
		cfg.ClientAuth, cfg.ClientCAs = tls.RequestClientCert, nil
	case s.roots != nil:
		cfg.ClientAuth = tls.RequireAndVerifyClientCert
	case s.pins != nil:
		cfg.ClientAuth = tls.RequireAnyClientCert
	default:
		return nil, fmt.Errorf("%w: nothing says who may come in; give WithPins, WithRoots or WithAnyClient", ErrConfig)
	}
	cfg.VerifyConnection = v.verify
	return cfg, nil
}

// A verifier decides on a connection in place of crypto/tls, or after it.
type verifier struct {
	server  bool             // we are
	anybody bool             // may come in
	pins    map[KeyHash]bool // nil if any key will do
}

// verify is called when the peer has proven that the private key of its certificate is its own. On the client it comes
// before anything of ours is sent but the hello, on the server before any message is taken.
func (v *verifier) verify(state tls.ConnectionState) error {
	if state.NegotiatedProtocol != Protocol {
		return fmt.Errorf("%w (ALPN %q)", ErrProtocol, state.NegotiatedProtocol)
	}
	if v.anybody || v.pins == nil {
		return nil
	}
	if len(state.PeerCertificates) == 0 {
		return errors.New("no certificate") // not met: crypto/tls has asked for one
	}
	leaf := state.PeerCertificates[0]
	if k := KeyHashOf(leaf); !v.pins[k] {
		return fmt.Errorf("%w: %v of %q", ErrNotPinned, k, leaf.Subject)
	}
	if now := time.Now(); now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
		return fmt.Errorf("%w: that of %q is valid from %s to %s", ErrExpired, leaf.Subject,
			leaf.NotBefore.Format(time.RFC3339), leaf.NotAfter.Format(time.RFC3339))
	}
	return nil
}
