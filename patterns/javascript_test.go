package patterns

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// What vectors.json says holds for @msgpack/msgpack too. Node finds it by NODE_PATH, which .ci/run sets.
func TestVectorsInJavaScript(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "node", "-e", `require("@msgpack/msgpack")`).CombinedOutput()
	if err != nil && os.Getenv("CI") != "" {
		t.Fatalf("node with @msgpack/msgpack is missing; `bash .ci/run machine` installs it: %v: %s", err, out)
	}
	if err != nil {
		t.Skipf("npm install @msgpack/msgpack, and set NODE_PATH to the node_modules, to run this test: %v", err)
	}
	in, err := os.Open("vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	cmd := exec.CommandContext(t.Context(), "node", "testdata/vectors.js")
	cmd.Stdin = in
	out, err = cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), " checks with @msgpack/msgpack") {
		t.Errorf("%v: %s", err, out)
	}
	t.Logf("%s", out)
}
