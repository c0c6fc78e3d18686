//go:build unix

package interop

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/internal/pyzmq"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// jeroMQ is what these tests are written for: what they say of JeroMQ, they say of this version. It has no ipc between
// processes of its own and others, as that is tcp to a port made of the path's hash, so that all of this is over tcp.
const jeroMQ = "jeromq-0.6.0"

// jeroMQProcess is one Java process for all tests, as starting one takes long.
var jeroMQProcess struct {
	once sync.Once
	p    *pyzmq.Process
	err  error
}

// jeroPeer returns the process with JeroMQ, which the first test starts. Its servers of PLAIN and CURVE ask an
// authenticator that knows ann and clientKey. Its folder, YODEL_JEROMQ, has JeroMQ's jar and the one that needs; where
// it is not set the test is skipped, but not in CI.
func jeroPeer(t *testing.T) *peer {
	t.Helper()
	jars := os.Getenv("YODEL_JEROMQ")
	if jars == "" && os.Getenv("CI") != "" {
		t.Fatal("YODEL_JEROMQ is not set; `bash .ci/run machine` fetches what it should name")
	}
	if jars == "" {
		t.Skip("set YODEL_JEROMQ to a folder with JeroMQ's jars, as `bash .ci/run machine` does, to run this test")
	}
	jeroMQProcess.once.Do(func() {
		// One compiler, the quick one, and one thread that collects garbage: the process lives for seconds.
		args := []string{"-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", filepath.Join(jars, "*"), "testdata/Peer.java"}
		p, version, err := pyzmq.Run("JeroMQ", exec.Command("java", args...))
		if jeroMQProcess.err = err; err != nil {
			return
		}
		jeroMQProcess.p = p
		if !strings.Contains(version, jeroMQ+".") {
			jeroMQProcess.err = fmt.Errorf("it is not %s but %s", jeroMQ, version)
			return
		}
		clients := clientKey.Public()
		_, jeroMQProcess.err = pending{p.Send("authenticate", 0, map[string]any{
			"users": map[string]any{"ann": "sesame"}, "keys": [][]byte{clients[:]},
			"statuses": map[string]any{"broken": "500", "later": "300"},
		})}.result()
	})
	if jeroMQProcess.err != nil {
		t.Fatal(jeroMQProcess.err)
	}
	return &peer{jeroMQProcess.p}
}

// stopJeroMQ ends the process, if there is one.
func stopJeroMQ() {
	if jeroMQProcess.p != nil {
		jeroMQProcess.p.Stop()
	}
}

// A jeroLink is how a socket of ours and one of JeroMQ trust each other.
type jeroLink struct {
	name string
	ours []socket.Option
	jero opts
}

// jeroLinks are all ways, with each side as the server, which has nothing to do with who binds.
func jeroLinks() []jeroLink {
	curveServer, curveClient := curveEnds(true)
	curveClientOfJeroMQ, jeroMQAsCurveServer := curveEnds(false)
	links := []jeroLink{
		{"NULL", nil, nil},
		{"PLAIN/yodel-serves", plainServing(), plainClient("ann", "sesame")},
		{
			"PLAIN/jeromq-serves",
			[]socket.Option{socket.WithSecurity(zmtp.PlainClient("ann", "sesame"))},
			opts{"PLAIN_SERVER": 1},
		},
		{"CURVE/yodel-serves", []socket.Option{curveServer}, curveClient},
		{"CURVE/jeromq-serves", []socket.Option{curveClientOfJeroMQ}, jeroMQAsCurveServer},
	}
	for i := range links {
		links[i].ours = append(links[i].ours, unhurried)
	}
	return links
}

// unhurried bears with a Java process that hardly gets to run.
var unhurried = socket.WithHandshakeTimeout(time.Minute)

// plainServing makes a socket of ours a server of PLAIN that lets ann in.
func plainServing() []socket.Option {
	return []socket.Option{
		socket.WithSecurity(zmtp.PlainServer()),
		socket.WithAuthenticator(socket.AuthenticatorFunc(func(_ context.Context, c socket.Claim) (socket.User, error) {
			if string(c.Credentials[0]) == "ann" && string(c.Credentials[1]) == "sesame" {
				return socket.User{ID: "ann"}, nil
			}
			return socket.User{}, errors.New("not ann")
		})),
	}
}

// with adds to our options of a link, and with to JeroMQ's those of o.
func (l jeroLink) with(o opts, ours ...socket.Option) jeroLink {
	all := opts{}
	for _, some := range []opts{l.jero, o} {
		maps.Copy(all, some)
	}
	return jeroLink{l.name, append(append([]socket.Option{}, l.ours...), ours...), all}
}

// eachJeroLink runs a test over each of them.
func eachJeroLink(t *testing.T, test func(t *testing.T, l jeroLink)) {
	for _, l := range jeroLinks() {
		t.Run(l.name, func(t *testing.T) { test(t, l) })
	}
}
