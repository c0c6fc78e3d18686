package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math"
	"math/big"
	"runtime"
	"strings"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/mtls"
)

// certificate is that of both sides, in both processes: its key is the same each time, and no secret.
func certificate() (tls.Certificate, error) {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf, err := x509.ParseCertificate(der)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, err
}

// tlsPeer is Yodel over tls, for the work that has a bar beside crypto/tls.
func tlsPeer() *peer {
	return &peer{
		name:    "tls",
		version: func(context.Context, string) (string, error) { return "Yodel over tls", nil },
		open: func(ctx context.Context, role string, j job) (conn, error) {
			cert, err := certificate()
			if err != nil {
				return nil, err
			}
			j.Endpoint = strings.Replace(j.Endpoint, "tcp://", "tls://", 1)
			link := mtls.New(mtls.WithCertificate(cert), mtls.WithPins(mtls.KeyHashOf(cert.Leaf)))
			return openYodel(ctx, role, j, nil, socket.WithTransport(link))
		},
		most: mostOverTLS,
	}
}

// rawTLSPeer is raw sockets with crypto/tls over them.
func rawTLSPeer() *peer {
	return &peer{
		name:    "raw-tls",
		version: func(context.Context, string) (string, error) { return "crypto/tls of " + runtime.Version(), nil },
		open: func(ctx context.Context, role string, j job) (conn, error) {
			cert, err := certificate()
			if err != nil {
				return nil, err
			}
			config := &tls.Config{
				Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13, ClientAuth: tls.RequireAnyClientCert,
				InsecureSkipVerify: true, //nolint:gosec // nothing is kept secret
			}
			c, err := openRaw(ctx, role, j)
			if err != nil {
				return nil, err
			}
			raw := c.(*rawConn)
			if raw.ln != nil {
				raw.ln = tls.NewListener(raw.ln, config)
			} else {
				raw.nc = tls.Client(raw.nc, config)
			}
			return raw, nil
		},
		most: mostOverTLS,
	}
}

// mostOverTLS is the work that is measured over tls: a stream of 64 KiB, and the round trip.
func mostOverTLS(w *work, _ bool) int {
	if w.Transport == "tcp" && (w.Kind == oneWay && w.Size == 64<<10 || w.Kind == roundTrip) {
		return math.MaxInt
	}
	return 0
}
