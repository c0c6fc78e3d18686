package transport

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// TestPeerProcess: each end of a connection within the host learns which process is at the other one, as it was when
// the connection was made; over tcp nobody does.
func TestPeerProcess(t *testing.T) {
	me := Process{os.Getpid(), uint32(os.Geteuid()), uint32(os.Getegid())}
	dir, err := os.MkdirTemp("", "process")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	for _, tt := range []struct {
		name    string
		t       Transport
		address string
		ok      bool
	}{
		{"ipc", NewIPC(), filepath.Join(dir, "s"), true},
		{"abstract", NewIPC(), "@" + t.Name(), true},
		{"inproc", DefaultInproc(), t.Name(), true},
		{"tcp", NewTCP(), "127.0.0.1:*", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, b := pair(t, tt.t, tt.address)
			for _, c := range []net.Conn{a, b} {
				if p, ok := PeerProcess(c); ok != tt.ok || ok && p != me {
					t.Errorf("%+v, %t; want %+v, %t", p, ok, me, tt.ok)
				}
			}
			if s, ok := a.(ByteStreamer); ok {
				if p, ok := PeerProcess(s.ByteStream()); !ok || p != me {
					t.Errorf("as a stream of bytes: %+v, %t", p, ok)
				}
			}
			a.Close()
			if tt.name == "ipc" {
				if p, ok := PeerProcess(a); ok {
					t.Errorf("after Close: %+v", p)
				}
			}
		})
	}
	t.Run("a listener of package net", func(t *testing.T) {
		l, err := new(net.ListenConfig).Listen(t.Context(), "unix", filepath.Join(dir, "n"))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		c, err := new(net.Dialer).DialContext(t.Context(), "unix", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if p, ok := PeerProcess(c); !ok || p != me {
			t.Errorf("%+v, %t", p, ok)
		}
	})
}

// TestPeerProcessOfAnother: the far end is another process, of another user where this one may become one.
func TestPeerProcessOfAnother(t *testing.T) {
	if at := os.Getenv("YODEL_TEST_DIAL"); at != "" { // the other process
		c, err := NewIPC().Dial(t.Context(), at)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = c.Read(make([]byte, 1)) // the end of the test
		return
	}
	dir, err := os.MkdirTemp("", "process")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	l, err := (&IPC{Mode: 0o777}).Listen(t.Context(), "@"+filepath.Base(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	other := exec.Command(os.Args[0], "-test.run=^TestPeerProcessOfAnother$") // it ends with the connection
	other.Env = append(os.Environ(), "YODEL_TEST_DIAL="+l.Address())
	want := Process{0, uint32(os.Geteuid()), uint32(os.Getegid())}
	if os.Geteuid() == 0 {
		want.UID, want.GID = 4711, 4712
		copied := filepath.Join(dir, "test") // where that user can run it
		program, err := os.ReadFile(os.Args[0])
		if err == nil {
			err = os.WriteFile(copied, program, 0o755)
		}
		if err == nil {
			err = os.Chmod(dir, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
		other.Path, other.Dir = copied, "/"
		other.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: want.UID, Gid: want.GID}}
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	want.PID = other.Process.Pid
	if p, ok := PeerProcess(c); !ok || p != want {
		t.Errorf("%+v, %t; want %+v", p, ok, want)
	}
	c.Close()
	if err := other.Wait(); err != nil {
		t.Error(err)
	}
}
