package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

const yodelModule = "github.com/yodel-mq/yodel"

// goTest has go test run the benchmarks of parts that only their own packages can reach: matching, heads, and what is
// looked at ahead of decoding. The job's count is the time of each, in milliseconds.
func goTest(ctx context.Context, c *console, j job) error {
	where, err := command(ctx, "", "go", "list", "-m", "-f", "{{.Dir}}", yodelModule)
	if err != nil {
		return fmt.Errorf("%w\nstart this in examples/bench, with the go command in PATH", err)
	}
	text, err := command(ctx, strings.TrimSpace(where), "go", "test", "-run", "^$",
		"-bench", "^Benchmark(Head|Scan|Tree)$", "-benchtime", strconv.Itoa(j.Count)+"ms",
		"./patterns", "./patterns/internal/subject")
	if err != nil {
		return err
	}
	values, err := partValues(parseBenchmarks(text))
	if err != nil {
		return err
	}
	return c.result(report{Values: values})
}

func command(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off")
	var problem strings.Builder
	cmd.Stderr = &problem
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("bench: %s: %w: %s%s", strings.Join(cmd.Args, " "), err, &problem, out)
	}
	return string(out), nil
}

// parseBenchmarks returns the nanoseconds of each benchmark by its name, without what go test puts around that: a line
// is "BenchmarkHead/parse/call-2   1234   159.8 ns/op   …".
func parseBenchmarks(text string) map[string]float64 {
	all := make(map[string]float64)
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") || fields[3] != "ns/op" {
			continue
		}
		name := strings.TrimPrefix(fields[0], "Benchmark")
		if i := strings.LastIndexByte(name, '-'); i > 0 { // behind it is how many processors there are
			name = name[:i]
		}
		if ns, err := strconv.ParseFloat(fields[2], 64); err == nil {
			all[name] = ns
		}
	}
	return all
}

// partValues makes metrics of them.
func partValues(ns map[string]float64) (map[string]float64, error) {
	for _, name := range []string{
		"Tree/100000", "Head/append/call", "Head/parse/call", "Scan/scan/large", "Scan/decode/large", "Scan/scan/small",
		"Scan/decode/small",
	} {
		if ns[name] <= 0 {
			return nil, fmt.Errorf("bench: go test says nothing of Benchmark%s", name)
		}
	}
	return map[string]float64{
		matchTime: ns["Tree/100000"], headAppend: ns["Head/append/call"], headParse: ns["Head/parse/call"],
		scanShare: 100 * ns["Scan/scan/large"] / ns["Scan/decode/large"],
		scanSmall: 100 * ns["Scan/scan/small"] / ns["Scan/decode/small"],
	}, nil
}
