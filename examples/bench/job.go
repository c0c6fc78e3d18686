package main

import (
	"fmt"
	"strconv"
)

// A job is what one side is told on its command line, in this order. libzmq/side.c reads the same.
type job struct {
	// push, pull, pullreleased, req, rep, pub, sub, idle, peers, server, pullbeside, beside, reqhalf; oneway and
	// roundtrip are both sides of inproc
	Role     string
	Endpoint string // to bind or to connect to
	Size     int    // of a body, in bytes
	Count    int    // messages measured; of an idle side, seconds
	Warm     int    // messages ahead of them
	Sockets  int    // of the connecting side
	Subs     int    // subscriptions of a sub; 0: one to everything
	HWM      int    // high-water mark, in messages, each way
}

func (j job) args() []string {
	a := []string{j.Role, j.Endpoint}
	for _, n := range []int{j.Size, j.Count, j.Warm, j.Sockets, j.Subs, j.HWM} {
		a = append(a, strconv.Itoa(n))
	}
	return a
}

func parseJob(args []string) (job, error) {
	var j job
	numbers := []*int{&j.Size, &j.Count, &j.Warm, &j.Sockets, &j.Subs, &j.HWM}
	if len(args) != 2+len(numbers) {
		return j, fmt.Errorf("bench: a side takes %d arguments, not %d", 2+len(numbers), len(args))
	}
	j.Role, j.Endpoint = args[0], args[1]
	for i, p := range numbers {
		n, err := strconv.Atoi(args[2+i])
		if err != nil {
			return j, fmt.Errorf("bench: argument %d of a side: %w", 3+i, err)
		}
		*p = n
	}
	return j, nil
}

// topic is the start of a message that the i-th subscription matches. It has the same length for each.
func topic(i int) string { return fmt.Sprintf("t%06d.", i) }

// topics returns how many different topics a publisher sends, and how far they lie apart among the subscriptions.
func (j job) topics() (n, step int) {
	n = max(1, min(j.Subs, 1000))
	return n, j.Subs / n
}

// bodies returns all that a side ever sends, made once: the messages, then the probe and the end mark, which are known
// by their sizes. Those two carry the last topic: who gets a probe has its earlier subscriptions in place too.
func (j job) bodies() (all [][]byte, probe, end int) {
	n, step := j.topics()
	for i := range n {
		b := make([]byte, j.Size)
		copy(b, topic(i*step))
		all = append(all, b)
	}
	last := topic(max(0, j.Subs-1))
	return append(all, []byte(last+"?"), []byte(last+"!!")), n, n + 1
}

// A report is what one side found, of what applies to its role; times and CPU are in nanoseconds.
type report struct {
	Begin    int64 `json:"begin,omitempty"` // of the receiver's clock
	End      int64 `json:"end,omitempty"`
	Received int64 `json:"received,omitempty"`

	CPU     int64 `json:"cpu_ns,omitempty"`
	CPUMsgs int64 `json:"cpu_msgs,omitempty"` // messages that CPU and Mallocs are for
	Mallocs int64 `json:"mallocs,omitempty"`

	Mean float64 `json:"mean_us,omitempty"`
	P50  float64 `json:"p50_us,omitempty"`
	P99  float64 `json:"p99_us,omitempty"`
	P999 float64 `json:"p999_us,omitempty"`

	Memory  int64 `json:"memory,omitempty"`
	IdleCPU int64 `json:"idle_cpu_ns,omitempty"`
	Idle    int64 `json:"idle_ns,omitempty"`

	Values map[string]float64 `json:"values,omitempty"` // metrics as they are
	Note   string             `json:"note,omitempty"`   // for people, of what went wrong
}
