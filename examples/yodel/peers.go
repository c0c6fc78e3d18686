package main

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/yodel-mq/yodel/discovery"
)

const peersHelp = `All that is announced in the group by --announce, or by a program with discovery.Node, is looked for
by multicast DNS: on this host and the local network. The list is printed after the second that
others get to answer; --watch goes on and prints who comes, changes and goes until Ctrl-C.

A line has the node, its name if it has one, service/TYPE for each socket, how long the node has
been running (by its own clock) and the endpoints; with --watch the time and the event come first.
With --json it is {"event":"added",
"node":…,"services":[names],"endpoints":[…],"age":seconds,"name":…,"group":…,"offers":[{"service":…,"type":…,
"endpoints":[…]}]}; an event is added, updated, left (it said goodbye) or expired (it was not heard
of any more).

With --timeout the list waits that long for the first peer, and no longer than that for the others;
--watch ends when it has passed. Status 3 means that there was nobody all that time.

When nobody reads its standard output any more, the tool ends with status 1 and without a word.`

// peersFlags are the flags of peers.
type peersFlags struct {
	place   place
	watch   bool
	timeout time.Duration
}

func (a *app) peersCommand() *cobra.Command {
	var f peersFlags
	cmd := &cobra.Command{
		Use:   "peers",
		Short: "List who is there, or follow who comes and goes",
		Long:  "List who is there, or follow who comes and goes.\n\n" + peersHelp,
		Args:  noArgument,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.place.check(); err != nil {
				return err
			}
			if f.timeout < 0 {
				return usagef("--timeout is negative: it must be 0 or more")
			}
			return a.peers(cmd.Context(), &f)
		},
	}
	fs := cmd.Flags()
	fs.SortFlags = false
	f.place.register(fs)
	fs.BoolVar(&f.watch, "watch", false, "go on, and print each change")
	fs.DurationVar(&f.timeout, "timeout", 0,
		"wait up to `D` for a peer; with --watch: end after D (default: list after a second, watch for ever)")
	return cmd
}

// peers prints who is there.
func (a *app) peers(ctx context.Context, f *peersFlags) error {
	node := a.newNode(f.place)
	defer node.Close() //nolint:errcheck // it has nothing to say goodbye to
	read, stop := a.whileRead(ctx)
	defer stop()
	within := read
	if f.timeout > 0 {
		var cancel context.CancelFunc
		within, cancel = context.WithTimeoutCause(read, f.timeout, errIdle)
		defer cancel()
	}
	events, err := node.Watch(within, discovery.Query{})
	if err != nil {
		return failf("%w", err)
	}
	seen, err := a.followPeers(events, f)
	switch {
	case err != nil:
		return err
	case isBrokenPipe(context.Cause(within)):
		return context.Cause(within)
	case seen == 0 && within.Err() != nil && ctx.Err() == nil:
		return nothingf("nobody in group %s for %v", f.place.group, f.timeout)
	case ctx.Err() != nil:
		a.con.notef("peers: %s; interrupted", countOf(seen, f.unit()))
	case seen == 0:
		a.con.notef("peers: nobody in group %s", f.place.group)
	}
	return nil
}

func (f *peersFlags) unit() string {
	if f.watch {
		return "event"
	}
	return "peer"
}

// followPeers prints events as they come, or, as a list, the nodes that are there, until that is done or events is
// closed. It returns how many lines it printed.
func (a *app) followPeers(events <-chan discovery.Event, f *peersFlags) (printed int, err error) {
	there := make(map[discovery.ID]discovery.Record)
	synced := false
	for e := range events {
		switch e.Kind {
		case discovery.Added, discovery.Updated, discovery.Left, discovery.Expired:
			changed := e.Kind != discovery.Updated || shown(there[e.Record.ID]) != shown(e.Record)
			if f.watch && changed {
				if err := a.printPeer(e.Kind, &e.Record, true); err != nil {
					return printed, err
				}
				printed++
			}
			there[e.Record.ID] = e.Record
			if e.Kind == discovery.Left || e.Kind == discovery.Expired {
				delete(there, e.Record.ID)
			}
		case discovery.Synced:
			synced = true
		case discovery.Incompatible:
			a.con.notef("node %s speaks %s", e.Record.ID, printable(e.Record.Wire))
		case discovery.Trouble:
			a.trouble(e.Err)
		}
		if !f.watch && synced && (len(there) > 0 || f.timeout == 0) {
			break
		}
	}
	if f.watch {
		return printed, nil
	}
	for _, id := range slices.SortedFunc(maps.Keys(there), func(a, b discovery.ID) int {
		return slices.Compare(a[:], b[:])
	}) {
		r := there[id]
		if err := a.printPeer(discovery.Added, &r, false); err != nil {
			return printed, err
		}
		printed++
	}
	return printed, nil
}

// A peerLineJSON is a node, or something that happened to it, as JSON.
type peerLineJSON struct {
	Event     discovery.EventKind `json:"event"`
	Node      discovery.ID        `json:"node"`
	Services  []string            `json:"services"`
	Endpoints []string            `json:"endpoints"`
	Age       float64             `json:"age"` // seconds
	Name      string              `json:"name,omitempty"`
	Group     string              `json:"group"`
	Offers    []offerJSON         `json:"offers"`
}

type offerJSON struct {
	Service   string   `json:"service"`
	Type      string   `json:"type,omitempty"`
	Endpoints []string `json:"endpoints"`
}

func newPeerLine(kind discovery.EventKind, r *discovery.Record, now time.Time) peerLineJSON {
	l := peerLineJSON{
		Event: kind, Node: r.ID, Name: r.Name, Group: r.Group, Age: age(r, now),
		Services: []string{}, Endpoints: []string{}, Offers: []offerJSON{},
	}
	for _, s := range r.Services {
		o := offerJSON{Service: s.Name, Type: s.Type, Endpoints: []string{}}
		for _, e := range s.Endpoints {
			o.Endpoints = append(o.Endpoints, endpointsOf(r, e)...)
		}
		l.Offers = append(l.Offers, o)
		l.Services = append(l.Services, s.Name)
		l.Endpoints = append(l.Endpoints, o.Endpoints...)
	}
	slices.Sort(l.Services)
	l.Services = slices.Compact(l.Services)
	return l
}

// age is for how many seconds a node has been running, as it says itself; 0 if it does not, or if its clock is ahead.
func age(r *discovery.Record, now time.Time) float64 {
	if r.Incarnation == 0 || r.Incarnation > math.MaxInt64 {
		return 0
	}
	return max(0, now.Sub(time.UnixMilli(int64(r.Incarnation))).Round(time.Millisecond).Seconds())
}

// endpointsOf is an endpoint of a node as it can be connected to: one with a wildcard stands for all addresses of the
// node, which are those it names and those it was heard from.
func endpointsOf(r *discovery.Record, endpoint string) []string {
	port, wildcard := strings.CutPrefix(endpoint, "tcp://*:")
	if !wildcard {
		return []string{endpoint}
	}
	var all []string
	for _, addr := range append(slices.Clone(r.Addrs), r.From...) {
		host := addr.String()
		if addr.Is6() {
			host = "[" + host + "]"
		}
		if e := "tcp://" + host + ":" + port; !slices.Contains(all, e) && (!addr.IsLinkLocalUnicast() || len(r.Addrs) == 0) {
			all = append(all, e)
		}
	}
	if len(all) == 0 {
		return []string{endpoint}
	}
	return all
}

// shown is what a line has of a node that may change. That it was heard from one more address, say, is no news by
// itself.
func shown(r discovery.Record) string {
	l := newPeerLine("", &r, time.Time{})
	return fmt.Sprint(l.Name, l.Offers)
}

// printPeer prints one line at once: somebody may be watching.
func (a *app) printPeer(kind discovery.EventKind, r *discovery.Record, event bool) error {
	now := time.Now()
	l := newPeerLine(kind, r, now)
	if a.json {
		return a.printJSON(l)
	}
	var fields []string
	if event {
		fields = append(fields, now.Format("15:04:05.000"), fmt.Sprintf("%-7s", kind))
	}
	fields = append(fields, l.Node.String())
	if l.Name != "" {
		fields = append(fields, printable(l.Name))
	}
	for _, o := range l.Offers {
		fields = append(fields, printable(strings.TrimSuffix(o.Service+"/"+o.Type, "/")))
	}
	fields = append(fields, (time.Duration(l.Age) * time.Second).String())
	for _, e := range l.Endpoints {
		fields = append(fields, printable(e))
	}
	return a.print(strings.Join(fields, " ") + "\n")
}
