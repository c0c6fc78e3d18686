package lockorder

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table of locks into socket/DESIGN.md")

// socket/DESIGN.md shows the table as it stands in the code. After a change of the table:
//
//	go test ./socket/internal/lockorder -run Design -update
func TestDesignShowsTheTable(t *testing.T) {
	const name, begin, end = "../../DESIGN.md", "<!-- locks: made by lockorder.Markdown -->\n", "<!-- end of locks -->\n"
	page, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(page), begin)
	shown, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table, between %q and %q", name, begin, end)
	}
	if shown == Markdown() {
		return
	}
	if !*update {
		t.Fatalf("%s shows another table than the code has: run this test with -update", name)
	}
	if err := os.WriteFile(name, []byte(before+begin+Markdown()+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
