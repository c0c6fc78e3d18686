package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// What is said of a command line that is wrong: what would be right.

// parent makes cmd one that only has others under it.
func parent(cmd *cobra.Command) {
	cmd.Args = needsCommand
	cmd.RunE = func(*cobra.Command, []string) error { return nil }
	cmd.FParseErrWhitelist.UnknownFlags = true // in "yodel swim --fast" the command is what is wrong, not its flag
}

// needsCommand refuses a command line that stops before a command or names one that does not exist.
func needsCommand(cmd *cobra.Command, args []string) error {
	names := commandNames(cmd)
	if len(args) == 0 {
		return usagef("a command is missing: one of %s", strings.Join(names, ", "))
	}
	if cmd.Name() == "completion" {
		return usagef("no completion for %s: %s", args[0], strings.Join(names, ", "))
	}
	hint := ""
	if close := nearest(args[0], names); len(close) > 0 {
		hint = fmt.Sprintf("; did you mean %s?", strings.Join(close, " or "))
	}
	return usagef("unknown command %q%s", args[0], hint)
}

func commandNames(cmd *cobra.Command) (names []string) {
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() && c.Name() != "help" {
			names = append(names, c.Name())
		}
	}
	slices.Sort(names)
	return names
}

// nearest are the names that a slip of the pen may have been meant for: those with the fewest letters to change, two at
// most.
func nearest(word string, names []string) (close []string) {
	least := 3
	for _, name := range names {
		switch d := distance(word, name); {
		case d < least:
			least, close = d, []string{name}
		case d == least && d < 3:
			close = append(close, name)
		}
	}
	return close[:min(len(close), 2)]
}

// distance is how many letters have to be changed, added or left out to make one word of the other.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// noArgument refuses words that belong to no flag.
func noArgument(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case strings.Contains(args[0], "://") && cmd.Flags().Lookup("connect") != nil:
		return usagef("an endpoint goes to --bind or --connect: %s --connect %s", cmd.CommandPath(), args[0])
	}
	return usagef("unexpected argument %q", args[0])
}

// oneEndpoint is noArgument for commands with one endpoint.
func oneEndpoint(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return usagef("%s needs an endpoint, such as tcp://127.0.0.1:5557", strings.TrimPrefix(cmd.CommandPath(), "yodel "))
	case len(args) > 1:
		return usagef("unexpected argument %q", args[1])
	}
	return nil
}

var (
	shorthand   = regexp.MustCompile(`^unknown shorthand flag: .* in -([a-z][a-z-]*)`)
	unknownFlag = regexp.MustCompile(`^unknown flag: --([a-z]+)$`)
	badValue    = regexp.MustCompile(`^invalid argument (".*") for "(?:-\w, )?--([\w-]+)" flag: time: `)
)

// flagError puts what the flag library says of a flag in words that say what would be right.
func flagError(cmd *cobra.Command, err error) error {
	if m := shorthand.FindStringSubmatch(err.Error()); m != nil && cmd.Flags().Lookup(m[1]) != nil {
		return usagef("-%s: long flags take two dashes: --%s", m[1], m[1])
	}
	if m := badValue.FindStringSubmatch(err.Error()); m != nil {
		return usagef("--%s %s: say the unit: 5s, 500ms, 1m", m[2], m[1])
	}
	if m := unknownFlag.FindStringSubmatch(err.Error()); m != nil {
		if other := otherSide[m[1]]; cmd.Flags().Lookup(other) != nil {
			return usagef("--%s is not for %s: it has --%s", m[1], cmd.Name(), other)
		}
	}
	return err
}

// otherSide are the flags of who is met, of one side and of the other.
var otherSide = map[string]string{"bind": "connect", "connect": "bind", "announce": "find", "find": "announce"}

// checkHelp refuses --help for a command that does not exist: the library would show the help of another one.
func checkHelp(root *cobra.Command, args []string) error {
	if !slices.Contains(args, "--help") && !slices.Contains(args, "-h") {
		return nil
	}
	cmd, rest, err := root.Find(args)
	if err != nil || !cmd.HasSubCommands() {
		return nil //nolint:nilerr // it is said when the command line is read
	}
	words := slices.DeleteFunc(slices.Clone(rest), func(a string) bool { return strings.HasPrefix(a, "-") })
	if len(words) == 0 || words[0] == "help" {
		return nil
	}
	return needsCommand(cmd, words)
}

// helpCommand is help, with topics beside the commands.
func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND | TOPIC]",
		Short: "Help about a command, or about " + strings.Join(topicNames(), ", "),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return append(commandNames(root), topicNames()...), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				if text, ok := topics[args[0]]; ok {
					_, err := fmt.Fprintln(cmd.OutOrStdout(), text)
					return err
				}
			}
			about, rest, err := root.Find(args)
			if err != nil || about == nil || len(rest) > 0 {
				return needsCommand(cmpOr(about, root), rest)
			}
			about.InitDefaultHelpFlag()
			about.InitDefaultVersionFlag()
			return about.Help()
		},
	}
}

func cmpOr(cmd, other *cobra.Command) *cobra.Command {
	if cmd == nil {
		return other
	}
	return cmd
}
