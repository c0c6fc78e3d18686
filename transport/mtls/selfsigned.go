package mtls

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"time"
)

// How long a certificate of SelfSigned is valid: from a day before, for peers whose clock is slow, to ten years.
const (
	selfSignedBefore = 24 * time.Hour
	selfSignedYears  = 10
)

// SelfSigned makes a new key (Ed25519) and a certificate for it that no authority vouches for: peers know it by the
// hash of the key ([KeyHashOf], [WithPins]). It says that it is for the given name, a host or an IP address or whatever
// helps people, in ASCII, and is valid for ten years.
func SelfSigned(name string) (tls.Certificate, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(public[:16]),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-selfSignedBefore),
		NotAfter:     now.AddDate(selfSignedYears, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if ip := net.ParseIP(name); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("mtls: certificate for %.80q: %w", name, err)
	}
	leaf, err := x509.ParseCertificate(der)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private, Leaf: leaf}, err
}

// WriteFiles writes a certificate, with those that belong to it, and its private key in PEM to two new files, for
// [WithCertificateFiles]. The key file is for its owner alone (mode 0600). It does not overwrite a file:
// errors.Is(err, fs.ErrExist) then, and neither is written.
func WriteFiles(certFile, keyFile string, cert tls.Certificate) error {
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		return fmt.Errorf("mtls: private key: %w", err)
	}
	defer clear(key)
	var chain bytes.Buffer
	for _, der := range cert.Certificate {
		if err := pem.Encode(&chain, &pem.Block{Type: "CERTIFICATE", Bytes: der}); err != nil {
			return err
		}
	}
	secret := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})
	defer clear(secret)
	if err := writeNew(keyFile, secret, 0o600); err != nil {
		return fmt.Errorf("mtls: %w", err)
	}
	if err := writeNew(certFile, chain.Bytes(), 0o644); err != nil {
		_ = os.Remove(keyFile) // it belongs to nothing
		return fmt.Errorf("mtls: %w", err)
	}
	return nil
}

func writeNew(path string, b []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		_ = os.Remove(path) // half a file is of no use
	}
	return err
}
