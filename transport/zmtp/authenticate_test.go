package zmtp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
)

// TestNullAuthenticates: with NULL an authenticator is asked before READY goes out and before anything has come, for
// the peer may be one that waits for READY; and a peer that is refused is told so in its place.
func TestNullAuthenticates(t *testing.T) {
	ready := AppendCommand(nil, CommandReady, AppendMetadata(nil, Metadata{
		{PropertySocketType, []byte("ROUTER")}, {PropertyIdentity, nil},
	}))
	for _, tt := range []struct {
		name string
		err  error
		in   []byte // behind the greeting
		out  []byte
		want error
	}{
		{"let in", nil, readyDealer, ready, nil},
		{"let in, another type", nil, wire("04 06 05 'READY'"), ready, ErrSocketType},
		{"refused", errBadPassword, nil, wire("04 0A 05 'ERROR' 03 '400'"), errBadPassword},
		{"a broken authenticator", &Denial{StatusFailed, errAny}, nil, wire("04 0A 05 'ERROR' 03 '500'"), errAny},
		{"not now", &Denial{StatusTemporary, errAny}, nil, nil, errAny},
	} {
		t.Run(tt.name, func(t *testing.T) {
			asked := 0
			c := &script{in: bytes.NewReader(join(greetingNull, tt.in))}
			s, err := Handshake(t.Context(), c, Config{
				SocketType: Router,
				Authenticate: func(_ context.Context, c Claim) (User, error) {
					if asked++; c.Mechanism != "NULL" || len(c.Credentials) > 0 || c.Peer != nil {
						return User{}, fmt.Errorf("an unexpected claim: %+v", c)
					}
					return User{ID: "ann"}, tt.err
				},
			})
			wantError(t, err, tt.want)
			wantBytes(t, c.out[GreetingSize:], tt.out)
			if asked != 1 || err == nil && s.User.ID != "ann" {
				t.Errorf("asked %d times; %+v", asked, s)
			}
			if tt.err != nil && !errors.Is(err, ErrDenied) {
				t.Errorf("%v is not ErrDenied", err)
			}
		})
	}
}

// TestConfirm: whoever has proven to be somebody may be refused for what it says of itself, whichever of the two a
// mechanism comes to know first.
func TestConfirm(t *testing.T) {
	confirm := func(s *Session) error {
		if s.User.ID != string(s.Identity) {
			return fmt.Errorf("%w: %s as %s", errAny, s.User.ID, s.Identity)
		}
		return nil
	}
	somebody := func(context.Context, Claim) (User, error) { return User{ID: "somebody"}, nil }
	for _, tt := range []struct {
		name           string
		client, server Mechanism
		told           error
	}{
		{"NULL", Null, Null, nil}, // which may have our READY by then
		{"PLAIN", PlainClient("ann", "sesame"), PlainServer(), ErrRefused},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client := Config{SocketType: Dealer, Mechanism: tt.client, Identity: []byte("somebody")}
			server := Config{SocketType: Router, Mechanism: tt.server, Authenticate: somebody, Confirm: confirm}
			_, b := both(t, client, server)
			wantError(t, b.err, nil)
			client.Identity = []byte("somebody else")
			a, b := both(t, client, server)
			wantError(t, b.err, errAny)
			wantError(t, b.err, ErrDenied)
			if tt.told != nil || !errors.Is(a.err, io.ErrUnexpectedEOF) && !errors.Is(a.err, io.ErrClosedPipe) {
				wantError(t, a.err, tt.told)
			}
		})
	}
}

// TestNoStandoff: one end that asks an authenticator and one that looks at its peer before it shows itself do not wait
// for each other.
func TestNoStandoff(t *testing.T) {
	for name, way := range map[string]func(*testing.T, Config, Config) (a, b result){
		"pipe": both, "tcp": overTCP, "no bytes": overConduit,
	} {
		t.Run(name, func(t *testing.T) {
			a, b := way(t,
				Config{SocketType: Dealer, Admit: func(s *Session) error {
					if s.PeerType != Router {
						return errAny
					}
					return nil
				}},
				Config{SocketType: Router, Authenticate: func(context.Context, Claim) (User, error) {
					return User{ID: "ann"}, nil
				}})
			wantError(t, a.err, nil)
			wantError(t, b.err, nil)
			if b.s.User.ID != "ann" || string(b.s.PeerType) != "DEALER" {
				t.Errorf("%+v", b.s)
			}
		})
	}
}
