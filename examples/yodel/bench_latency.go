package main

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/yodel-mq/yodel/socket"
)

// latency is the result of ping, in microseconds.
type latency struct {
	Mean float64 `json:"rtt_us"`
	P50  float64 `json:"p50_us"`
	P99  float64 `json:"p99_us"`
	P999 float64 `json:"p999_us"`
}

func (b *bench) echo(ctx context.Context, endpoint string) error {
	sock := socket.NewRep(benchOptions[socket.RepOption](b)...)
	defer sock.Close()
	if err := b.bind(ctx, sock, endpoint); err != nil {
		return err
	}
	guarded, done := b.guard(ctx, sock)
	for range b.count {
		m, err := sock.Recv(guarded)
		if err == nil {
			err = sock.Send(guarded, m)
		}
		if err != nil {
			return done(err)
		}
	}
	return done(sock.Shutdown(guarded)) // the last reply has left when this returns
}

func (b *bench) ping(ctx context.Context, endpoint string) error {
	sock := socket.NewReq(benchOptions[socket.ReqOption](b)...)
	defer sock.Close()
	if err := b.connect(sock, endpoint); err != nil {
		return err
	}
	guarded, done := b.guard(ctx, sock)
	if err := sock.WaitPeers(guarded, 1); err != nil {
		return done(err)
	}
	m := b.body()
	warm := b.count / 10
	trips := make([]time.Duration, 0, b.count-warm)
	for n := range b.count {
		begin := time.Now()
		err := sock.Send(guarded, m)
		if err == nil {
			_, err = sock.Recv(guarded)
		}
		if err != nil {
			return done(err)
		}
		if n >= warm {
			trips = append(trips, time.Since(begin))
		}
	}
	_ = done(nil)
	return b.printJSON(summarise(trips))
}

// summarise returns the mean and percentiles, by nearest rank. It sorts its argument.
func summarise(trips []time.Duration) latency {
	slices.Sort(trips)
	var sum time.Duration
	for _, d := range trips {
		sum += d
	}
	us := func(d time.Duration) float64 { return round(float64(d.Nanoseconds())/1000, 3) }
	rank := func(p float64) float64 {
		return us(trips[max(0, int(math.Ceil(p*float64(len(trips))))-1)])
	}
	return latency{us(sum / time.Duration(len(trips))), rank(0.5), rank(0.99), rank(0.999)}
}
