package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// A versionJSON is what there is to say of the program.
type versionJSON struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	ZMTP     string `json:"zmtp"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func version() versionJSON {
	v := versionJSON{"(devel)", "", "3.1", runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		if info.Main.Version != "" {
			v.Version = info.Main.Version
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				v.Revision = s.Value
			}
		}
	}
	return v
}

// versionLine is the version for people.
func versionLine() string {
	v := version()
	revision := v.Revision[:min(len(v.Revision), 12)]
	if revision != "" {
		revision = "revision " + revision + ", "
	}
	return fmt.Sprintf("yodel %s (%sZMTP %s, %s, %s)", v.Version, revision, v.ZMTP, v.Go, v.Platform)
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  noArgument,
		RunE: func(*cobra.Command, []string) error {
			if a.json {
				return a.printJSON(version())
			}
			return a.print(versionLine() + "\n")
		},
	}
}

// print writes a result.
func (a *app) print(s string) error {
	if _, err := a.stdout.Write([]byte(s)); err != nil {
		return outputError(err)
	}
	return nil
}

// printJSON writes a result as one line of JSON.
func (a *app) printJSON(v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return failf("%w", err)
	}
	return a.print(string(escapeControls(line)) + "\n")
}

func outputError(err error) error { return &statusError{statusFailed, &errOutput{err}} }
