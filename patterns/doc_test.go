package patterns

import (
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// The package stays as small as it was designed: go doc -short prints no more lines.
func TestGoDocIsShort(t *testing.T) {
	const most = 27
	out, err := exec.Command("go", "doc", "-short", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if n := strings.Count(string(out), "\n"); n > most || n < most/2 {
		t.Errorf("%d lines, at most %d:\n%s", n, most, out)
	}
}

// WIRE.md has each key of a head, each kind and each code.
func TestWirePageNamesWhatThereIs(t *testing.T) {
	page, err := os.ReadFile("WIRE.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("head_parse.go")
	if err != nil {
		t.Fatal(err)
	}
	keys := regexp.MustCompile(`case '([a-z])':`).FindAllStringSubmatch(string(source), -1)
	if len(keys) != 19 {
		t.Errorf("%d keys were found", len(keys))
	}
	for _, key := range keys {
		if !strings.Contains(string(page), "\n| `"+key[1]+"` |") {
			t.Errorf("the key %s has no line", key[1])
		}
	}
	for k, name := range kindNames {
		line := regexp.MustCompile(`(?m)^\| ` + strconv.Itoa(k) + ` \| ` + name + ` \|`)
		if !line.Match(page) {
			t.Errorf("kind %d, %s, has no line", k, name)
		}
	}
	source, err = os.ReadFile("errors.go")
	if err != nil {
		t.Fatal(err)
	}
	codes := regexp.MustCompile(`Code = "(\w+)"`).FindAllStringSubmatch(string(source), -1)
	if len(codes) != 15 {
		t.Errorf("%d codes were found", len(codes))
	}
	for _, code := range codes {
		if !strings.Contains(string(page), "\n| `"+code[1]+"` |") {
			t.Errorf("the code %s has no line", code[1])
		}
	}
}
