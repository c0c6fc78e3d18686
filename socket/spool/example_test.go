package spool_test

import (
	"context"
	"fmt"
	"os"

	"github.com/yodel-mq/yodel/socket/spool"
)

func ExampleOpen() {
	dir, _ := os.MkdirTemp("", "spool")
	defer os.RemoveAll(dir)
	ctx := context.Background()

	q, err := spool.Open(dir, spool.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range []string{"one", "two", "three"} {
		if _, err := q.Append(ctx, spool.Message{Frames: [][]byte{[]byte(s)}}); err != nil { // nil: on disk and synced
			fmt.Println(err)
		}
	}
	q.Close()

	q, _ = spool.Open(dir, spool.Options{})
	defer q.Close()
	c, _ := q.Cursor("", spool.CursorOptions{})
	ms, _ := c.Next(ctx, 2, 0)
	for _, m := range ms {
		fmt.Println(m.Seq, string(m.Frames[0]))
		c.Settle(spool.Range{From: m.Seq, To: m.Seq + 1})
	}
	fmt.Println(q.Stats().Live.Messages, "left")
	// Output:
	// 1 one
	// 2 two
	// 1 left
}

func ExampleSpool_Begin() {
	dir, _ := os.MkdirTemp("", "spool")
	defer os.RemoveAll(dir)
	q, _ := spool.Open(dir, spool.Options{})
	defer q.Close()

	tx := q.Begin() // all of it or nothing
	tx.Append(spool.Message{Frames: [][]byte{[]byte("from line 17")}})
	tx.Set("lines read", []byte("17"))
	first, err := tx.Commit(context.Background())
	read, _ := q.Value("lines read")
	fmt.Println(first, err, string(read))
	// Output: 1 <nil> 17
}

func ExampleInspect() {
	dir, _ := os.MkdirTemp("", "spool")
	defer os.RemoveAll(dir)
	ctx := context.Background()
	q, _ := spool.Open(dir, spool.Options{})
	defer q.Close() // the owner goes on meanwhile
	q.Append(ctx, spool.Message{Frames: [][]byte{[]byte("one")}})

	v, err := spool.Inspect(dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer v.Close()
	for e, err := range v.Browse(ctx, 0) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(e.Seq, string(e.Frames[0]), e.State)
	}
	pid, _, _ := v.Owner()
	fmt.Println("has an owner:", pid == os.Getpid())
	report, err := v.Verify(ctx)
	fmt.Println(report.Messages, "checked,", len(report.Damage), "damaged,", err)
	// Output:
	// 1 one queued
	// has an owner: true
	// 1 checked, 0 damaged, <nil>
}
