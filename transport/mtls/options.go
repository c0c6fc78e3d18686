package mtls

import (
	"crypto/tls"
	"crypto/x509"
	"errors"

	"github.com/yodel-mq/yodel/transport"
)

// An Option configures a [Transport]. Nil is none.
type Option interface{ set(s *settings) }

type setting func(s *settings)

func (f setting) set(s *settings) { f(s) }

// settings is what the options come to. The functions are called for each handshake; nil is none of the kind.
type settings struct {
	under      transport.Transport
	identity   func() (cert *tls.Certificate, stale, err error)
	roots      func() (pool *x509.CertPool, stale, err error)
	pins       func() (pins map[KeyHash]bool, stale, err error)
	anyClient  bool
	serverName string
}

// always returns what does not change.
func always[T any](value T) func() (T, error, error) {
	return func() (T, error, error) { return value, nil, nil }
}

// WithCertificate sets the certificate by which peers know us, with its private key and, where a certificate authority
// has issued it, with those in between ([tls.LoadX509KeyPair], [SelfSigned]). Whoever binds needs one; whoever connects
// needs one unless the server is made [WithAnyClient]. The default is none. Of this option and [WithCertificateFiles]
// the last one counts.
func WithCertificate(cert tls.Certificate) Option {
	return setting(func(s *settings) { s.identity = always(&cert) })
}

// WithCertificateFiles is [WithCertificate] for a certificate and its private key in PEM. The files are looked at when
// a handshake begins and read again if they have changed, so that a certificate can be renewed while sockets are in
// use: connections that are up stay so. While new files are of no use, such as a certificate whose key has not been
// written yet, the old ones stand. The key file should be readable by nobody else; as secrets of containers often are
// not, it is used anyway.
func WithCertificateFiles(certFile, keyFile string) Option {
	r := &reloaded[*tls.Certificate]{
		paths: []string{certFile, keyFile},
		parse: func(contents [][]byte) (*tls.Certificate, error) {
			cert, err := tls.X509KeyPair(contents[0], contents[1])
			return &cert, err
		},
	}
	return setting(func(s *settings) { s.identity = r.get })
}

// WithRoots sets the certificate authorities that vouch for peers: a peer has to show a certificate that one of them,
// or one that they vouch for, has issued, that is valid now and is meant for its use; a server's has to be for the host
// that is connected to ([WithServerName]). The default is none for clients, so that who binds needs this option,
// [WithPins] or [WithAnyClient]; and those of the system for servers, unless keys are pinned. Nil is the default. Of
// this option and [WithRootsFile] the last one counts.
func WithRoots(pool *x509.CertPool) Option {
	return setting(func(s *settings) {
		s.roots = nil
		if pool != nil {
			s.roots = always(pool)
		}
	})
}

// WithRootsFile is [WithRoots] for a file of certificates in PEM, which is looked at when a handshake begins and read
// again if it has changed.
func WithRootsFile(file string) Option {
	r := &reloaded[*x509.CertPool]{
		paths: []string{file},
		parse: func(contents [][]byte) (*x509.CertPool, error) {
			pool := x509.NewCertPool()
			if !pool.AppendCertsFromPEM(contents[0]) {
				return nil, errors.New("no certificate in it")
			}
			return pool, nil
		},
	}
	return setting(func(s *settings) { s.roots = r.get })
}

// WithPins sets the keys that peers have to have, by their hashes: clients that may come in, servers that may be
// connected to. No certificate authority is needed then: a certificate may have been issued by the peer itself
// ([SelfSigned]) and be for any host, but has to be valid now. With [WithRoots] both have to hold. Given several times,
// the last list counts; an empty one lets in nobody. The default is that any key will do for which a certificate
// authority vouches.
func WithPins(keys ...KeyHash) Option {
	pins := make(map[KeyHash]bool, len(keys))
	for _, k := range keys {
		pins[k] = true
	}
	return setting(func(s *settings) { s.pins = always(pins) })
}

// WithPinsFile is [WithPins] for a file that is looked at when a handshake begins and read again if it has changed.
// Each line has a hash ([ParseKeyHash]) and, behind a blank, whatever remark; a line that begins with # is a remark. A
// connection that is up stays so when its peer's key is taken off the list.
func WithPinsFile(file string) Option {
	r := &reloaded[map[KeyHash]bool]{
		paths: []string{file},
		parse: func(contents [][]byte) (map[KeyHash]bool, error) { return parsePins(contents[0]) },
	}
	return setting(func(s *settings) { s.pins = r.get })
}

// WithAnyClient lets in clients that show no certificate, or one that nobody vouches for. Roots and pins then count for
// the servers that are connected to and for them alone. What a client shows is proven to be its own all the same
// ([transport.Certified]), for somebody else to judge.
func WithAnyClient() Option { return setting(func(s *settings) { s.anyClient = true }) }

// WithServerName sets the name, or IP address, that the certificate of a server has to be for. The default, and "", is
// the host in the endpoint that is connected to. It says nothing where keys are pinned and no roots set.
func WithServerName(name string) Option { return setting(func(s *settings) { s.serverName = name }) }

// WithUnderlying sets the transport whose connections are encrypted: a [transport.TCP] with settings of its own, or a
// simulated network in tests. Its connections must carry bytes. Addresses are those of that transport; the scheme is
// "tls" all the same. The default, and nil, is [transport.NewTCP].
func WithUnderlying(t transport.Transport) Option {
	return setting(func(s *settings) { s.under = t })
}
