package mtls

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"net"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/yodel-mq/yodel/transport"
)

func TestMain(m *testing.M) {
	ours() // by the clock, before a test in a bubble, where it is the year 2000, may be the first to want them
	theirs()
	goleak.VerifyTestMain(m)
}

// patience bounds every wait in these tests; nothing is measured against it.
const patience = 20 * time.Second

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// An identity is a certificate of its own and the hash of its key.
type identity struct {
	cert tls.Certificate
	key  KeyHash
}

func newIdentity(t testing.TB, name string) identity {
	t.Helper()
	cert, err := SelfSigned(name)
	must(t, err)
	return identity{cert, KeyHashOf(cert.Leaf)}
}

// ours and theirs are the identities of the two ends of most tests: whoever binds, and whoever connects.
var (
	ours   = sync.OnceValue(func() identity { return forever("server.test") })
	theirs = sync.OnceValue(func() identity { return forever("client.test") })
)

func forever(name string) identity {
	cert, err := SelfSigned(name)
	if err != nil {
		panic(err)
	}
	return identity{cert, KeyHashOf(cert.Leaf)}
}

func binding(more ...Option) *Transport {
	return New(append([]Option{WithCertificate(ours().cert), WithPins(theirs().key)}, more...)...)
}

func connecting(more ...Option) *Transport {
	return New(append([]Option{WithCertificate(theirs().cert), WithPins(ours().key)}, more...)...)
}

func listen(t testing.TB, tr transport.Transport, address string) transport.Listener {
	t.Helper()
	l, err := tr.Listen(t.Context(), address)
	must(t, err)
	t.Cleanup(func() { l.Close() })
	return l
}

// join connects two transports, without a handshake.
func join(t testing.TB, server, client transport.Transport, address string) (s, c net.Conn) {
	t.Helper()
	l := listen(t, server, address)
	c, err := client.Dial(within(t), l.Address())
	must(t, err)
	t.Cleanup(func() { c.Close() })
	s, err = l.Accept()
	must(t, err)
	t.Cleanup(func() { s.Close() })
	return s, c
}

// shake shakes hands from both ends and returns what came of it at each.
func shake(t testing.TB, s, c net.Conn) (atServer, atClient error) {
	t.Helper()
	done := make(chan error, 1)
	ctx := within(t)
	go func() { done <- s.(transport.Handshaker).HandshakeContext(ctx) }()
	atClient = c.(transport.Handshaker).HandshakeContext(within(t))
	if atClient != nil {
		c.Close()
	}
	return <-done, atClient
}

// pair returns both ends of a connection that is up.
func pair(t testing.TB) (s, c *conn) {
	t.Helper()
	return pairOver(t, "127.0.0.1:0")
}

func pairOver(t testing.TB, address string, more ...Option) (s, c *conn) {
	t.Helper()
	a, b := join(t, binding(more...), connecting(more...), address)
	atServer, atClient := shake(t, a, b)
	must(t, atServer)
	must(t, atClient)
	return a.(*conn), b.(*conn)
}

// issue makes a certificate that is unlike those of SelfSigned, by the given authority or, without one, by itself.
func issue(t testing.TB, by *identity, change func(*x509.Certificate)) identity {
	t.Helper()
	id := newIdentity(t, "127.0.0.1")
	template := *id.cert.Leaf
	change(&template)
	parent, key := &template, id.cert.PrivateKey
	if by != nil {
		parent, key = by.cert.Leaf, by.cert.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, parent, id.cert.Leaf.PublicKey, key)
	must(t, err)
	leaf, err := x509.ParseCertificate(der)
	must(t, err)
	id.cert.Certificate, id.cert.Leaf = [][]byte{der}, leaf
	return id
}

// authority is one that may issue certificates.
func authority(t testing.TB) (identity, *x509.CertPool) {
	t.Helper()
	ca := issue(t, nil, func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage, c.ExtKeyUsage = true, true, x509.KeyUsageCertSign, nil
	})
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert.Leaf)
	return ca, pool
}

func expired(c *x509.Certificate) {
	c.NotBefore, c.NotAfter = time.Now().AddDate(-2, 0, 0), time.Now().AddDate(-1, 0, 0)
}
func valid(*x509.Certificate) {}
