package main

import (
	"context"
	"io"
	"net"
	"time"

	"github.com/spf13/cobra"

	"github.com/yodel-mq/yodel/discovery"
)

// What the shell offers for the values of flags. "yodel help completion" says how a shell is told to ask.

// completeTime is how long others have to answer when a name is completed.
const completeTime = time.Second

type completer = func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective)

// oneOf offers given words.
func oneOf(words ...string) completer {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return words, cobra.ShellCompDirectiveNoFileComp
	}
}

func interfaceNames(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for _, i := range all {
		if i.Flags&net.FlagUp != 0 {
			names = append(names, i.Name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// announced offers what is announced in a group by multicast DNS just now.
func (a *app) announced(p *place) completer {
	return func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(cmd.Context(), completeTime)
		defer cancel()
		quiet := &app{con: &console{w: io.Discard}}
		node := quiet.newNode(*p)
		defer node.Close() //nolint:errcheck // there is nobody to tell
		events, err := node.Watch(ctx, discovery.Query{})
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		seen := make(map[string]bool)
		var names []string
		for e := range events {
			if e.Kind != discovery.Added && e.Kind != discovery.Updated {
				continue
			}
			for _, s := range e.Record.Services {
				if !seen[s.Name] {
					seen[s.Name] = true
					names = append(names, s.Name)
				}
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// complete sets what is offered for the flags that cmd has.
func (a *app) complete(cmd *cobra.Command, p *place) {
	for flag, offer := range map[string]completer{
		"format":    oneOf(formats...),
		"input":     oneOf(inputs...),
		"overflow":  oneOf(overflowNames()...),
		"interface": interfaceNames,
		"find":      a.announced(p),
		"announce":  oneOf(),
		"group":     oneOf(discovery.DefaultGroup),
		"frontend":  oneOf("ROUTER", "DEALER", "XSUB", "XPUB", "PULL", "PUSH"),
		"backend":   oneOf("ROUTER", "DEALER", "XSUB", "XPUB", "PULL", "PUSH"),
		"bind":      oneOf("tcp://", "ipc://"),
		"connect":   oneOf("tcp://", "ipc://"),
	} {
		if cmd.Flags().Lookup(flag) != nil {
			_ = cmd.RegisterFlagCompletionFunc(flag, offer) // fails for a flag that there is not
		}
	}
}
