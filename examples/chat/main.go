// Command chat is a chat room without an address anywhere: start it twice, on one machine or on two of a local network.
//
//	go run ./examples/chat --name ann
//	go run ./examples/chat --name bob
//
// What you type is said to everybody in the room, and what others say is printed, one line each. "@bob hi" is for bob
// alone. --room chooses another room than the lobby. The end of the input (Ctrl-D) ends it, as do Ctrl-C and the end of
// whoever reads what it prints.
//
// In pipes nothing but messages is printed, so that programs can take part:
//
//	uptime | go run ./examples/chat --name server
//
// Everybody in the network can listen in and call himself what he likes.
//
// Read room.go: it is all there is to it.
package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/yodel-mq/yodel/examples/internal/cli"
)

func main() {
	name := flag.String("name", cmp.Or(os.Getenv("USER"), os.Getenv("USERNAME"), "somebody"),
		"what others see you as, up to 63 bytes")
	roomName := flag.String("room", "lobby", "where to chat: up to 63 of a-z, 0-9, \"-\", \".\" and \"_\"")
	notices := flag.Bool("notices", isTerminal(os.Stderr),
		"tell on standard error who comes and goes; by default if that is a terminal")
	on := flag.String("interface", "", "the network interface to chat on; by default all but public ones")
	flag.Parse()

	ctx, _ := cli.Context(context.Background()) // a second Ctrl-C ends the program at once
	if err := chat(ctx, *name, *roomName, *on, *notices); err != nil {
		fmt.Fprintln(os.Stderr, "chat:", err)
		os.Exit(1)
	}
}

func chat(ctx context.Context, name, roomName, on string, notices bool) error {
	r, err := enter(ctx, name, roomName, on, os.Stdout, os.Stderr, !notices)
	if err != nil {
		return err
	}
	defer r.leave()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer cli.WatchReader(os.Stdout, func() { cancel(errUnread) })()
	r.notice("you are %s, in the room %s; Ctrl-D ends", name, roomName)
	go r.watch()
	go r.listen(ctx)

	lines := make(chan string)
	in := bufio.NewScanner(os.Stdin)
	go func() { // a read cannot be interrupted
		defer close(lines)
		for in.Scan() {
			lines <- in.Text()
		}
	}()
	for {
		select {
		case line, more := <-lines:
			if !more {
				return in.Err()
			}
			if err := r.say(ctx, line); err != nil {
				return err
			}
		case <-ctx.Done():
			if err := context.Cause(ctx); errors.Is(err, errUnread) {
				return err
			}
			return nil // a signal: as good an end as any
		}
	}
}

var errUnread = errors.New("nobody reads any more what is printed")

// isTerminal reports whether somebody sits at f, as far as a file can tell.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
