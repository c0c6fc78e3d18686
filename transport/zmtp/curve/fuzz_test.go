package curve

import (
	"bytes"
	"errors"
	"testing"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// The seeds of all targets are files in testdata/fuzz. What the fuzzer makes goes to the peer as it is or, since next
// to nothing of that gets past a box, sealed as one who has the keys can.

// takes gives a side a command; it returns what the side says, or fails if that is not an answer or a refusal.
func takes(t *testing.T, s *side, c zmtp.Command) (send zmtp.Command, ok bool) {
	t.Helper()
	send, done, err := s.ex.Step(t.Context(), c)
	if err != nil {
		if !errors.Is(err, zmtp.ErrMalformed) || done || send.Name != "" || s.metadata != nil || s.asked != nil {
			t.Fatalf("%s: sent %q, done: %t, metadata %q, asked %x, %v", c.Name, send.Name, done, s.metadata, s.asked, err)
		}
		if _, done, err := s.ex.Step(t.Context(), c); done || err == nil {
			t.Fatalf("it goes on after the end: done %t, %v", done, err)
		}
	}
	return send, err == nil
}

// FuzzHello: the server answers a HELLO only if it is one, to the byte.
func FuzzHello(f *testing.F) {
	transient := GenerateKey()
	public, permanent := transient.Public(), serverKey.Public()
	k, err := agree(transient, permanent[:])
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, head, inside []byte, raw bool) {
		// head stands for what precedes the key: version and padding, and then the number.
		data := head
		if !raw {
			var b [helloNumber + shortNonceSize]byte
			copy(b[:helloClient], head)
			copy(b[helloClient:], public[:])
			if len(head) > helloClient {
				copy(b[helloNumber:], head[helloClient:])
			}
			data = k.seal(b[:], inside, shortNonce(helloNonce, b[helloNumber:]))
		}
		server, _ := newSide(t, testServer, pullMetadata)
		welcome, ok := takes(t, server, zmtp.Command{Name: "HELLO", Data: data})
		var want [helloClient]byte
		want[0] = 1
		good := !raw && len(inside) == 64 && allZero(inside) && bytes.Equal(data[:helloClient], want[:])
		if ok != good {
			t.Fatalf("accepted: %t, % x", ok, data)
		}
		if ok && (welcome.Name != "WELCOME" || len(welcome.Data) != welcomeSize) {
			t.Fatalf("answered by %q of %d bytes", welcome.Name, len(welcome.Data))
		}
	})
}

// FuzzWelcome: a client answers a WELCOME only with what the server that it wants can open.
func FuzzWelcome(f *testing.F) {
	f.Fuzz(func(t *testing.T, in []byte, raw bool) {
		client, hello := newSide(t, Client(clientKey, serverKey.Public()), pushMetadata)
		data := in
		if !raw {
			k, err := agree(serverKey, hello.Data[helloClient:helloNumber])
			if err != nil {
				t.Fatal(err)
			}
			random := make([]byte, longNonceSize)
			data = k.seal(random, in, longNonce(welcomeNonce, random))
		}
		initiate, ok := takes(t, client, zmtp.Command{Name: "WELCOME", Data: data})
		switch {
		case ok && (raw || len(in) != KeySize+cookieSize):
			t.Fatalf("accepted % x", data)
		case ok && (initiate.Name != "INITIATE" || !bytes.Equal(initiate.Data[:cookieSize], in[KeySize:])):
			t.Fatalf("answered by %q % x", initiate.Name, initiate.Data)
		case !ok && !raw && len(in) == KeySize+cookieSize:
			if _, err := agree(clientKey, in[:KeySize]); err == nil {
				t.Fatalf("refused % x", in)
			}
		}
	})
}

// FuzzInitiate: the server lets in whom it has seen the key of and nobody else, and gives on the metadata as it came.
func FuzzInitiate(f *testing.F) {
	f.Fuzz(func(t *testing.T, in []byte, number uint64, mode byte) {
		vouched := false
		server, c := forge(t, func(i *initiation, _ *SecretKey, _ PublicKey) {
			i.number = number
			switch mode % 4 {
			case 1: // what a client says of itself
				i.metadata, vouched = in, true
			case 2: // a vouch
				i.vouch = append(in, make([]byte, longNonceSize+vouchSize)...)[:longNonceSize+vouchSize]
			case 3: // a cookie
				i.cookie = append(in, make([]byte, cookieSize)...)[:cookieSize]
			}
		})
		if mode%4 == 0 {
			c.Data = in
		}
		ready, ok := takes(t, server, c)
		if ok != (vouched && number > 1) {
			t.Fatalf("let in: %t, vouched %t, number %d", ok, vouched, number)
		}
		if ok && (ready.Name != "READY" || !bytes.Equal(server.metadata, in)) {
			t.Fatalf("answered by %q, metadata %q", ready.Name, server.metadata)
		}
	})
}

// FuzzReady: a client takes a READY of its server alone, and gives on the metadata as it came.
func FuzzReady(f *testing.F) {
	f.Fuzz(func(t *testing.T, in []byte, number uint64, raw bool) {
		client, _ := upTo(t, "READY")
		data := in
		if !raw {
			data = appendReady(nil, number, in, client.ex.(*clientExchange).shared)
		}
		send, ok := takes(t, client, zmtp.Command{Name: "READY", Data: data})
		if ok == raw || send.Name != "" || ok && !bytes.Equal(client.metadata, in) {
			t.Fatalf("accepted: %t, sent %q, metadata %q", ok, send.Name, client.metadata)
		}
	})
}

// FuzzMessage: either side takes a MESSAGE of the other alone, with a number that rises and flags that are known.
func FuzzMessage(f *testing.F) {
	client, server := connected(f)
	f.Fuzz(func(t *testing.T, in []byte, number uint64, flags byte, byServer, raw bool) {
		from, to := client.out, server
		if byServer {
			from, to = server.out, client
		}
		state := to.in
		defer func() { to.in = state }()
		body := bytes.Clone(in)
		if !raw {
			if number == 0 {
				number = 1
			}
			from.last = number - 1
			body = make([]byte, overhead+len(in))
			from.seal(body, flags, in)
		}
		gotFlags, plain, err := to.Open(0, body)
		good := !raw && number > state.last && flags <= 3
		if good != (err == nil) || err != nil && (!errors.Is(err, zmtp.ErrMalformed) || plain != nil) {
			t.Fatalf("%v, %q", err, plain)
		}
		if good && (!bytes.Equal(plain, in) || gotFlags&zmtp.FlagMore != flags&1 || gotFlags&zmtp.FlagCommand != flags&2<<1) {
			t.Fatalf("flags %d, %q; want %d, %q", gotFlags, plain, flags, in)
		}
	})
}

// FuzzKeyFile: what is read as a key can be written again, and no text makes the reader fail otherwise than with an
// error.
func FuzzKeyFile(f *testing.F) {
	f.Fuzz(func(t *testing.T, text []byte) {
		k, err := parseKeyFile(bytes.NewReader(text))
		if (k == nil) != (err != nil) || err == nil && (k.IsZero() || !bytes.Contains(text, []byte(k.Z85()))) {
			t.Fatalf("%v, %v", k, err)
		}
	})
}

// FuzzZ85: what is taken for a key has one text only.
func FuzzZ85(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		k, err := ParsePublicKey(text)
		if err == nil && k.String() != text || err != nil && (!errors.Is(err, ErrKey) || !k.IsZero()) {
			t.Fatalf("%q became %v, %v", text, k, err)
		}
	})
}
