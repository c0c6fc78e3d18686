package patterns

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// What vectors.json says holds for msgpack-python too, which reads it by a program of its own.
func TestVectorsInPython(t *testing.T) {
	var errs []string
	for _, python := range []string{"/usr/bin/python3", "python3"} { // Debian's package belongs to the first
		if out, err := exec.Command(python, "-c", "import msgpack").CombinedOutput(); err != nil {
			errs = append(errs, python+": "+err.Error()+": "+string(out))
			continue
		}
		in, err := os.Open("vectors.json")
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		cmd := exec.Command(python, "testdata/vectors.py")
		cmd.Stdin = in
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), " checks with msgpack-python ") {
			t.Errorf("%v: %s", err, out)
		}
		t.Logf("%s", out)
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("msgpack-python is missing; install python3-msgpack: %s", strings.Join(errs, "; "))
	}
	t.Skipf("msgpack-python is missing; install python3-msgpack to run this test: %s", strings.Join(errs, "; "))
}
