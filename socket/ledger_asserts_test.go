//go:build race

package socket

import "testing"

// TestOutLedgerAsserts: a ledger that is to give up more than it has says so in builds with the race detector.
func TestOutLedgerAsserts(t *testing.T) {
	for name, verb := range map[string]func(a outLedger, n Count){
		"deliver": outLedger.deliver,
		"drop":    func(a outLedger, n Count) { a.drop(QueueFull, n) },
		"requeue": func(a outLedger, n Count) { requeue(a.link, new(outCounts), n) },
		"write":   outLedger.write,
	} {
		t.Run(name, func(t *testing.T) {
			a := outLedger{new(outCounts), new(outCounts)}
			a.accept(Count{2, 10})
			verb(a, Count{1, 5})
			defer func() {
				if recover() == nil {
					t.Error("it does not panic")
				}
			}()
			verb(a, Count{2, 5})
		})
	}
}
