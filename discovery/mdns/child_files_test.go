package mdns

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/yodel-mq/yodel/discovery"
	mq "github.com/yodel-mq/yodel/socket"
)

// filesMessages is how many messages are sent to who is found.
const filesMessages = 3

// childFiles offers a socket bound at a path in the directory that arg names, and at the endpoints after it. It then
// has another process, in a mount namespace of its own for which it runs the script of that name, look for the
// service, and says what arrived.
func childFiles(ctx context.Context, arg string) error {
	words := strings.Fields(arg) // script, directory, endpoints
	pull := mq.NewPull()
	defer pull.Close()
	for _, e := range append(words[2:], "ipc://"+filepath.Join(words[1], "s")) {
		if _, err := pull.Bind(ctx, e); err != nil {
			return err
		}
	}
	group := uniqueGroup()
	node := discovery.NewNode(New(), discovery.WithGroup(group))
	if err := node.Announce(ctx, service, pull); err != nil {
		return err
	}
	script := map[string]string{"other": `mount -t tmpfs none "$1" && exec "$0"`, "same": `exec "$0"`}[words[0]]
	cmd := exec.CommandContext(ctx, "unshare", "-m", "sh", "-c", script, os.Args[0], words[1])
	cmd.Env = append(os.Environ(), childEnv+"=finder "+words[0]+" "+words[1]+" "+group)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	wait := patience
	if strings.Contains(string(out), "wrong node: true") {
		wait = aMoment // nothing is to come
	}
	fmt.Printf("%sannounced: %d\n", out, received(ctx, pull, wait))
	return node.Shutdown(ctx)
}

// childFinder sends to whom it finds. Where it sees other files it is itself bound at the path that is announced.
func childFinder(ctx context.Context, arg string) error {
	words := strings.Fields(arg) // script, directory, group
	stranger, push := mq.NewPull(), mq.NewPush()
	defer stranger.Close()
	defer push.Close()
	if words[0] == "other" {
		if _, err := stranger.Bind(ctx, "ipc://"+filepath.Join(words[1], "s")); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	node := discovery.NewNode(New(), discovery.WithGroup(words[2]))
	err := node.Connect(service, push, discovery.WithPolicy(discovery.Policy{OnChange: func(c discovery.Change) {
		if errors.Is(c.Err, discovery.ErrWrongNode) {
			cancel(c.Err)
		}
	}}))
	if err != nil {
		return err
	}
	if err := push.WaitPeers(ctx, 1); err == nil {
		for range filesMessages {
			if err := push.Send(ctx, mq.Text("for who was announced")); err != nil {
				return err
			}
		}
		if err := push.Shutdown(ctx); err != nil {
			return err
		}
	}
	wrong := errors.Is(context.Cause(ctx), discovery.ErrWrongNode)
	fmt.Printf("wrong node: %t\nstranger: %d\n", wrong, received(ctx, stranger, aMoment))
	return node.Shutdown(context.WithoutCancel(ctx))
}

const aMoment = 200 * time.Millisecond

// received counts what has arrived, and waits for more unless that is all.
func received(ctx context.Context, pull *mq.Pull, wait time.Duration) (n int) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), wait)
	defer cancel()
	for n < filesMessages {
		if _, err := pull.Recv(ctx); err != nil {
			break
		}
		n++
	}
	return n
}
