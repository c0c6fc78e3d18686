package socket

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/socket/internal/lockorder"
)

// Every mutex of the engine is one of lockorder's, and its table names each as the code does.
func TestEveryLockIsInTheTable(t *testing.T) {
	var declared []string
	for _, dir := range []string{".", "internal/fairness", "internal/waitlist", "internal/prefix"} {
		for name, file := range parsed(t, dir) {
			ast.Inspect(file, func(n ast.Node) bool {
				spec, ok := n.(*ast.TypeSpec)
				if !ok {
					return true
				}
				fields, ok := spec.Type.(*ast.StructType)
				if !ok {
					return true
				}
				for _, f := range fields.Fields.List {
					switch kind, rank := mutex(f.Type); kind {
					case "sync":
						t.Errorf("%s: a mutex of %s has no place in the order of locks: make it a lockorder.Mutex", name, spec.Name)
					case "lockorder":
						at := name
						if dir != "." {
							at = dir
						}
						declared = append(declared, spec.Name.Name+"."+f.Names[0].Name+" in "+at+", rank "+rank)
					}
				}
				return true
			})
		}
	}
	var listed []string
	for _, l := range lockorder.Locks {
		listed = append(listed, l.Name+" in "+l.File+", rank "+l.Rank)
	}
	slices.Sort(declared)
	slices.Sort(listed)
	if !slices.Equal(declared, listed) {
		t.Errorf("the code has the locks\n\t%s\nand lockorder/locks.go\n\t%s",
			strings.Join(declared, "\n\t"), strings.Join(listed, "\n\t"))
	}
}

// What a rule says of where locks are taken is a method that there is.
func TestRulesNameMethods(t *testing.T) {
	methods := make(map[string]bool)
	for _, file := range parsed(t, ".") {
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv != nil {
				methods[receiver(f)+"."+f.Name.Name] = true
			}
		}
	}
	for _, r := range lockorder.Table {
		named := regexp.MustCompile(`\w+\.\w+`).FindAllString(r.Why, -1)
		if len(named) == 0 {
			t.Errorf("%s under %s: %q names no method", r.Taken.Name, r.Held.Name, r.Why)
		}
		for _, m := range named {
			if !methods[m] {
				t.Errorf("%s under %s: %q: there is no %s", r.Taken.Name, r.Held.Name, r.Why, m)
			}
		}
	}
}

// receiver is the type that a method is of.
func receiver(f *ast.FuncDecl) string {
	typ := f.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	if id, ok := typ.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}

// parsed is the source of a package, but not its tests, by file.
func parsed(t *testing.T, dir string) map[string]*ast.File {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	files := make(map[string]*ast.File)
	for _, e := range entries {
		if n := e.Name(); strings.HasSuffix(n, ".go") && !strings.HasSuffix(n, "_test.go") {
			files[n], err = parser.ParseFile(token.NewFileSet(), filepath.Join(dir, n), nil, parser.SkipObjectResolution)
			must(t, err)
		}
	}
	return files
}

// mutex says which package a field's type is a mutex of, "" for none, and its rank.
func mutex(field ast.Expr) (pkg, rank string) {
	if generic, ok := field.(*ast.IndexExpr); ok {
		field = generic.X
		if sel, ok := generic.Index.(*ast.SelectorExpr); ok {
			rank = sel.Sel.Name
		}
	}
	sel, ok := field.(*ast.SelectorExpr)
	if !ok || sel.Sel.Name != "Mutex" && sel.Sel.Name != "RWMutex" {
		return "", ""
	}
	if x, ok := sel.X.(*ast.Ident); ok {
		return x.Name, rank
	}
	return "", ""
}
