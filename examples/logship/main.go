// Command logship ships what is appended to a file to a collector, which may be away for as long as it likes:
//
//	go run ./examples/logship ship /var/log/app.log /var/spool/logship
//	go run ./examples/logship collect /srv/app.log
//
// The shipper keeps what is to be sent in a spool, on disk, until the collector has said that it has written it. Either
// may be killed at any time, with kill -9 or by the power, and started again: the collector's file is the shipper's,
// byte by byte, without a gap and with nothing twice. The file must only grow.
package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/yodel-mq/yodel/examples/internal/cli"
	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/spool"
)

var at = flag.String("at", "tcp://127.0.0.1:7007", "the endpoint of the collector")

const collector = "collector" // the shipper knows it by this name, also when it has been started again

func main() {
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: logship [flags] ship FILE DIRECTORY | collect FILE")
		flag.PrintDefaults()
	}
	flag.Parse()
	ctx, _ := cli.Context(context.Background()) // a second Ctrl-C ends the program at once
	err := errors.New("say ship, a file and a directory for the spool, or collect and a file")
	switch {
	case flag.Arg(0) == "ship" && flag.NArg() == 3:
		err = ship(ctx, flag.Arg(1), flag.Arg(2))
	case flag.Arg(0) == "collect" && flag.NArg() == 2:
		err = collect(ctx, flag.Arg(1))
	}
	if err != nil && ctx.Err() == nil { // else it was told to end
		fmt.Fprintln(os.Stderr, "logship:", err)
		os.Exit(1)
	}
}

// ship sends the lines of a file, and then those that are appended, each message with the position of what it has.
func ship(ctx context.Context, file, dir string) error {
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer in.Close()
	kept, err := spool.Open(dir, spool.Options{})
	if err != nil {
		return err
	}
	defer kept.Close()
	push := socket.NewPush(socket.WithSpool(kept), socket.WithPartition(collector)) // for that one alone, in order
	defer push.Close()
	if err := push.Connect(*at); err != nil {
		return err
	}
	// A crash between the two at the end of the loop ships something twice, which the collector notices.
	position := dir + ".position"
	pos := load(position)
	fmt.Println("shipping from", pos)
	for buffer := make([]byte, 64<<10); ; {
		n, err := in.ReadAt(buffer, pos)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		lines := buffer[:bytes.LastIndexByte(buffer[:n], '\n')+1]
		if len(lines) == 0 && n == len(buffer) { // a line that is longer goes in parts
			lines = buffer
		}
		if len(lines) == 0 {
			select {
			case <-time.After(20 * time.Millisecond):
				continue
			case <-ctx.Done():
				return nil // what the collector lacks is in the spool
			}
		}
		err = push.Send(ctx, socket.NewMsg(strconv.AppendInt(nil, pos, 10), bytes.Clone(lines)))
		if err != nil { // else it is on disk
			return err
		}
		pos += int64(len(lines))
		if err = store(position, pos); err != nil {
			return err
		}
	}
}

// collect appends what is shipped to a file, and lets the shipper forget what is on disk here.
func collect(ctx context.Context, file string) error {
	out, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	have, err := out.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	pull := socket.NewPull(socket.WithManualAck(), socket.WithName(collector))
	defer pull.Close()
	if _, err := pull.Bind(ctx, *at); err != nil {
		return err
	}
	fmt.Println("collecting from", have)
	for {
		d, err := pull.Next(ctx)
		if err != nil {
			return err
		}
		pos, err := strconv.ParseInt(string(d.Frames[0]), 10, 64)
		if err != nil || len(d.Frames) != 2 || pos > have {
			return fmt.Errorf("%d bytes are here, and the next message has %.20q: of another file?", have, d.Frames[0])
		}
		lines := d.Frames[1]
		n, err := out.Write(lines[min(have-pos, int64(len(lines))):]) // but for what is here already
		have += int64(n)
		if err = cmp.Or(err, out.Sync()); err != nil {
			return err
		}
		_ = d.Ack() // a shipper that has gone hears of it when it is back
	}
}

// load reads a number from a file. Without one it is 0: all is shipped again, which the collector notices.
func load(file string) int64 {
	b, _ := os.ReadFile(file)
	n, _ := strconv.ParseInt(string(b), 10, 64)
	return n
}

func store(file string, n int64) error {
	if err := os.WriteFile(file+".new", strconv.AppendInt(nil, n, 10), 0o644); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}
