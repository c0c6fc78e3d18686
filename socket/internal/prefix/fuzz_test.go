package prefix

import "testing"

// FuzzTree runs a program of operations on a tree and on the model: two bytes that say what to do and with how many
// of the bytes behind them.
func FuzzTree(f *testing.F) {
	const (
		add    = 0
		remove = 1
		look   = 2
	)
	f.Add([]byte{})
	f.Add([]byte{add, 0, look, 3, 'a', 'b', 'c', remove, 0})
	f.Add([]byte{add, 3, 'a', 'b', 'c', add, 2, 'a', 'b', look, 3, 'a', 'b', 'c', remove, 2, 'a', 'b'})
	f.Add([]byte{add, 3, 'a', 'b', 'c', add, 3, 'a', 'b', 'd', remove, 3, 'a', 'b', 'c', look, 3, 'a', 'b', 'd'})
	f.Add([]byte{add, 1, 0, add, 1, 255, add, 2, 0, 255, remove, 1, 0, look, 2, 0, 255})
	f.Add([]byte{add, 1, 'a', add + 8, 1, 'a', remove, 1, 'a', look, 1, 'a', remove + 8, 1, 'a'})
	f.Add([]byte{ // leaves that are alike, and one that goes on
		add, 2, '1', 'x', add, 2, '2', 'x', add, 2, '3', 'x', add, 2, '4', 'x', add, 2, '5', 'x', add + 8, 2, '6', 'x',
		add, 3, '3', 'x', 'y', remove, 2, '1', 'x', look, 2, '2', 'x',
	})
	f.Fuzz(func(t *testing.T, program []byte) {
		program = program[:min(len(program), 1<<10)] // the model is slow
		tree, m := new(Tree[int]), make(model)
		for len(program) >= 2 {
			op, n := program[0], min(int(program[1]), len(program)-2)
			word := string(program[2 : 2+n])
			program = program[2+n:]
			v := int(op >> 3 & 3)
			switch op & 7 {
			case add, 3, 4:
				if got, want := tree.Add(word, v), m.add(word, v); got != want {
					t.Fatalf("Add(%q, %d) is %t, want %t", word, v, got, want)
				}
			case remove, 5, 6:
				if got, want := tree.Remove(word, v), m.remove(word, v); got != want {
					t.Fatalf("Remove(%q, %d) is %t, want %t", word, v, got, want)
				}
			}
			checkShape(t, tree)
			checkCount(t, tree, word, m.count(word))
			checkMatch(t, tree, m, []byte(word))
			checkMatch(t, tree, m, append([]byte(word), program[:min(4, len(program))]...))
		}
		checkAll(t, tree, m)
	})
}
