package lan

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A Network is a switch with hosts behind it: 10.77.0.0/24, and link-local IPv6. It is gone at the end of the test.
type Network struct {
	t      testing.TB
	fabric *fabric
	bridge string
	subnet byte // 10.N.0.0/24
	hosts  int
	wired  []*Host
	gate   netip.Addr // the router, if there is one
}

// A fabric is the namespace in which the bridges are.
type fabric struct {
	prefix string
	ns     string
	ports  int
	nets   int
	router *Host
}

var networks atomic.Int64

const namePrefix = "yodel"

// New builds a network without hosts.
func New(t testing.TB) *Network {
	t.Helper()
	Require(t)
	sweep()
	// Names of namespaces belong to the machine: the process and a number keep parallel tests apart.
	prefix := fmt.Sprintf("%s-%d-%d", namePrefix, os.Getpid(), networks.Add(1))
	f := &fabric{prefix: prefix, ns: prefix + "-switch"}
	addNamespace(t, f.ns)
	return f.network(t)
}

func (f *fabric) network(t testing.TB) *Network {
	t.Helper()
	n := &Network{t: t, fabric: f, bridge: fmt.Sprintf("br%d", f.nets), subnet: byte(77 + f.nets)}
	f.nets++
	batch(t, f.ns,
		// Without snooping, group packets go to all ports whether their hosts have told the bridge of their interest
		// or not.
		"link add "+n.bridge+" type bridge mcast_snooping 0",
		"link set "+n.bridge+" up")
	return n
}

// Routed builds another network, 10.78.0.0/24, and a router between it and n. Hosts that n has already, and those
// that come later, have it as their default route. Multicast stays on its side.
func (n *Network) Routed() *Network {
	n.t.Helper()
	f := n.fabric
	other := f.network(n.t)
	r := &Host{t: n.t, net: n, Name: "router", ns: f.prefix + "-router"}
	addNamespace(n.t, r.ns)
	for i, leg := range []*Network{n, other} {
		leg.gate = leg.addr(254)
		leg.plug(r.ns, fmt.Sprintf("eth%d", i), leg.gate, ether(leg.gate))
	}
	r.Do(func() { n.must(os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0)) })
	f.router = r
	for _, h := range n.wired {
		h.route()
	}
	return other
}

// Router returns the router that Routed has made.
func (n *Network) Router() *Host { return n.fabric.router }

func (n *Network) addr(host int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, n.subnet, 0, byte(host)})
}

func (n *Network) must(err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatal(err)
	}
}

// Host adds a host, with eth0 and lo up. On a network without Routed it has no default route, and none for multicast.
func (n *Network) Host() *Host {
	n.t.Helper()
	n.hosts++
	h := &Host{
		t: n.t, net: n, Name: fmt.Sprintf("h%d", n.hosts), Addr: n.addr(n.hosts),
		ns: fmt.Sprintf("%s-%d-%d", n.fabric.prefix, n.subnet, n.hosts),
	}
	addNamespace(n.t, h.ns)
	h.ether = ether(h.Addr)
	h.port = n.plug(h.ns, "eth0", h.Addr, h.ether)
	h.route()
	n.wired = append(n.wired, h)
	return h
}

// Lonely adds a host that has nothing but lo.
func (n *Network) Lonely() *Host {
	n.t.Helper()
	n.hosts++
	h := &Host{
		t: n.t, net: n, Name: fmt.Sprintf("h%d", n.hosts), ns: fmt.Sprintf("%s-%d-%d", n.fabric.prefix, n.subnet, n.hosts),
	}
	addNamespace(n.t, h.ns)
	return h
}

// plug connects a namespace's new device to the switch and returns the name of the port.
func (n *Network) plug(ns, device string, addr netip.Addr, ether string) (port string) {
	n.t.Helper()
	n.fabric.ports++
	port = "p" + strconv.Itoa(n.fabric.ports)
	batch(n.t, n.fabric.ns,
		fmt.Sprintf("link add %s type veth peer name %s address %s netns %s", port, device, ether, ns),
		fmt.Sprintf("link set %s master %s up", port, n.bridge))
	batch(n.t, ns,
		fmt.Sprintf("addr add %s/24 brd + dev %s", addr, device),
		fmt.Sprintf("link set %s up", device))
	n.carrier(ns, device)
	n.carrier(n.fabric.ns, port)
	return port
}

func ether(a netip.Addr) string {
	b := a.As4()
	return net.HardwareAddr{2, 0, b[0], b[1], b[2], b[3]}.String()
}

// carrier waits until a device can carry packets: the kernel lets the two ends know up to a second later.
func (n *Network) carrier(ns, device string) {
	n.t.Helper()
	ready := false
	do(n.t, ns, func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for deadline := time.Now().Add(20 * time.Second); !ready && time.Now().Before(deadline); <-tick.C {
			i, err := net.InterfaceByName(device)
			ready = err == nil && i.Flags&net.FlagRunning != 0
		}
	})
	if !ready {
		n.t.Fatalf("%s in %s has no carrier", device, ns)
	}
}

// addNamespace makes a namespace with lo up, until the end of the test.
func addNamespace(t testing.TB, ns string) {
	t.Helper()
	run(t, "ip", "netns", "add", ns)
	t.Cleanup(func() { remove(ns) })
	batch(t, ns, "link set lo up")
	do(t, ns, func() {
		// Duplicate address detection would keep IPv6 from being used for a second or two.
		for _, which := range []string{"all", "default"} {
			_ = os.WriteFile("/proc/sys/net/ipv6/conf/"+which+"/accept_dad", []byte("0"), 0)
			_ = os.WriteFile("/proc/sys/net/ipv6/conf/"+which+"/dad_transmits", []byte("0"), 0)
		}
	})
}

// remove removes a namespace, and with it the devices in it.
func remove(ns string) { _ = exec.CommandContext(context.Background(), "ip", "netns", "del", ns).Run() }

// sweep removes what processes that were killed have left behind.
func sweep() {
	all, _ := filepath.Glob("/run/netns/" + namePrefix + "-*")
	for _, path := range all {
		ns := filepath.Base(path)
		pid, _, _ := strings.Cut(strings.TrimPrefix(ns, namePrefix+"-"), "-")
		if id, err := strconv.Atoi(pid); err == nil && syscall.Kill(id, 0) == syscall.ESRCH {
			remove(ns)
		}
	}
}

// batch runs commands of ip in a namespace.
func batch(t testing.TB, ns string, commands ...string) {
	t.Helper()
	if err := tryBatch(ns, commands...); err != nil {
		t.Fatal(err)
	}
}

func tryBatch(ns string, commands ...string) error {
	cmd := exec.CommandContext(context.Background(), "ip", "-n", ns, "-batch", "-")
	cmd.Stdin = strings.NewReader(strings.Join(commands, "\n") + "\n")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip -n %s: %s: %w: %s", ns, strings.Join(commands, "; "), err, bytes.TrimSpace(out))
	}
	return nil
}

func run(t testing.TB, name string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
}

// do runs f in a namespace.
func do(t testing.TB, ns string, f func()) {
	t.Helper()
	if err := within(ns, f); err != nil {
		t.Fatal(err)
	}
}

// within runs f on a thread that is in the namespace meanwhile.
func within(ns string, f func()) error {
	target, err := os.Open("/run/netns/" + ns)
	if err != nil {
		return err
	}
	defer func() { _ = target.Close() }()
	failed := make(chan error, 1)
	go func() {
		defer close(failed)
		runtime.LockOSThread()
		home, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			failed <- err
			return
		}
		defer func() { _ = home.Close() }()
		if err := unix.Setns(int(target.Fd()), unix.CLONE_NEWNET); err != nil {
			failed <- fmt.Errorf("setns %s: %w", ns, err)
			return
		}
		f()
		// A thread that cannot return stays locked, and so ends with this goroutine.
		if unix.Setns(int(home.Fd()), unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread()
		}
	}()
	return <-failed
}
