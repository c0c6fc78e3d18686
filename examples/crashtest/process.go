package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/yodel-mq/yodel/examples/internal/child"
)

// A job is what a worker process is to do. It stands in its environment, as JSON.
type job struct {
	Who      int // sender or a receiver
	Life     uint32
	Plan     *plan    // without events
	Dir      string   // of tallies and journals
	Spool    string   // its spool or inbox
	Before   uint64   // messages that earlier lives of the sender have had accepted
	Bind     string   // or
	Connect  []string // to these
	Capacity int64    // of the spool
}

const workerVariable = "CRASHTEST_WORKER"

// What a worker says on its standard output, a line each: the word and what belongs to it.
const (
	saysBound   = "bound"   // and the endpoint
	saysSettled = "settled" // all messages were sent and settled
	saysFault   = "fault"   // what must not be
)

// A process is a worker as the controller sees it.
type process struct {
	job
	*child.Process
}

// startProcess runs this program again as a worker. Each line it says goes to take, one at a time.
func startProcess(ctx context.Context, j job, take func(j *job, word, rest string)) (*process, error) {
	text, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	p := &process{job: j}
	p.Process, err = child.Start(ctx, nil, []string{workerVariable + "=" + string(text)}, func(line []byte) bool {
		word, rest, _ := strings.Cut(string(line), " ")
		take(&p.job, word, rest)
		return true
	})
	return p, err
}

// finish lets the process end by itself, and kills it if it does not.
func (p *process) finish() error {
	if err := p.Finish(10 * patience); err != nil { // it may have an inbox to empty
		return fmt.Errorf("%s: %w in %v", p.name(), err, 10*patience)
	}
	return p.ended()
}

// ended says how the process ended, nil if well. It must have.
func (p *process) ended() error {
	if text := p.Complaint(); text != "" {
		return fmt.Errorf("%s said: %s", p.name(), text)
	}
	if err := p.Err(); err != nil {
		return fmt.Errorf("%s ended: %w", p.name(), err)
	}
	return nil
}

func (j *job) name() string {
	if j.Who == sender {
		return fmt.Sprintf("sender, life %d", j.Life)
	}
	return fmt.Sprintf("receiver %d, life %d", j.Who, j.Life)
}
