package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/discovery"
	"github.com/yodel-mq/yodel/discovery/mdns"
)

// ownGroup is one that no other run of a test on this network is in.
func ownGroup() string { return "test-" + discovery.NewID().String() }

func TestFind(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name            string
		announcer, peer string // who has the input is called with in, who prints with out
		want            string
	}{
		{"pull announces", "pull --announce svc --count 2 OUT", "push --find svc IN", "a\nb\n"},
		{"push announces", "push --announce svc IN", "pull --find svc --count 2 OUT", "a\nb\n"},
		{"sub announces", "sub --announce svc --count 2 OUT", "pub --find svc IN", "a\nb\n"},
		{"pub announces", "pub --announce svc IN", "sub --find svc --count 2 OUT", "a\nb\n"},
		{"rep announces", "rep --announce svc --count 2 --exec tr~a-z~A-Z", "req --find svc IN OUT", "A\nB\n"},
		{"req announces", "req --announce svc IN OUT", "rep --find svc --count 2", "a\nb\n"},
		{"bound by hand", "pull --announce svc --bind tcp://127.0.0.1:0 --count 2 OUT", "push --find svc IN", "a\nb\n"},
		{"several names", "pull --announce other --announce svc --count 2 OUT", "push --find svc --find nobody IN", "a\nb\n"},
	} {
		for _, order := range []string{"announce first", "find first"} {
			t.Run(tc.name+", "+order, func(t *testing.T) {
				group := ownGroup()
				var tools []*tool
				var out *tool
				begin := func(command string) {
					input, args := "", []string{}
					for arg := range strings.FieldsSeq(command) {
						switch arg {
						case "IN":
							input = "a\nb\n"
						case "OUT":
						default:
							args = append(args, strings.ReplaceAll(arg, "~", " "))
						}
					}
					p := startInput(t, input, append(args, "--interface", loopback(t), "--group", group)...)
					tools = append(tools, p)
					if strings.HasSuffix(command, "OUT") {
						out = p
					}
				}
				if order == "announce first" {
					begin(tc.announcer)
					tools[0].says("announced as svc in group " + group)
					begin(tc.peer)
				} else {
					begin(tc.peer)
					begin(tc.announcer)
				}
				for _, p := range tools {
					p.exit(0)
				}
				out.prints(tc.want)
			})
		}
	}
}

// TestComeAndGo: peers are connected as they come, by ipc on the same host, and are let go when they say goodbye.
func TestComeAndGo(t *testing.T) {
	group := ownGroup()
	pull := start(t, "pull", "--find", "svc", "--interface", loopback(t), "--group", group)
	for n, line := range []string{"a\n", "b\n"} {
		push := start(t, "push", "--announce", "svc", "--interface", loopback(t), "--group", group)
		pull.stderr.waitFor(t, func(s string) bool { return strings.Count(s, "svc: connected to ipc://") == n+1 })
		push.types(line)
		pull.prints("a\nb\n"[:2*n+2])
		push.stop()
		push.exit(0)
		pull.stderr.waitFor(t, func(s string) bool { return strings.Count(s, "svc: a peer has left") == n+1 })
	}
	pull.stop()
	pull.exit(0)
}

// TestAnnounceWithoutIPC: where there can be no ipc endpoint, tcp is enough.
func TestAnnounceWithoutIPC(t *testing.T) {
	t.Setenv("TMPDIR", "/no/such/directory")
	t.Setenv("TMP", `Z:\no\such\directory`)
	group := ownGroup()
	pull := startInput(t, "", "pull", "--announce", "svc", "--interface", loopback(t), "--group", group, "--count", "1")
	startInput(t, "a\n", "push", "--find", "svc", "--interface", loopback(t), "--group", group).exit(0)
	pull.exit(0)
	pull.prints("a\n")
	if n := strings.Count(pull.stderr.String(), "listening on"); n != 1 {
		t.Errorf("stderr %q", pull.stderr)
	}
}

func TestGroupsApart(t *testing.T) {
	t.Parallel()
	pull := start(t, "pull", "--announce", "svc", "--interface", loopback(t), "--group", ownGroup())
	pull.says("announced as svc")
	push := startInput(t, "a\n", "push", "--find", "svc", "--interface", loopback(t), "--group", ownGroup(), "--timeout",
		"700ms")
	push.exit(3)
}

// TestServicesApart: nor are other services of the group taken, or sockets that cannot talk with this one.
func TestServicesApart(t *testing.T) {
	t.Parallel()
	group := ownGroup()
	for _, args := range []string{"pull --announce other", "rep --announce svc"} {
		start(t, append(strings.Fields(args), "--interface", loopback(t), "--group", group)...).says("announced as")
	}
	startInput(t, "a\n", "push", "--find", "svc", "--interface", loopback(t), "--group", group, "--timeout", "700ms").exit(
		3)
}

func TestTrouble(t *testing.T) {
	for _, tc := range []struct {
		name string
		err  error
		want string
	}{
		{"port", fmt.Errorf("%w on eth0: in use", mdns.ErrPort), "on eth0: in use; stop the program"},
		{"interface", mdns.ErrNoInterface, "ip link set lo up"},
		{"else", errors.New("on fire"), "on fire\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var said bytes.Buffer
			a := &app{con: &console{w: &said, quiet: true}}
			a.trouble(tc.err)
			if !strings.Contains(said.String(), tc.want) {
				t.Errorf("%q lacks %q", said.String(), tc.want)
			}
		})
	}
}

// loopback is the name of the interface that leads nowhere but here: tests are not to be heard on a real network.
func loopback(t *testing.T) string {
	t.Helper()
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range all {
		if i.Flags&net.FlagLoopback != 0 {
			return i.Name
		}
	}
	t.Fatal("no loopback interface")
	return ""
}
