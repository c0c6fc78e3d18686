package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			v := struct {
				Version  string `json:"version"`
				Revision string `json:"revision,omitempty"`
				ZMTP     string `json:"zmtp"`
				Go       string `json:"go"`
				Platform string `json:"platform"`
			}{"(devel)", "", "3.1", runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
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
			if a.json {
				return a.printJSON(v)
			}
			return a.print(fmt.Sprintf("yodel %s (ZMTP %s, %s, %s)\n", v.Version, v.ZMTP, v.Go, v.Platform))
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
