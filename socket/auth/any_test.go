package auth_test

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/auth"
	"github.com/yodel-mq/yodel/transport"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// TestUIDs: who acts for a user on the list comes in, over ipc and inproc, and by no other transport.
func TestUIDs(t *testing.T) {
	me := uint32(os.Geteuid())
	for _, tt := range []struct {
		name string
		uids []uint32
		p    *transport.Process
		err  error
	}{
		{"on the list", []uint32{1, me}, &transport.Process{PID: 7, UID: me, GID: 8}, nil},
		{"without a pid", []uint32{me}, &transport.Process{UID: me}, nil},
		{"another", []uint32{1}, &transport.Process{PID: 7, UID: 2, GID: 1}, auth.ErrUnknown},
		{"an empty list", nil, &transport.Process{}, auth.ErrUnknown},
		{"over tcp", []uint32{0, me}, nil, auth.ErrUnproven},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u, err := ask(t, auth.UIDs(tt.uids...), socket.Claim{Mechanism: "NULL", Process: tt.p})
			if !errors.Is(err, tt.err) || (err != nil) != (tt.err != nil) {
				t.Fatalf("%v, want %v", err, tt.err)
			}
			if err == nil && (u.ID != "uid:"+strconv.Itoa(int(me)) || u.Metadata["uid"] == "" || u.Metadata["gid"] == "" ||
				(u.Metadata["pid"] == "") != (tt.p.PID == 0)) {
				t.Errorf("%+v", u)
			}
		})
	}
	for _, endpoint := range []string{"ipc://*", "inproc://" + t.Name()} {
		pull, at := newServer(t, nil, auth.UIDs(me), endpoint)
		newClient(t, nil, at)
		wantUser(t, pull, "uid:"+strconv.Itoa(int(me)))
		pull, at = newServer(t, nil, auth.UIDs(me+1), strings.Replace(endpoint, t.Name(), "other", 1))
		newClient(t, nil, at)
		wantDenied(t, pull, auth.ErrUnknown)
	}
	pull, at := newServer(t, nil, auth.UIDs(me), "tcp://127.0.0.1:*")
	newClient(t, nil, at)
	wantDenied(t, pull, auth.ErrUnproven)
}

// TestAnyOf: the first that lets in decides; if all refuse, all their reasons stand there, and the peer is told that
// which leaves it most hope.
func TestAnyOf(t *testing.T) {
	errOne, errOther := errors.New("one reason"), errors.New("another")
	says := func(user string, err error) socket.Authenticator {
		return socket.AuthenticatorFunc(func(context.Context, socket.Claim) (socket.User, error) {
			return socket.User{ID: user}, err
		})
	}
	no := func(status int, err error) socket.Authenticator {
		return says("", &zmtp.Denial{Status: status, Err: err})
	}
	never := socket.AuthenticatorFunc(func(context.Context, socket.Claim) (socket.User, error) {
		t.Error("asked in vain")
		return socket.User{}, nil
	})
	for _, tt := range []struct {
		name string
		all  []socket.Authenticator
		user string
		errs []error
		told string // as ERROR; empty for nothing
	}{
		{"the first", []socket.Authenticator{says("ann", nil), never}, "ann", nil, ""},
		{"the second", []socket.Authenticator{says("", errOne), nil, says("bob", nil), never}, "bob", nil, ""},
		{"none of them", []socket.Authenticator{says("", errOne), says("", errOther)}, "", []error{errOne, errOther}, "400"},
		{"one is broken", []socket.Authenticator{no(500, errOne), says("", errOther)}, "", []error{errOne, errOther}, "500"},
		{"one cannot say", []socket.Authenticator{no(500, errOne), no(300, errOther)}, "", []error{errOne, errOther}, ""},
		{"one says so", []socket.Authenticator{no(300, errOne), no(500, errOther)}, "", []error{errOne, errOther}, ""},
		{"no time", []socket.Authenticator{says("", context.DeadlineExceeded)}, "", []error{context.DeadlineExceeded}, ""},
		{"a status of its own", []socket.Authenticator{no(200, errOne)}, "", []error{errOne}, "500"},
		{"nobody to ask", nil, "", []error{auth.ErrUnknown}, "400"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u, err := ask(t, auth.AnyOf(tt.all...), socket.Claim{Mechanism: "NULL"})
			if u.ID != tt.user || (err == nil) != (tt.errs == nil) {
				t.Fatalf("user %q, %v", u.ID, err)
			}
			for _, want := range tt.errs {
				if !errors.Is(err, want) || !strings.Contains(err.Error(), want.Error()) {
					t.Errorf("%v; want %v in it", err, want)
				}
			}
			if err != nil {
				told := strings.TrimPrefix(string(zmtp.Refusal(err).Data), "\x03")
				if told != tt.told {
					t.Errorf("it is told %q, want %q", told, tt.told)
				}
			}
		})
	}
}
