package zmqcompat

import (
	"context"
	"log"
	"log/slog"
	"slices"
	"strings"
)

// toLog returns a logger for the engine that writes lines to l.
func toLog(l *log.Logger) *slog.Logger { return slog.New(lines{l: l}) }

// lines is a slog.Handler that writes "message key=value …" by a log.Logger, which has its own ideas of time and
// prefix. It leaves out what is no trouble: the original logs failures only.
type lines struct {
	l     *log.Logger
	attrs []slog.Attr
}

func (h lines) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

func (h lines) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString(r.Message)
	add := func(a slog.Attr) bool {
		b.WriteString(" " + a.String())
		return true
	}
	for _, a := range h.attrs {
		add(a)
	}
	r.Attrs(add)
	return h.l.Output(0, b.String())
}

func (h lines) WithAttrs(attrs []slog.Attr) slog.Handler {
	return lines{h.l, append(slices.Clip(h.attrs), attrs...)}
}

func (h lines) WithGroup(string) slog.Handler { return h } // the engine has no groups
