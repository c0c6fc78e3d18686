package sockettest_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/sockettest"
	"github.com/yodel-mq/yodel/transport/simnet"
	"github.com/yodel-mq/yodel/transport/zmtp"
	"github.com/yodel-mq/yodel/transport/zmtp/curve"
)

// TestYodelWithCurve is TestYodel with every message encrypted: nothing that the suite can see is different, whether
// who binds is the server of CURVE or who connects.
func TestYodelWithCurve(t *testing.T) {
	t.Parallel()
	key, mine := curve.GenerateKey(), curve.GenerateKey()
	var server, client zmtp.Mechanism = curve.Server(key, curve.Allow(mine.Public())), curve.Client(mine, key.Public())
	for _, roles := range []struct {
		name           string
		binds, connect zmtp.Mechanism
	}{{"who binds is the server", server, client}, {"who connects is the server", client, server}} {
		run := func(name string, f sockettest.Factory, more ...socket.Option) {
			t.Run(roles.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				f.Local = sockettest.YodelWith(
					[]socket.EndpointOption{socket.SecuredBy(roles.connect)},
					append(more, socket.WithSecurity(roles.binds))...,
				)
				f.Remote = f.Local
				f.Lacks = map[sockettest.Capability]string{
					sockettest.RawPeers:    "a raw peer has no key",
					sockettest.ExactQueues: "the kernel, or the network, has buffers",
				}
				sockettest.Run(t, f)
			})
		}
		run("tcp", sockettest.Factory{Endpoint: tcp, Dial: dial})
		if roles.connect == server { // once is enough, for who dials is over by then
			continue
		}
		run("ipc", sockettest.Factory{Endpoint: ipc, Dial: dial})
		run("inproc", sockettest.Factory{Endpoint: inproc})
		sim := simnet.New(simnet.Config{Latency: 50 * time.Microsecond, Jitter: 50 * time.Microsecond, Seed: 3})
		run("simnet", sockettest.Factory{
			Endpoint: func(testing.TB) string { return fmt.Sprintf("sim://curve-%d:0", endpoints.Add(1)) },
			Dial: func(ctx context.Context, endpoint string) (net.Conn, error) {
				return sim.Dial(ctx, strings.TrimPrefix(endpoint, "sim://"))
			},
		}, socket.WithTransport(sim))
	}
}
