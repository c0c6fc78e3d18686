package auth

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/yodel-mq/yodel/socket"
)

// UIDs lets in processes that act for one of the given users of the operating system, whatever the mechanism: over ipc,
// where the system can tell (Linux), and over inproc, where it is this process. Nobody comes in over another transport.
// The user is called "uid:1000", and [socket.Peer].Proven has uid, gid and pid, where it is known, in decimal.
//
// The uid is the effective one that the process had when it connected; it may have passed the connection on since.
func UIDs(uids ...uint32) socket.Authenticator {
	uids = slices.Clone(uids)
	return socket.AuthenticatorFunc(func(_ context.Context, c socket.Claim) (socket.User, error) {
		p := c.Process
		switch {
		case p == nil:
			return socket.User{}, fmt.Errorf("auth: %s: %w, a process on this host", c.Endpoint, ErrUnproven)
		case !slices.Contains(uids, p.UID):
			return socket.User{}, fmt.Errorf("auth: process %d of uid %d: %w", p.PID, p.UID, ErrUnknown)
		}
		uid, gid := decimal(p.UID), decimal(p.GID)
		u := socket.User{ID: "uid:" + uid, Metadata: map[string]string{"uid": uid, "gid": gid}}
		if p.PID > 0 {
			u.Metadata["pid"] = strconv.Itoa(p.PID)
		}
		return u, nil
	})
}

func decimal(n uint32) string { return strconv.FormatUint(uint64(n), 10) }
