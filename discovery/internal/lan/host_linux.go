package lan

import (
	"context"
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
)

// A Host is a namespace. Its methods may be called by any number of goroutines, but for those that change it.
type Host struct {
	Name string     // h1, h2, ...
	Addr netip.Addr // of eth0; invalid if there is none

	t     testing.TB
	net   *Network
	ns    string
	port  string // of the switch
	ether string // address, which a new device keeps: others would send to the old one for half a minute
}

// Do runs f on this host: sockets that it opens belong there for ever. Goroutines that f starts do not. It fails the
// test if that cannot be done.
func (h *Host) Do(f func()) {
	h.t.Helper()
	do(h.t, h.ns, f)
}

// Try is Do with an error in place of a failed test, for goroutines that may outlive it.
func (h *Host) Try(f func()) error { return within(h.ns, f) }

// Command prepares a program to run on this host. It is killed when ctx ends.
func (h *Host) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", h.ns, name}, args...)...)
}

// route sets the default route, if the network has a router. The kernel drops it when the device goes down.
func (h *Host) route() {
	h.t.Helper()
	if h.net.gate.IsValid() {
		batch(h.t, h.ns, fmt.Sprintf("route replace default via %s", h.net.gate))
	}
}

// Unplug takes the cable out of the switch: the host sees its carrier go.
func (h *Host) Unplug() {
	h.t.Helper()
	batch(h.t, h.net.fabric.ns, "link set "+h.port+" down")
}

// Plug puts it back.
func (h *Host) Plug() {
	h.t.Helper()
	batch(h.t, h.net.fabric.ns, "link set "+h.port+" up")
	h.connected()
}

// Down takes the host's eth0 down.
func (h *Host) Down() {
	h.t.Helper()
	batch(h.t, h.ns, "link set eth0 down")
}

// Up takes it up again.
func (h *Host) Up() {
	h.t.Helper()
	batch(h.t, h.ns, "link set eth0 up")
	h.route()
	h.connected()
}

// connected waits until packets pass.
func (h *Host) connected() {
	h.t.Helper()
	h.net.carrier(h.ns, "eth0")
	h.net.carrier(h.net.fabric.ns, h.port)
}

// Isolate makes the hosts that it was called for blind to each other, while all others see them.
func (h *Host) Isolate(on bool) {
	h.t.Helper()
	word := "off"
	if on {
		word = "on"
	}
	batch(h.t, h.net.fabric.ns, "link set "+h.port+" type bridge_slave isolated "+word)
}

// Readdress gives eth0 another address, the last number of which is given, in place of its IPv4 address.
func (h *Host) Readdress(last int) {
	h.t.Helper()
	old := h.Addr
	h.Addr = h.net.addr(last)
	batch(h.t, h.ns,
		fmt.Sprintf("addr del %s/24 dev eth0", old), // first: it would take others of its network along
		fmt.Sprintf("addr add %s/24 brd + dev eth0", h.Addr))
	h.route()
}

// Recreate removes eth0 and makes a new one with the same name and address.
func (h *Host) Recreate() {
	h.t.Helper()
	h.Remove()
	h.Restore()
}

// Remove removes eth0.
func (h *Host) Remove() {
	h.t.Helper()
	batch(h.t, h.ns, "link del eth0")
}

// Restore makes a new eth0 with the same address, after Remove.
func (h *Host) Restore() {
	h.t.Helper()
	h.port = h.net.plug(h.ns, "eth0", h.Addr, h.ether)
	h.route()
}

// Lose drops that percentage of the UDP packets that come in for the port, at random, at most 99; 0 ends
// it.
func (h *Host) Lose(port, percent int) {
	h.t.Helper()
	rules := "table inet lose {}\ndelete table inet lose\n"
	if percent > 0 {
		rules += fmt.Sprintf("table inet lose { chain in { type filter hook input priority 0; "+
			"udp dport %d numgen random mod 100 < %d drop; }; }\n", port, min(percent, 99))
	}
	cmd := h.Command(h.t.Context(), "nft", "-f", "-")
	feed(h.t, cmd, rules)
}

func feed(t testing.TB, cmd *exec.Cmd, input string) {
	t.Helper()
	cmd.Stdin = strings.NewReader(input)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v: %s\n%s", cmd.Args, err, out, input)
	}
}
