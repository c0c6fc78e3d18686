package socket

import (
	"go/ast"
	"go/parser"
	"go/token"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
)

// TestInLedgerBalances: whatever verbs come in whatever order, every account balances after each, and the socket's is
// the sum of its links'.
func TestInLedgerBalances(t *testing.T) {
	const steps, links = 300_000, 5
	rnd := rand.New(rand.NewPCG(1, 2))
	var socket inCounts
	var link [links]inCounts
	some := func(of uint64) uint64 { return rnd.Uint64N(of + 1) }
	amount := func(c *inCounts) (Count, uint64) { // of what is unread in an account
		return Count{some(min(c.unread.Messages, 50)), some(min(c.unread.Bytes, 5000))}, some(min(c.further, 9))
	}
	why := []Reason{SocketClosed, Unexpected, Replaced, StaleReply}
	for step := range steps {
		c := &link[rnd.IntN(links)]
		a := inLedger{c, &socket}
		n, further := amount(c)
		switch verb := rnd.IntN(100); {
		case verb < 40:
			a.receive(Count{some(50), some(5000)}, some(9))
		case verb < 70:
			a.hand(n, further)
		case verb < 90:
			a.discard(why[rnd.IntN(len(why))], n, further)
		case verb < 95:
			a.reject(why[rnd.IntN(len(why))], Count{some(50), some(5000)})
		case verb < 99:
			transfer(c, &link[rnd.IntN(links)], n, further)
		default:
			*c = c.copy()
		}
		checkIn(t, step, c)
		checkIn(t, step, &socket)
		if step%1000 == 0 {
			sumIn(t, step, &socket, link[:])
		}
	}
	sumIn(t, steps, &socket, link[:])
	for i := range link {
		link[i].discardAll(SocketClosed)
		checkIn(t, steps, &link[i])
	}
	socket.discardAll(SocketClosed)
	sumIn(t, steps, &socket, link[:])
	if socket.unread != (Count{}) || socket.further != 0 {
		t.Errorf("%+v is unread after the end", socket)
	}
}

func checkIn(t *testing.T, step int, c *inCounts) {
	t.Helper()
	if !c.received.isSum(c.discarded, c.handed, c.unread) {
		t.Fatalf("step %d: %+v does not balance", step, *c)
	}
}

// sumIn compares a socket's account with those of its links.
func sumIn(t *testing.T, step int, socket *inCounts, links []inCounts) {
	t.Helper()
	var want inCounts
	for _, c := range links {
		want.received, want.handed = want.received.plus(c.received), want.handed.plus(c.handed)
		want.unread, want.further = want.unread.plus(c.unread), want.further+c.further
		for why, n := range c.discarded {
			want.discarded.add(why, n)
		}
	}
	if got, links := *socket, want; got.received != links.received || got.handed != links.handed ||
		got.unread != links.unread || got.further != links.further || sum(got.discarded) != sum(links.discarded) {
		t.Fatalf("step %d: the socket has %+v, its links together %+v", step, got, links)
	}
}

// TestOnlyVerbsChangeTheLedger: no statement outside of ledger_in.go and ledger_out.go changes a column.
func TestOnlyVerbsChangeTheLedger(t *testing.T) {
	columns := map[string]bool{
		"received": true, "handed": true, "unread": true, "discarded": true,
		"accepted": true, "delivered": true, "queued": true, "requeued": true, "dropped": true,
	}
	accounts := map[string]bool{"counts": true, "unassigned": true}
	isColumn := func(e ast.Expr) bool {
		for {
			s, ok := e.(*ast.SelectorExpr)
			if !ok {
				return false
			}
			if columns[s.Sel.Name] {
				of, ok := s.X.(*ast.SelectorExpr)
				return ok && accounts[of.Sel.Name]
			}
			e = s.X
		}
	}
	found := 0
	set := token.NewFileSet()
	names, err := filepath.Glob("*.go")
	must(t, err)
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, name, nil, 0)
		must(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			var changed []ast.Expr
			switch n := n.(type) {
			case *ast.AssignStmt:
				changed = n.Lhs
			case *ast.IncDecStmt:
				changed = []ast.Expr{n.X}
			case *ast.CallExpr:
				if f, ok := n.Fun.(*ast.SelectorExpr); ok && (f.Sel.Name == "add" || f.Sel.Name == "sub") {
					changed = []ast.Expr{f.X}
				}
			}
			for _, e := range changed {
				if isColumn(e) {
					t.Errorf("%s changes a column of the ledger", set.Position(e.Pos()))
				}
			}
			if s, ok := n.(ast.Expr); ok && isColumn(s) {
				found++
			}
			return true
		})
	}
	if found == 0 {
		t.Error("no column was found, so that the test looks for the wrong ones")
	}
}
