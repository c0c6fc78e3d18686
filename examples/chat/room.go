package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/yodel-mq/yodel/discovery"
	"github.com/yodel-mq/yodel/discovery/mdns"
	"github.com/yodel-mq/yodel/socket"
)

// service is the name under which everybody in the room is found; the room itself is a group.
const service = "chat"

// A room is a chat room as one of those in it has it: each publishes what he says, and has subscribed to all others.
type room struct {
	name        string
	pub         *socket.Pub
	sub         *socket.Sub
	node        *discovery.Node
	events      <-chan discovery.Event
	synced      chan struct{} // closed when we know who was here before us
	out, errors io.Writer
	quiet       bool // without notices

	mu     sync.Mutex
	people map[discovery.ID]bool

	printing sync.Mutex
}

// enter joins the room. What others say goes to out, all else to errors.
func enter(ctx context.Context, name, roomName, on string, out, errors io.Writer, quiet bool) (*room, error) {
	var opts []mdns.Option
	if on != "" {
		opts = append(opts, mdns.WithInterfaces(func(i net.Interface) bool { return i.Name == on }))
	}
	r := &room{
		name: name, out: out, errors: errors, quiet: quiet,
		synced: make(chan struct{}), people: make(map[discovery.ID]bool),
		pub: socket.NewPub(),
		sub: socket.NewSub(socket.WithSubscription("")), // to everything
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
	if _, err = r.pub.Bind(ctx, "tcp://*:*"); err != nil {
		return err
	}
	if r.events, err = r.node.Watch(context.Background(), discovery.Query{Service: service}); err != nil {
		return err
	}
	if err = r.node.Connect(service, r.sub); err != nil {
		return err
	}
	return r.node.Announce(ctx, service, r.pub)
}

// say says a line to everybody in the room. For somebody who has just come, and whose subscription is on its way, it
// waits a moment.
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
	_ = r.pub.WaitSubscribers(wait, "", n) // one who is not listening does not keep the others waiting for long
	return r.pub.Send(ctx, socket.Text(r.name, line))
}

// listen prints what others say until the room is left.
func (r *room) listen(ctx context.Context) {
	for m, err := range r.sub.Messages(ctx) {
		if err != nil {
			return
		}
		if len(m.Frames) == 2 {
			r.print(r.out, fmt.Sprintf("%s: %s", m.Frames[0], m.Frames[1]))
		}
	}
}

// watch keeps account of who is in the room until it is left.
func (r *room) watch() {
	arrival := "is here"
	for e := range r.events {
		name := e.Record.Name
		switch e.Kind {
		case discovery.Added:
			r.count(e.Record.ID, 1)
			r.notice("%s %s", name, arrival)
		case discovery.Left:
			r.count(e.Record.ID, 0)
			r.notice("%s has left", name)
		case discovery.Expired: // without a goodbye
			r.count(e.Record.ID, 0)
			r.notice("%s is gone", name)
		case discovery.Synced: // that were all who had been there before us
			arrival = "has joined"
			close(r.synced)
		case discovery.Trouble:
			r.print(r.errors, e.Err.Error())
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
	_ = r.pub.Shutdown(ctx)
	_ = r.node.Shutdown(ctx)
	_ = r.sub.Close()
}

func (r *room) notice(format string, args ...any) {
	if !r.quiet {
		r.print(r.errors, "* "+fmt.Sprintf(format, args...))
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
