package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/yodel-mq/yodel/socket"
)

// A report is what one process has to say at the end.
type report struct {
	Name    string
	PID     int
	Found   time.Duration  // how long it took to find and connect to the host
	Replies int            // to its requests
	Heard   map[string]int // news by topic
	Rows    []row
}

// A row is the ledger of one socket.
type row struct {
	Type    string
	Out, In string // what it sends and receives
	Ledger  socket.Ledger
	Problem string // if the ledger does not balance
}

func rowOf(out, in string, s socket.Socket) row {
	st := s.Stats()
	r := row{Type: s.Type(), Out: out, In: in, Ledger: st.Ledger}
	if err := st.Check(); err != nil {
		r.Problem = err.Error()
	}
	return r
}

// account prints what happened and the ledger of every socket, and returns what does not add up.
func account(own report, guests []report) error {
	all := append([]report{own}, guests...)
	printStory(all)
	printLedgers(all)
	if err := check(all); err != nil {
		return fmt.Errorf("messages are not accounted for:\n%w", err)
	}
	fmt.Println("\nEvery message is accounted for.")
	return nil
}

func printStory(all []report) {
	for _, r := range all[1:] {
		fmt.Printf("Guest %s, process %d, found the host by name in %v.\n", r.Name, r.PID, r.Found.Round(time.Millisecond))
		fmt.Printf("  It had %d requests answered over tcp and heard over ipc %d messages on the weather and %d on sport.\n",
			r.Replies, r.Heard["weather"], r.Heard["sport"])
	}
	fmt.Printf("In the host, %d workers did %d jobs over inproc.\n", workers, jobs)
	fmt.Printf("Nobody wanted to hear of chess: the %d messages about it were dropped, and counted.\n\n", newsPerTopic)
}

func printLedgers(all []report) {
	fmt.Printf("%-7s  %-6s  %-9s  %-9s  %s\n", "process", "socket", "sends", "receives", "ledger, in messages")
	for _, r := range all {
		for _, s := range r.Rows {
			fmt.Printf("%-7s  %-6s  %-9s  %-9s  %s\n", r.Name, s.Type, s.Out, s.In, s.Ledger)
		}
	}
}

func lost(by map[socket.Reason]socket.Count) (n uint64) {
	for _, c := range by {
		n += c.Messages
	}
	return n
}

// check holds the ledgers against themselves, against each other and against what was meant to happen.
func check(all []report) error {
	var problems []error
	problem := func(format string, args ...any) { problems = append(problems, fmt.Errorf("  "+format, args...)) }

	// Each socket by itself: the ledger balances, and nothing is left over or lost but the news on chess.
	delivered, received := make(map[string]socket.Count), make(map[string]socket.Count)
	for _, r := range all {
		for _, s := range r.Rows {
			l := s.Ledger
			if s.Problem != "" {
				problem("%s %s: %s", r.Name, s.Type, s.Problem)
			}
			if l.Queued.Messages+l.Unread.Messages+lost(l.Discarded) > 0 {
				problem("%s %s: queued %d, unread %d, discarded %v; want none", r.Name, s.Type, l.Queued.Messages,
					l.Unread.Messages, l.Discarded)
			}
			want := uint64(0)
			if s.Type == "PUB" {
				want = newsPerTopic
			}
			if got := l.Dropped[socket.NoSubscriber].Messages; got != want || lost(l.Dropped) != got {
				problem("%s %s: dropped %v; want %d, for want of a subscriber", r.Name, s.Type, l.Dropped, want)
			}
			add(delivered, s.Out, l.Delivered)
			add(received, s.In, l.Received)
		}
	}

	// All sockets together: what some have delivered others have received, to the byte.
	asked := uint64(len(guests) * requestsPerGuest)
	for what, want := range map[string]uint64{
		"questions": asked,
		"answers":   asked,
		"news":      3*newsPerTopic + uint64(len(guests)), // weather twice, sport once, and the end
		"jobs":      jobs,
		"results":   jobs,
	} {
		if d, r := delivered[what], received[what]; d != r || d.Messages != want {
			problem("%s: delivered %+v, received %+v; want %d messages", what, d, r, want)
		}
	}

	// What the applications saw.
	for i, r := range all[1:] {
		if r.Replies != requestsPerGuest {
			problem("%s had %d replies, want %d", r.Name, r.Replies, requestsPerGuest)
		}
		if len(r.Heard) != len(guests[i].topics) {
			problem("%s heard of %v, want %v", r.Name, r.Heard, guests[i].topics)
		}
		for _, topic := range guests[i].topics {
			if r.Heard[topic] != newsPerTopic {
				problem("%s heard %d messages on %s, want %d", r.Name, r.Heard[topic], topic, newsPerTopic)
			}
		}
	}
	return errors.Join(problems...)
}

func add(sums map[string]socket.Count, what string, c socket.Count) {
	s := sums[what]
	sums[what] = socket.Count{Messages: s.Messages + c.Messages, Bytes: s.Bytes + c.Bytes}
}
