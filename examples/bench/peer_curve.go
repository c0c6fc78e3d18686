package main

import (
	"context"
	"math"

	"github.com/yodel-mq/yodel/transport/zmtp"
	"github.com/yodel-mq/yodel/transport/zmtp/curve"
)

// A pair is the security mechanisms of the two sides.
type pair struct{ binds, connects zmtp.Mechanism }

// The keys of the manual page of zmq_curve, which libzmq's side has too.
const (
	serverSecret = "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6"
	clientSecret = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs"
)

func curvePair() (*pair, error) {
	server, err := curve.ParseSecretKey(serverSecret)
	if err != nil {
		return nil, err
	}
	client, err := curve.ParseSecretKey(clientSecret)
	if err != nil {
		return nil, err
	}
	return &pair{
		binds:    curve.Server(server, curve.Allow(client.Public())),
		connects: curve.Client(client, server.Public()),
	}, nil
}

// curvePeer is Yodel with CURVE, for the work that has a bar beside libzmq with CURVE.
func curvePeer() *peer {
	return &peer{
		name:    "curve",
		version: func(context.Context, string) (string, error) { return "Yodel with CURVE", nil },
		open: func(ctx context.Context, role string, j job) (conn, error) {
			keys, err := curvePair()
			if err != nil {
				return nil, err
			}
			return openYodel(ctx, role, j, keys)
		},
		most: func(w *work, _ bool) int {
			if !encrypts(w) {
				return 0
			}
			return math.MaxInt
		},
	}
}

func libzmqCurvePeer() *peer { return libzmqBuilt("libzmq-curve", encrypts, "-DCURVE") }

// encrypts reports whether a work is measured with CURVE: streams of 1 KiB and of 64 KiB, and the round trip, over tcp.
func encrypts(w *work) bool {
	return w.Transport == "tcp" && (w.Kind == oneWay && (w.Size == 1<<10 || w.Size == 64<<10) || w.Kind == roundTrip)
}
