package pubsub_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/pubsub"
	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport"
)

// Each subscriber gets what its patterns match, in order and once, and nothing else is sent to it.
func TestEachGetsWhatItsPatternsMatch(t *testing.T) {
	subjects := []string{"a", "a.b", "a.c", "a.b.c", "ab", "b", "b.c", "x.y.z"}
	for name, tt := range map[string]struct {
		patterns []string
		want     string
	}{
		"exact":      {[]string{"a"}, "a"},
		"one token":  {[]string{"a.*"}, "a.b a.c"},
		"first":      {[]string{"*.c"}, "a.c b.c"},
		"one more":   {[]string{"a.>"}, "a.b a.c a.b.c"},
		"any more":   {[]string{"a.#"}, "a a.b a.c a.b.c"},
		"everything": {[]string{">"}, strings.Join(subjects, " ")},
		"several":    {[]string{"b", "*.b.*", "nobody"}, "a.b.c b"},
		"overlap":    {[]string{"a.b", "a.*", "*.b", "#"}, strings.Join(subjects, " ")},
	} {
		t.Run(name, func(t *testing.T) {
			eachTransport(t, func(t *testing.T, endpoint string) {
				p := closing(t, pubsub.NewPublisher[int]())
				s := closing(t, pubsub.NewSubscriber[int]())
				subscribe(t, p, s, bound(t, p, endpoint), tt.patterns...)
				var want []string
				for round := range 3 {
					for i, subject := range subjects {
						must(t, p.Publish(within(t), subject, 10*round+i))
						if slices.Contains(strings.Fields(tt.want), subject) {
							want = append(want, fmt.Sprint(subject, "=", 10*round+i))
						}
					}
				}
				events := take(t, s, len(want))
				if got := values(events); !slices.Equal(got, want) {
					t.Errorf("%v, want %v", got, want)
				}
				for _, e := range events {
					if e.Missed != 0 || e.Attempt != 0 || e.Replay || e.From == nil || e.Seq == 0 || !e.Time.IsZero() {
						t.Errorf("%+v", e)
					}
				}
				if st := s.Stats(); st != (pubsub.Stats{Received: uint64(len(want))}) {
					t.Errorf("%+v, want %d received and no more", st, len(want))
				}
			})
		})
	}
}

func TestUnsubscribe(t *testing.T) {
	p := closing(t, pubsub.NewPublisher[int]())
	s := closing(t, pubsub.NewSubscriber[int]())
	subscribe(t, p, s, bound(t, p, "tcp://127.0.0.1:*"), "a.*", "a.b", "c")
	if err := s.Unsubscribe("d"); !errors.Is(err, pubsub.ErrNotSubscribed) {
		t.Errorf("unsubscribe: %v", err)
	}
	must(t, s.Unsubscribe("a.*"))
	must(t, p.WaitBindings(within(t), 2))
	for i, subject := range []string{"a.x", "a.b", "c"} {
		must(t, p.Publish(within(t), subject, i))
	}
	if got := values(take(t, s, 2)); !slices.Equal(got, []string{"a.b=1", "c=2"}) {
		t.Errorf("%v", got)
	}
	if err := s.Unsubscribe("a.*"); !errors.Is(err, pubsub.ErrNotSubscribed) {
		t.Errorf("once more: %v", err)
	}
}

// Headers, time and origin go along with an event; a subscriber that publishes anew passes nothing on by itself.
func TestWhatGoesAlong(t *testing.T) {
	p := closing(t, pubsub.NewPublisher[string](pubsub.WithTime(), pubsub.WithOrigin()))
	s := closing(t, pubsub.NewSubscriber[string]())
	subscribe(t, p, s, bound(t, p, "tcp://127.0.0.1:*"), ">")
	ctx := patterns.WithHeaders(within(t), patterns.Headers{"tenant": "blue"})
	before := time.Now().Truncate(time.Millisecond)
	must(t, p.Publish(ctx, "a", "x"))
	e := take(t, s, 1)[0]
	if e.Headers.Get("tenant") != "blue" || e.Time.Before(before) || e.Time.After(time.Now()) || e.Seq != 1 {
		t.Errorf("%+v", e)
	}
}

func TestErrorsOfPublishAndSubscribe(t *testing.T) {
	p := closing(t, pubsub.NewPublisher[any]())
	s := closing(t, pubsub.NewSubscriber[any]())
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	large := patterns.WithHeaders(t.Context(), patterns.Headers{"a": strings.Repeat("x", 9<<10)})
	for name, tt := range map[string]struct{ got, want error }{
		"a wildcard":         {p.Publish(t.Context(), "a.*", 1), pubsub.ErrSubject},
		"no subject":         {p.Publish(t.Context(), "", 1), pubsub.ErrSubject},
		"an ended context":   {p.Publish(ended, "a", 1), context.Canceled},
		"headers too large":  {p.Publish(large, "a", 1), patterns.ErrHead},
		"no pattern":         {s.Subscribe(""), pubsub.ErrPattern},
		"not a pattern":      {s.Subscribe("a.>.b"), pubsub.ErrPattern},
		"no such endpoint":   {s.Disconnect("tcp://127.0.0.1:1"), socket.ErrNoEndpoint},
		"nor to wait for":    {s.WaitConnected(t.Context(), "tcp://127.0.0.1:1"), socket.ErrNoEndpoint},
		"a wrong endpoint":   {s.Connect("nothing"), transport.ErrAddress},
		"nobody, and waited": {p.WaitSubscribers(ended, "a", 1), context.Canceled},
	} {
		if !errors.Is(tt.got, tt.want) {
			t.Errorf("%s: %v, want %v", name, tt.got, tt.want)
		}
	}
	if err := p.Publish(t.Context(), "a", make(chan int)); err == nil {
		t.Error("a channel was published")
	}
	must(t, p.Publish(t.Context(), "a", 1)) // to nobody
	must(t, p.Close())
	must(t, s.Close())
	for name, tt := range map[string]error{
		"connect":     s.Connect("tcp://127.0.0.1:1"),
		"subscribe":   s.Subscribe("a"),
		"unsubscribe": s.Unsubscribe("a"),
		"wait":        p.WaitSubscribers(t.Context(), "a", 1),
	} {
		if !errors.Is(tt, socket.ErrClosed) {
			t.Errorf("%s after Close: %v", name, tt)
		}
	}
	for e, err := range s.Events(t.Context()) {
		t.Errorf("after Close: %v, %v", e, err)
	}
}

// A subscriber decodes what says that it is of another codec; what it cannot decode is counted and left out.
func TestCodecs(t *testing.T) {
	type quote struct{ Price float64 }
	endpoint := "tcp://127.0.0.1:*"
	s := closing(t, pubsub.NewSubscriber[quote]())
	raw := closing(t, pubsub.NewSubscriber[patterns.Raw]())
	for i, c := range []patterns.Codec{patterns.JSON(), nil} {
		p := closing(t, pubsub.NewPublisher[quote](pubsub.WithCodec(c)))
		at := bound(t, p, endpoint)
		subscribe(t, p, s, at, ">")
		must(t, p.Publish(within(t), "a", quote{1.5 + float64(i)}))
		if got := values(take(t, s, 1)); !slices.Equal(got, []string{fmt.Sprintf("a={%v}", 1.5+float64(i))}) {
			t.Errorf("%v", got)
		}
	}
	p := closing(t, pubsub.NewPublisher[patterns.Raw]())
	at := bound(t, p, endpoint)
	subscribe(t, p, s, at, ">")
	subscribe(t, p, raw, at, ">")
	png := patterns.Raw{Type: "image/png", Data: []byte("\x89PNG")}
	must(t, p.Publish(within(t), "picture", png))
	must(t, p.Publish(within(t), "quote", patterns.Raw{Type: "json", Data: []byte(`{"Price":7}`)}))
	if got := values(take(t, s, 1)); !slices.Equal(got, []string{"quote={7}"}) {
		t.Errorf("%v", got)
	}
	if st := s.Stats(); st.Undecodable != 1 {
		t.Errorf("%+v, want 1 that cannot be decoded", st)
	}
	if got := take(t, raw, 1)[0].Value; got.Type != png.Type || string(got.Data) != string(png.Data) {
		t.Errorf("%+v", got)
	}
}

// Many publishers: what they publish is merged, and each one's is in order.
func TestManyPublishersAreMerged(t *testing.T) {
	const publishers, each = 5, 200
	s := closing(t, pubsub.NewSubscriber[int]())
	must(t, s.Subscribe("*"))
	for i := range publishers {
		p := closing(t, pubsub.NewPublisher[int]())
		at := bound(t, p, []string{"tcp://127.0.0.1:*", "inproc://" + t.Name() + fmt.Sprint(i)}[i%2])
		must(t, s.Connect(at))
		must(t, p.WaitSubscribers(within(t), fmt.Sprint("from", i), 1))
		go func() {
			for n := range each {
				_ = p.Publish(t.Context(), fmt.Sprint("from", i), n)
			}
		}()
	}
	next := make(map[string]int)
	for _, e := range take(t, s, publishers*each) {
		if e.Value != next[e.Subject] {
			t.Fatalf("%s: %d, want %d", e.Subject, e.Value, next[e.Subject])
		}
		next[e.Subject]++
	}
}
