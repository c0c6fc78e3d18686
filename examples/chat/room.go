package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/yodel-mq/yodel/discovery"
	"github.com/yodel-mq/yodel/discovery/mdns"
	"github.com/yodel-mq/yodel/patterns/group"
)

// service is the name under which everybody in the room is found. The room itself is a group, of discovery so that
// strangers are not even connected, and of the members.
const service = "chat"

// A room is a chat room as one of those in it has it: a member that all others connect to, and that connects to them.
type room struct {
	name      string // of the room
	member    *group.Member[string]
	node      *discovery.Node
	events    <-chan discovery.Event
	synced    chan struct{} // closed when we know who was here before us
	out, errs io.Writer
	quiet     bool // without notices

	mu     sync.Mutex
	people map[discovery.ID]bool

	printing sync.Mutex
}

// enter joins the room. What others say goes to out, all else to errors.
func enter(ctx context.Context, name, roomName, on string, out, errs io.Writer, quiet bool) (*room, error) {
	var opts []mdns.Option
	if on != "" {
		opts = append(opts, mdns.WithInterfaces(func(i net.Interface) bool { return i.Name == on }))
	}
	r := &room{
		name: roomName, out: out, errs: errs, quiet: quiet,
		synced: make(chan struct{}), people: make(map[discovery.ID]bool),
		member: group.New[string](name),
		// Name is what others see. There is no address, of ours or anybody else's, here or below.
		node: discovery.NewNode(mdns.New(opts...), discovery.WithGroup(roomName), discovery.WithName(name)),
	}
	err := r.join(ctx)
	if err != nil {
		r.leave()
		return nil, err
	}
	return r, nil
}

func (r *room) join(ctx context.Context) (err error) {
	// On every interface, at any port: the node tells others which.
	if _, err = r.member.Bind(ctx, "tcp://*:*"); err != nil {
		return err
	}
	if err = r.member.Join(r.name); err != nil {
		return err
	}
	if r.events, err = r.node.Watch(context.Background(), discovery.Query{Service: service}); err != nil {
		return err
	}
	if err = r.node.Connect(service, r.member); err != nil {
		return err
	}
	return r.node.Announce(ctx, service, r.member)
}

// say says a line to everybody in the room, or to one of them if it begins with his name as in "@bob hi". For somebody
// who has just come, and is not connected yet, it waits a moment.
func (r *room) say(ctx context.Context, line string) error {
	wait, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	select {
	case <-r.synced:
	case <-wait.Done():
	}
	r.mu.Lock()
	n := len(r.people)
	r.mu.Unlock()
	_ = r.member.WaitPeers(wait, r.name, n) // one who does not come does not keep the others waiting for long
	to, text, _ := strings.Cut(line, " ")
	for _, p := range r.member.Peers(r.name) {
		if to == "@"+p.Name {
			return r.member.Whisper(ctx, p, text)
		}
	}
	return r.member.Shout(ctx, r.name, line)
}

// listen prints what others do and say until the room is left.
func (r *room) listen(ctx context.Context) {
	for e, err := range r.member.Events(ctx) {
		if err != nil {
			continue // somebody has said what is no line of text; or this is the end
		}
		switch e.Kind {
		case group.Joined:
			r.notice("%s %s", e.Peer, r.arrival())
		case group.Shout:
			r.print(r.out, fmt.Sprintf("%s: %s", e.Peer, e.Value))
		case group.Whisper:
			r.print(r.out, fmt.Sprintf("%s, to you: %s", e.Peer, e.Value))
		case group.Exited:
			if errors.Is(e.Cause, io.EOF) {
				r.notice("%s has left", e.Peer)
			} else {
				r.notice("%s is gone", e.Peer)
			}
		case group.Entered, group.Left:
		}
	}
}

// arrival is what to say of one who is there now, but perhaps was before us.
func (r *room) arrival() string {
	select {
	case <-r.synced:
		return "has joined"
	default:
		return "is here"
	}
}

// watch keeps account of who is announced, and so will be in the room in a moment, until it is left.
func (r *room) watch() {
	for e := range r.events {
		switch e.Kind {
		case discovery.Added:
			r.count(e.Record.ID, 1)
		case discovery.Left, discovery.Expired:
			r.count(e.Record.ID, 0)
		case discovery.Synced: // that were all who had been there before us
			close(r.synced)
		case discovery.Trouble:
			r.print(r.errs, e.Err.Error())
		case discovery.Updated, discovery.Incompatible:
		}
	}
}

// count takes note of who is there.
func (r *room) count(id discovery.ID, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n == 0 {
		delete(r.people, id)
	} else {
		r.people[id] = true
	}
}

// leave sends what is still to be sent and says goodbye.
func (r *room) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_ = r.member.Shutdown(ctx)
	_ = r.node.Shutdown(ctx)
}

func (r *room) notice(format string, args ...any) {
	if !r.quiet {
		r.print(r.errs, "* "+fmt.Sprintf(format, args...))
	}
}

// print writes a line, without what a terminal would obey: strangers may say anything.
func (r *room) print(w io.Writer, line string) {
	line = strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return -1
		}
		return c
	}, line)
	r.printing.Lock()
	defer r.printing.Unlock()
	_, _ = fmt.Fprintln(w, line)
}
