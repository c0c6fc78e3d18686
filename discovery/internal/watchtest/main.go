package watchtest

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

// Main is a TestMain that fails the run when a goroutine outlives the tests by more than grace.
func Main(m *testing.M, grace time.Duration) { goleak.VerifyTestMain(patient{m, grace}) }

// patient runs the tests, and then gives goroutines that end by themselves the time to do so.
type patient struct {
	m     *testing.M
	grace time.Duration
}

func (p patient) Run() int {
	code := p.m.Run()
	for end := time.Now().Add(p.grace); code == 0 && time.Now().Before(end); {
		if goleak.Find() == nil { // it waits for almost half a second
			break
		}
	}
	return code
}
