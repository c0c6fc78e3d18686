package mdns

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/discovery"
	"github.com/yodel-mq/yodel/discovery/internal/lan"
)

const busConfig = `<busconfig>
<type>system</type><listen>unix:path=%s</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_type="method_call"/><allow send_type="signal"/>
<allow send_requested_reply="true" send_type="method_return"/><allow send_requested_reply="true" send_type="error"/>
<allow receive_type="method_call"/><allow receive_type="method_return"/>
<allow receive_type="error"/><allow receive_type="signal"/>
</policy></busconfig>
`

const avahiConfig = `[server]
host-name=%s
use-ipv4=yes
use-ipv6=yes
[publish]
publish-hinfo=no
publish-workstation=no
`

// An avahi is the daemon on one host, with a message bus of its own.
type avahi struct {
	t    *testing.T
	host *lan.Host
	bus  string
}

// startAvahi starts them and waits until they are ready.
func startAvahi(t *testing.T, h *lan.Host) *avahi {
	t.Helper()
	lan.Require(t, "avahi-daemon", "avahi-browse", "avahi-publish", "dbus-daemon")
	dir, err := os.MkdirTemp("", "y") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	a := &avahi{t: t, host: h, bus: filepath.Join(dir, "bus")}
	for name, text := range map[string]string{
		"bus.conf": fmt.Sprintf(busConfig, a.bus), "avahi.conf": fmt.Sprintf(avahiConfig, h.Name),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	bus := a.command("dbus-daemon", "--config-file="+filepath.Join(dir, "bus.conf"), "--nofork", "--nopidfile",
		"--print-address=1")
	a.start(bus, true).wait("unix:")
	// Its files in /run have fixed names. A command on a host has mounts of its own.
	daemon := a.command("sh", "-c",
		`mount -t tmpfs tmpfs /run && exec avahi-daemon --no-drop-root --no-chroot --no-rlimits -f "$0"`,
		filepath.Join(dir, "avahi.conf"))
	a.start(daemon, false).wait("startup complete")
	return a
}

func (a *avahi) command(name string, args ...string) *exec.Cmd {
	cmd := a.host.Command(a.t.Context(), name, args...)
	cmd.Env = append(os.Environ(), "DBUS_SYSTEM_BUS_ADDRESS=unix:path="+a.bus, "LC_ALL=C")
	return cmd
}

// output is what a program that runs has said so far.
type output struct {
	t    *testing.T
	name string
	cmd  *exec.Cmd

	mu    sync.Mutex
	lines []string
	more  chan struct{} // closed and replaced with each line
	ended bool
}

// start runs a program until the end of the test, and reads its standard output, or else its standard error.
func (a *avahi) start(cmd *exec.Cmd, stdout bool) *output {
	a.t.Helper()
	pipe, err := cmd.StderrPipe()
	if stdout {
		cmd.Stderr = nil
		pipe, err = cmd.StdoutPipe()
	}
	if err != nil {
		a.t.Fatal(err)
	}
	o := &output{t: a.t, name: cmd.String(), cmd: cmd, more: make(chan struct{})}
	if err := cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for s := bufio.NewScanner(pipe); s.Scan(); {
			o.add(s.Text(), false)
		}
		o.add("(ended)", true)
	}()
	a.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-done
		_ = cmd.Wait()
	})
	return o
}

func (o *output) add(line string, ended bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lines, o.ended = append(o.lines, line), ended
	close(o.more)
	o.more = make(chan struct{})
}

// wait waits for a line with all these parts.
func (o *output) wait(parts ...string) string {
	o.t.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		o.mu.Lock()
		lines, more, ended := o.lines, o.more, o.ended
		o.mu.Unlock()
		for _, line := range lines {
			if hasAll(line, parts) {
				return line
			}
		}
		if ended {
			o.t.Fatalf("%s has ended without %q: %s", o.name, parts, strings.Join(lines, "\n"))
		}
		select {
		case <-more:
		case <-timeout.C:
			o.t.Fatalf("%s: no %q in: %s", o.name, parts, strings.Join(lines, "\n"))
		}
	}
}

func hasAll(line string, parts []string) bool {
	for _, p := range parts {
		if !strings.Contains(line, p) {
			return false
		}
	}
	return true
}

// Avahi sees our nodes and their goodbye, on another host and on the same, whoever was there first.
func TestAvahiSeesUs(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"other host", "same host"} {
		t.Run(where, func(t *testing.T) {
			n := lan.New(t)
			a, b := n.Host(), n.Host()
			daemon := b
			if where == "same host" {
				daemon = a
			}
			early, late := lanNode(a), lanNode(a)
			ann := announce(t, atHost(a), early)
			d := startAvahi(t, daemon)
			browse := d.start(d.command("avahi-browse", "-rpk", "_yodel._tcp"), true)
			began := time.Now()
			browse.wait("=", "IPv4", early.ID.String())
			t.Logf("found one that was there after %v", time.Since(began))
			began = time.Now()
			second := announce(t, atHost(a), late)
			line := browse.wait("=", "IPv4", late.ID.String())
			t.Logf("found one that came after %v: %s", time.Since(began), line)
			if !hasAll(line, []string{a.Addr.String(), ";5555;", `"id=` + late.ID.String(), `"s0=orders,PUB,t5555"`}) {
				t.Errorf("resolved as %s", line)
			}
			began = time.Now()
			bye(t, ann)
			browse.wait("-", "IPv4", early.ID.String())
			t.Logf("gone after %v", time.Since(began))
			bye(t, second)
			browse.wait("-", "IPv4", late.ID.String())
		})
	}
}

// We see what Avahi publishes for us and its goodbye, from another host and from the same, whoever was there first.
func TestWeSeeAvahi(t *testing.T) {
	t.Parallel()
	n := lan.New(t)
	a, b := n.Host(), n.Host()
	d := startAvahi(t, b)
	for name, h := range map[string]*lan.Host{"other host": a, "same host": b} {
		t.Run(name, func(t *testing.T) {
			d.t = t
			r := lanNode(b)
			txt, err := r.TXT()
			if err != nil {
				t.Fatal(err)
			}
			early := watch(t, atHost(h), discovery.Query{})
			early.untilKind(discovery.Synced, patience)
			publish := d.start(
				d.command("avahi-publish", append([]string{"-s", "Orders, v1.0 of " + name, "_yodel._tcp", "5555"}, txt...)...),
				false)
			publish.wait("Established")
			early.until("found", patience, one)
			got := early.get(r.ID)
			if len(got.Services) != 1 || got.Services[0].Endpoints[0] != "tcp://*:5555" || len(got.From) == 0 {
				t.Errorf("found %+v", got)
			}
			late := watch(t, atHost(h), discovery.Query{})
			late.until("found", patience, one)
			if err := publish.cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			took := early.until("gone", patience, none)
			t.Logf("gone %v after it was killed", took)
			late.until("gone", patience, none)
			early.close()
			late.close()
		})
	}
}
