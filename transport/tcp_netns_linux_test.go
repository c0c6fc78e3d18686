package transport

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// noLoopbackEnv makes the test binary a child process in a network namespace of its own.
const noLoopbackEnv = "YODEL_TEST_NO_LOOPBACK"

func init() { children[noLoopbackEnv] = childWithoutLoopback }

// childWithoutLoopback binds every address where the loopback interface has no IPv4 address, and connects to what
// Address says and to [::1].
func childWithoutLoopback(string) int {
	if err := loopbackWithoutIPv4(); err != nil {
		fmt.Println("unavailable:", err)
		return 0
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	tr := NewTCP()
	for _, bind := range []string{"*:0", ":0", "[::]:0", "[*]:*"} {
		l, err := tr.Listen(ctx, bind)
		if err != nil {
			fmt.Println(err)
			return 1
		}
		_, port, _ := net.SplitHostPort(l.Address())
		for _, to := range []string{l.Address(), "[::1]:" + port} {
			c, err := tr.Dial(ctx, to)
			if err != nil {
				fmt.Println(bind, "is told as", l.Address(), err)
				return 1
			}
			c.Close()
		}
		l.Close()
	}
	fmt.Println("good")
	return 0
}

// loopbackWithoutIPv4 sets lo up, which gives it ::1 and 127.0.0.1, and takes the latter away.
func loopbackWithoutIPv4() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_LOOPBACK | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo); err != nil {
		return err
	}
	if err := lo.SetInet4Addr([]byte{0, 0, 0, 0}); err != nil {
		return err
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFADDR, lo); err != nil {
		return err
	}
	if here := hostAddrs(); len(here) != 1 || here[0].String() != "::1" {
		return fmt.Errorf("the namespace has %v", here)
	}
	return nil
}

func TestTCPEveryAddressWithoutIPv4Loopback(t *testing.T) {
	needIPv6(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), noLoopbackEnv+"=1", "GORACE=atexit_sleep_ms=0")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if uid := os.Getuid(); uid != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	said := strings.TrimSpace(string(out))
	if len(out) == 0 && err != nil || strings.HasPrefix(said, "unavailable") {
		unavailable(t, fmt.Sprint("no network namespace of our own: ", err, said))
	}
	if err != nil || said != "good" {
		t.Errorf("%v: %s", err, said)
	}
}
