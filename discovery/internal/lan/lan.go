// Package lan builds local networks out of network namespaces on one machine, for tests: hosts behind a switch, a
// second network behind a router, and what goes wrong with them. Nothing touches the machine's own network.
//
// It takes Linux, root, and the programs ip and nft. Where these are missing, tests are skipped, except where CI is
// true in the environment: there they fail.
package lan

import (
	"os"
	"os/exec"
	"runtime"
	"testing"
)

// Require skips the test, unless CI is true, and fails it there, if no network can be built here or one of the
// programs is missing.
func Require(t testing.TB, programs ...string) {
	t.Helper()
	lack := ""
	switch {
	case os.Getenv("CI") != "true":
		t.Skip("NOT TESTED: networks of namespaces take a minute; set CI=true to test on them, or run bash .ci/run lan")
	case runtime.GOOS != "linux":
		lack = "Linux"
	case os.Getuid() != 0:
		lack = "root"
	}
	for _, p := range append([]string{"ip", "nft"}, programs...) {
		if _, err := exec.LookPath(p); err != nil && lack == "" {
			lack = "the program " + p
		}
	}
	missing(t, lack)
}

// RequireUnshare is Require for tests that run without privileges in namespaces of their own.
func RequireUnshare(t testing.TB) {
	t.Helper()
	lack := ""
	if runtime.GOOS != "linux" {
		lack = "Linux"
	} else if out, err := exec.CommandContext(t.Context(), "unshare", "-rn", "ip", "link", "set", "lo",
		"up").CombinedOutput(); err != nil {
		lack = "unshare -rn: " + string(out)
	}
	missing(t, lack)
}

// missing is the one place where a test of discovery is skipped.
func missing(t testing.TB, lack string) {
	t.Helper()
	switch {
	case lack == "":
	case os.Getenv("CI") == "true":
		t.Fatalf("this needs %s, which must be there where CI is true", lack)
	default:
		t.Skipf(
			"NOT TESTED: this needs %s; on Debian: sudo apt-get install iproute2 nftables util-linux, and run the tests as root",
			lack)
	}
}
