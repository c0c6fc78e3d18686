package main

import (
	"fmt"
	"strings"
	"time"
)

// describe tells of each socket what it did, for whoever looks into a scenario that failed.
func describe(all []*evidence) (lines []string) {
	var began time.Time
	for _, e := range all {
		for _, c := range e.Conns {
			if !c.Up.IsZero() && (began.IsZero() || c.Up.Before(began)) {
				began = c.Up
			}
		}
	}
	since := func(t time.Time) string {
		if t.IsZero() {
			return "-"
		}
		return t.Sub(began).Round(time.Millisecond).String()
	}
	for _, e := range all {
		lines = append(lines, e.line(since))
		strangers := 0
		for _, c := range e.Conns {
			if c.Peer == (key{}) {
				strangers++
				continue
			}
			lines = append(lines, "    "+c.line(since))
		}
		if strangers > 0 {
			lines = append(lines, fmt.Sprintf("    with strangers: %d", strangers))
		}
	}
	return lines
}

func (e *evidence) line(since func(time.Time) string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: sent %d, received %d", e.Role, e.key, e.accepted(), e.handed())
	for _, lane := range sortedKeys(e.Sent) {
		fmt.Fprintf(&b, "; lane %d to %d, refused %d", lane, e.Sent[lane].Last, e.Sent[lane].Refused.count())
	}
	if e.Asked != (asked{}) {
		fmt.Fprintf(&b, "; asked %+v", e.Asked)
	}
	if e.Killed {
		b.WriteString("; killed")
	}
	if e.Failed {
		b.WriteString("; did not end")
	}
	if !e.Began.IsZero() {
		how := "shut down"
		if e.ByClose {
			how = "closed"
		}
		fmt.Fprintf(&b, "; %s from %s to %s %s", how, since(e.Began), since(e.Ended), e.EndErr)
	}
	if l := e.Ledger; l != nil {
		fmt.Fprintf(&b, "; ledger: accepted %d, delivered %d, queued %d, dropped %v",
			l.Accepted, l.Delivered, l.Queued, l.Dropped)
		fmt.Fprintf(&b, "; received %d, handed %d, unread %d, discarded %v",
			l.Received, l.Handed, l.Unread, l.Discarded)
	}
	return b.String()
}

func (c *conn) line(since func(time.Time) string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "with %s, up %s, down %s", c.Peer, since(c.Up), since(c.DownAt))
	if c.Down {
		fmt.Fprintf(&b, " (%s), when %v had been sent", c.Err, c.Sent)
	}
	for id, rs := range c.Got {
		fmt.Fprintf(&b, "; got %d of %s lane %d", rs.count(), id.From, id.Lane)
		if len(rs) > 0 {
			fmt.Fprintf(&b, ", %d to %d", rs[0].First, rs[len(rs)-1].Last)
		}
	}
	return b.String()
}
