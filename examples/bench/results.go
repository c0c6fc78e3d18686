package main

import (
	"encoding/json"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// The metrics of a run, by their names in JSON.
const (
	rate      = "messages_per_s" // received
	cpu       = "cpu_ns_per_message"
	lost      = "lost_per_mille"
	mean      = "mean_us"
	p50       = "p50_us"
	p99       = "p99_us"
	p999      = "p999_us"
	allocsOut = "allocs_per_message_sent" // of Go peers, not inproc
	allocsIn  = "allocs_per_message_received"
	sysCalls  = "system_calls_per_message"
	memPeer   = "bytes_per_idle_peer"
	idleCPU   = "idle_cpu_percent"
)

// A sample is the metrics of one run.
type sample map[string]float64

// results is everything that was found; it is written as JSON as it stands.
type results struct {
	suite *suite

	Date     string     `json:"date"`
	Machine  string     `json:"machine"`
	Rounds   int        `json:"rounds"`
	HWM      int        `json:"hwm"`
	Quick    bool       `json:"quick"`
	Short    bool       `json:"short"` // --quick ran out of time: not every median is of all rounds
	Took     string     `json:"took"`
	Peers    []peerInfo `json:"peers"`
	Missing  []missing  `json:"missing"`
	Failures []failure  `json:"failures"`
	Works    []*work    `json:"works"`
	// Runs are by work and peer.
	Runs    map[string]map[string][]sample           `json:"runs"`
	Medians map[string]map[string]map[string]float64 `json:"medians"`
	Bars    []verdict                                `json:"bars"`
}

type (
	peerInfo struct{ Name, Version string }
	missing  struct{ Name, Why string }
	failure  struct{ Work, Peer, Error string }
)

func newResults(s settings) *results {
	return &results{
		suite: s.suite,
		Date:  time.Now().UTC().Format(time.RFC3339), Machine: machine(), Rounds: s.rounds, HWM: s.hwm, Quick: s.quick,
		Runs: make(map[string]map[string][]sample), Medians: make(map[string]map[string]map[string]float64),
	}
}

func (r *results) add(w *work, p *peer, j job, reports []report, err error) {
	if err != nil {
		r.Failures = append(r.Failures, failure{w.ID, p.name, err.Error()})
		return
	}
	for _, side := range reports {
		if side.Note != "" {
			r.Failures = append(r.Failures, failure{w.ID, p.name, side.Note})
		}
	}
	if r.Runs[w.ID] == nil {
		r.Runs[w.ID] = make(map[string][]sample)
	}
	r.Runs[w.ID][p.name] = append(r.Runs[w.ID][p.name], digest(w, p, j, reports))
	if r.Medians[w.ID] == nil {
		r.Medians[w.ID] = make(map[string]map[string]float64)
	}
	r.Medians[w.ID][p.name] = medians(r.Runs[w.ID][p.name])
}

// digest makes metrics of what the sides of one run report.
func digest(w *work, p *peer, j job, reports []report) sample {
	m := make(sample)
	for i, r := range reports {
		if r.CPUMsgs > 0 && w.Kind != timed && w.Binds != callsNobody { // what has no count has no CPU for each
			m[cpu] += float64(r.CPU) / float64(r.CPUMsgs)
		}
		if took := r.End - r.Begin; took > 0 {
			m[rate] = float64(r.Received) / (float64(took) / 1e9)
			if w.Kind == fanOut || w.Kind == match || w.Connects == subscribes {
				all := float64(j.Count * j.Sockets)
				m[lost] = 1000 * (all - float64(r.Received)) / all
			}
		}
		if r.Mean > 0 {
			m[mean], m[p50], m[p99], m[p999] = r.Mean, r.P50, r.P99, r.P999
		}
		maps.Copy(m, r.Values)
		if r.Idle > 0 {
			m[memPeer] = float64(r.Memory) / float64(j.Sockets)
			m[idleCPU] = 100 * float64(r.IdleCPU) / float64(r.Idle)
		}
		if p.program == nil && (w.Kind == oneWay || w.Kind == released) && w.Transport != "inproc" && r.CPUMsgs > 0 {
			name := allocsOut
			if r.Received > 0 {
				name = allocsIn
			} else if p.server != nil && i == 0 {
				continue
			}
			m[name] = float64(r.Mallocs) / float64(r.CPUMsgs)
		}
	}
	return m
}

func medians(runs []sample) map[string]float64 {
	m := make(map[string]float64)
	for name := range runs[0] {
		values := make([]float64, len(runs))
		for i, s := range runs {
			values[i] = s[name]
		}
		m[name] = median(values)
	}
	return m
}

func median(v []float64) float64 {
	slices.Sort(v)
	if n := len(v) / 2; len(v)%2 == 0 {
		return (v[n-1] + v[n]) / 2
	}
	return v[len(v)/2]
}

// median returns the median of a metric; ok is false if it was not measured.
func (r *results) median(id, peer, metric string) (v float64, ok bool) {
	v, ok = r.Medians[id][peer][metric]
	return v, ok
}

func (r *results) writeJSON(file string) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(b, '\n'), 0o644)
}

// machine describes where this runs, as far as it can tell.
func machine() string {
	words := []string{runtime.GOOS + "/" + runtime.GOARCH, count(runtime.NumCPU(), "processor")}
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				words = append(words, strings.TrimSpace(value))
				break
			}
		}
	}
	for _, f := range []struct{ name, file string }{{"kernel", "/proc/sys/kernel/osrelease"}, {"load", "/proc/loadavg"}} {
		if b, err := os.ReadFile(f.file); err == nil {
			if fields := strings.Fields(string(b)); len(fields) > 0 {
				words = append(words, f.name+" "+fields[0])
			}
		}
	}
	return strings.Join(words, ", ")
}
