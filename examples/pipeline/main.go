// Command pipeline has a whole directory tree compressed, and a checksum made of each file, by as many workers as you
// start, on this machine or on others that have the same files:
//
//	go run ./examples/pipeline work
//	go run ./examples/pipeline work
//	go run ./examples/pipeline give /usr/share/doc /tmp/compressed
//
// It prints the checksums as sha256sum does, in the order of the names, whichever worker is done first. Kill any worker
// meanwhile, with Ctrl-C or kill -9: what it had goes to another one. A job may be done twice then, which does no harm
// as a file is put in its place whole.
package main

import (
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"runtime"

	"github.com/yodel-mq/yodel/examples/internal/cli"
	"github.com/yodel-mq/yodel/patterns/pipeline"
)

type job struct{ From, To string }

type digest struct{ Path, SHA256 string }

var (
	at    = flag.String("at", "tcp://127.0.0.1:7006", "the endpoint of who gives the jobs")
	hands = flag.Int("hands", runtime.NumCPU(), "how many files a worker does at a time")
)

func main() {
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: pipeline [flags] give FROM TO | work")
		flag.PrintDefaults()
	}
	flag.Parse()
	ctx, _ := cli.Context(context.Background()) // a second Ctrl-C ends the program at once
	err := errors.New("say work, or give and two directories")
	switch {
	case flag.Arg(0) == "give" && flag.NArg() == 3:
		err = give(ctx, flag.Arg(1), flag.Arg(2))
	case flag.Arg(0) == "work":
		err = work(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "pipeline:", err)
		os.Exit(1)
	}
}

func give(ctx context.Context, from, to string) error {
	push := pipeline.NewPusher[job](pipeline.WithMaxAttempts(5))
	defer push.Close()
	if _, err := push.Bind(ctx, *at); err != nil {
		return err
	}
	var walk error
	failed := 0
	for d, err := range pipeline.Map[digest](ctx, push, files(from, to, &walk)) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil { // of one file; the others go on
			failed++
			fmt.Fprintln(os.Stderr, err)
			continue
		}
		fmt.Printf("%s  %s\n", d.SHA256, d.Path)
	}
	s := push.Stats()
	fmt.Fprintf(os.Stderr, "%d files done, %d failed, %d given again\n", s.Done, failed, s.Redelivered)
	if failed > 0 {
		walk = errors.Join(walk, errors.New("some files could not be done"))
	}
	return walk
}

// files yields a job for each file below a directory.
func files(from, to string, walk *error) iter.Seq[job] {
	return func(yield func(job) bool) {
		*walk = filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			name, err := filepath.Rel(from, path)
			if err == nil && !yield(job{path, filepath.Join(to, name+".gz")}) {
				return fs.SkipAll
			}
			return err
		})
	}
}

func work(ctx context.Context) error {
	worker := pipeline.NewWorker[job]()
	defer worker.Close()
	if err := worker.Connect(*at); err != nil {
		return err
	}
	fmt.Println("working")
	err := worker.Run(ctx, *hands, func(_ context.Context, j *pipeline.Job[job]) error {
		d, err := compress(j.Value)
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
			return pipeline.Reject(err) // another worker could do no better
		case err != nil:
			return err // again, later
		}
		fmt.Println(d.Path)
		return j.Done(d)
	})
	if ctx.Err() != nil {
		return nil // it was told to end, and what it had begun is done
	}
	return err
}

func compress(j job) (d digest, err error) {
	in, err := os.Open(j.From)
	if err != nil {
		return d, err
	}
	defer in.Close()
	if err = os.MkdirAll(filepath.Dir(j.To), 0o755); err != nil {
		return d, err
	}
	out, err := os.CreateTemp(filepath.Dir(j.To), ".compress-*")
	if err != nil {
		return d, err
	}
	defer os.Remove(out.Name())
	sum, packed := sha256.New(), gzip.NewWriter(out)
	_, err = io.Copy(io.MultiWriter(sum, packed), in)
	if err = errors.Join(err, packed.Close(), out.Close()); err != nil {
		return d, err
	}
	return digest{j.From, hex.EncodeToString(sum.Sum(nil))}, os.Rename(out.Name(), j.To)
}
