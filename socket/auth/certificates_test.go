package auth_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/auth"
	"github.com/yodel-mq/yodel/transport"
	"github.com/yodel-mq/yodel/transport/mtls"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

func newCertificate(t *testing.T, name string) tls.Certificate {
	t.Helper()
	cert, err := mtls.SelfSigned(name)
	must(t, err)
	return cert
}

// TestCertificatesFile: hashes in all forms that package mtls takes, and no others.
func TestCertificatesFile(t *testing.T) {
	hash := mtls.KeyHash{1, 2, 3, 31: 0xff}
	text := hash.String()
	for _, tt := range []struct {
		name, text, user string
		err              error
	}{
		{"as curl has it", "# of May\n\n" + text + " ann\n", "ann", nil},
		{"base64 alone", text[len("sha256//"):], text, nil},
		{"hexadecimal", fmt.Sprintf("%x\tann the first\r\n", hash[:]), "ann the first", nil},
		{"with a prefix", fmt.Sprintf("sha256:%X", hash[:]), text, nil},
		{"another", mtls.KeyHash{1}.String(), "", nil},
		{"twice", text + "\n" + fmt.Sprintf("%x", hash[:]), "", auth.ErrFile},
		{"cut", text[:len(text)-1], "", auth.ErrFile},
		{"of another size", "sha256//AAAA", "", auth.ErrFile},
		{"a name", "ann", "", auth.ErrFile},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if k, err := mtls.ParseKeyHash(text); err != nil || k != hash {
				t.Fatalf("%v, %v", k, err)
			}
			list, err := auth.OpenCertificates(newFile(t, tt.text))
			if !errors.Is(err, tt.err) || (err != nil) != (tt.err != nil) {
				t.Fatalf("%v, want %v", err, tt.err)
			}
			if err != nil {
				return
			}
			defer list.Close()
			u, err := ask(t, list, socket.Claim{Mechanism: "NULL", Certificate: &transport.Certificate{KeyHash: hash}})
			if u.ID != tt.user || (err != nil) != (tt.user == "") || err != nil && !errors.Is(err, auth.ErrUnknown) {
				t.Errorf("user %q, %v", u.ID, err)
			}
			if _, err := ask(t, list, socket.Claim{Mechanism: "NULL"}); !errors.Is(err, auth.ErrUnproven) {
				t.Errorf("without a certificate: %v", err)
			}
		})
	}
}

// TestCertificates: over tls, where the transport lets in everybody, whose key is on the list comes in and has to go
// when it is taken off, with a mechanism inside too; who shows another key or none is refused.
func TestCertificates(t *testing.T) {
	server, ann, eve := newCertificate(t, "server"), newCertificate(t, "ann"), newCertificate(t, "eve")
	over := func(certs ...tls.Certificate) socket.Option {
		opts := []mtls.Option{mtls.WithPins(mtls.KeyHashOf(server.Leaf)), mtls.WithAnyClient()}
		for _, c := range certs {
			opts = append(opts, mtls.WithCertificate(c))
		}
		return socket.WithTransport(mtls.New(opts...))
	}
	for _, tt := range []struct {
		name           string
		server, client zmtp.Mechanism
	}{{"NULL", nil, nil}, {"PLAIN", zmtp.PlainServer(), zmtp.PlainClient("somebody", "")}} {
		t.Run(tt.name, func(t *testing.T) {
			path := newFile(t, mtls.KeyHashOf(ann.Leaf).String()+" ann\n")
			list, err := auth.OpenCertificates(path, often)
			must(t, err)
			defer list.Close()
			pull := socket.NewPull(over(server), socket.WithSecurity(tt.server), socket.WithAuthenticator(list))
			defer pull.Close()
			at, err := pull.Bind(within(t), "tls://127.0.0.1:*")
			must(t, err)
			client := func(certs ...tls.Certificate) *socket.Push {
				push := socket.NewPush(over(certs...), socket.WithSecurity(tt.client),
					socket.WithReconnect(time.Hour, time.Hour))
				t.Cleanup(func() { push.Close() })
				must(t, push.Connect(at))
				return push
			}
			push := client(ann)
			must(t, push.Send(within(t), socket.Text("hello")))
			m, err := pull.Recv(within(t))
			must(t, err)
			if m.From.User != "ann" || m.From.Proven["subject"] != "CN=ann" {
				t.Errorf("from %+v", m.From)
			}
			client(eve)
			wantDenied(t, pull, auth.ErrUnknown)
			client()
			wantDenied(t, pull, auth.ErrUnproven)
			write(t, path, "")
			wantRevoked(t, pull, "ann")
		})
	}
}
