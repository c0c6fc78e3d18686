package socket

import (
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// DESIGN.md is about the code as it is: it names each file of the package, and no file, function or test that there is
// not.
func TestDesignNamesWhatThereIs(t *testing.T) {
	text, err := os.ReadFile("DESIGN.md")
	must(t, err)
	page := string(text)
	files, known := parsed(t, "."), make(map[string]bool)
	for _, file := range files {
		for _, name := range declared(file) {
			known[name] = true
		}
	}

	mapped := section(t, page, "## Files")
	for name := range files {
		if !strings.Contains(mapped, name) {
			t.Errorf("%s is not in the map of files", name)
		}
	}
	for _, name := range regexp.MustCompile(`[\w./]+\.go\b`).FindAllString(page, -1) {
		if _, err := os.Stat(filepath.FromSlash(name)); err != nil {
			t.Errorf("there is no file %s", name)
		}
	}
	tests := testNames(t)
	for _, name := range regexp.MustCompile(`\bTest[A-Z]\w+`).FindAllString(page, -1) {
		if !tests[name] {
			t.Errorf("there is no test %s", name)
		}
	}
	methods := regexp.MustCompile("`([a-zA-Z]+)\\.([a-zA-Z]+)`").FindAllStringSubmatch(page, -1)
	for _, m := range methods {
		exported := strings.ToUpper(m[1][:1]) == m[1][:1]
		if name := m[1] + "." + m[2]; !exported && !known[name] && !slices.Contains(elsewhere, name) {
			t.Errorf("there is no %s", name)
		}
	}
}

// elsewhere is what DESIGN.md names by a short name, or that is not in this package.
var elsewhere = []string{
	"lockorder.Mutex", "waitlist.List", "context.AfterFunc", "out.joined", "out.writing", "out.full", "out.ending",
	"out.draining", "out.cause", "out.dead", "out.removed", "out.finished", "out.behind", "in.ready",
	"in.full", "in.active", "in.leaving",
	"core.wg", "heartbeats.running",
}

// The way of a message is at most eight steps, each in a file of its own.
func TestDesignStepsGoForward(t *testing.T) {
	text, err := os.ReadFile("DESIGN.md")
	must(t, err)
	row := regexp.MustCompile(`(?m)^\| (\d+) \| ([\w./]+\.go) \| (.*?) \|`)
	for _, way := range []string{"### Out", "### In"} {
		steps := row.FindAllStringSubmatch(section(t, string(text), way), -1)
		if len(steps) == 0 || len(steps) > 8 {
			t.Errorf("%s: %d steps, want at most 8", way, len(steps))
		}
		left := make(map[string]bool)
		for _, s := range steps {
			name, functions := s[2], regexp.MustCompile("`(\\w+\\.\\w+)`").FindAllStringSubmatch(s[3], -1)
			if left[name] {
				t.Errorf("%s: step %s goes back to %s", way, s[1], name)
			}
			left[name] = true
			in := parsed(t, filepath.Dir(name))[filepath.Base(name)]
			if in == nil || len(functions) == 0 {
				t.Errorf("%s: step %s names no file or no function", way, s[1])
				continue
			}
			for _, f := range functions {
				if !slices.Contains(declared(in), f[1]) {
					t.Errorf("%s: step %s: there is no %s in %s", way, s[1], f[1], name)
				}
			}
		}
	}
}

// section is what stands below a heading, up to the next one that is not below it.
func section(t *testing.T, page, heading string) string {
	t.Helper()
	_, rest, ok := strings.Cut(page, "\n"+heading+"\n")
	if !ok {
		t.Fatalf("DESIGN.md has no %q", heading)
	}
	level, _, _ := strings.Cut(heading, " ")
	next := regexp.MustCompile(`(?m)^#{1,` + strconv.Itoa(len(level)) + `} `)
	if at := next.FindStringIndex(rest); at != nil {
		rest = rest[:at[0]]
	}
	return rest
}

// declared lists the methods of a file, as type.method, and the fields of its types, as type.field.
func declared(file *ast.File) (names []string) {
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Recv != nil {
			names = append(names, receiver(f)+"."+f.Name.Name)
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		switch typ := spec.Type.(type) {
		case *ast.StructType:
			for _, f := range typ.Fields.List {
				for _, name := range f.Names {
					names = append(names, spec.Name.Name+"."+name.Name)
				}
			}
		case *ast.InterfaceType:
			for _, f := range typ.Methods.List {
				for _, name := range f.Names {
					names = append(names, spec.Name.Name+"."+name.Name)
				}
			}
		default:
		}
		return true
	})
	return names
}

// testNames are those of this folder.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	names := make(map[string]bool)
	files, err := filepath.Glob("*_test.go")
	must(t, err)
	more, err := filepath.Glob("internal/*/*_test.go")
	must(t, err)
	for _, file := range append(files, more...) {
		text, err := os.ReadFile(file)
		must(t, err)
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(string(text), -1) {
			names[m[1]] = true
		}
	}
	return names
}
