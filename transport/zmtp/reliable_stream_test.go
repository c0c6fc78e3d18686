package zmtp

import (
	"strings"
	"testing"
	"time"
)

func TestStreamCommandBytes(t *testing.T) {
	for _, tt := range []struct {
		name string
		got  []byte
		want string
	}{
		{"NEXT", AppendNext(nil, Next{Number: 9}), "04 14 04 'NEXT' 0000000000000009 0000 00 00000000"},
		{
			"NEXT, redelivered", AppendNext(nil, Next{Number: 9, Attempts: 3, Redelivered: true}),
			"04 14 04 'NEXT' 0000000000000009 0003 01 00000000",
		},
		{
			"NEXT with time left", AppendNext(nil, Next{Number: 9, TTL: time.Second}),
			"04 14 04 'NEXT' 0000000000000009 0000 00 000003E8",
		},
		{"LOW", AppendLow(nil, 9), "04 0C 03 'LOW' 0000000000000009"},
		{
			"LOW with what is settled above", AppendLow(nil, 9, Range{11, 15}),
			"04 1E 03 'LOW' 0000000000000009 0001 000000000000000B 000000000000000F",
		},
		{"GAP", AppendGap(nil, Range{5, 9}, GapLimit), "04 15 03 'GAP' 0000000000000005 0000000000000009 01"},
		{"BYE", AppendBye(nil, ByeReceiving), "04 05 03 'BYE' 02"},
		{
			"DSUB", AppendDurableSubscribe(nil, &DurableSubscription{Name: "me", Topic: []byte("a.")}),
			"04 14 04 'DSUB' 00 00 0000000000000000 02 'me' 'a.'",
		},
		{
			"DSUB from a number", AppendDurableSubscribe(nil, &DurableSubscription{Start: StartAtNumber, At: 7, Name: "me"}),
			"04 12 04 'DSUB' 00 02 0000000000000007 02 'me'",
		},
		{
			"DSUB that has listed all", AppendDurableSubscribe(nil, &DurableSubscription{All: true, Name: "me"}),
			"04 12 04 'DSUB' 02 00 0000000000000000 02 'me'",
		},
		{
			"DSUB that ends", AppendDurableSubscribe(nil, &DurableSubscription{End: true, Name: "me"}),
			"04 12 04 'DSUB' 01 00 0000000000000000 02 'me'",
		},
	} {
		t.Run(tt.name, func(t *testing.T) { wantBytes(t, tt.got, wire(tt.want)) })
	}
	long := DurableSubscription{Name: strings.Repeat("x", 300), Topic: []byte("t")}
	_, data, err := ParseCommand(AppendDurableSubscribe(nil, &long)[9:])
	wantError(t, err, nil)
	if d, err := ParseDurableSubscribe(data); err != nil || d.Name != long.Name[:255] || string(d.Topic) != "t" {
		t.Errorf("a name of 300 bytes became %q and the topic %q, %v", d.Name, d.Topic, err)
	}
}

func TestParseStreamCommands(t *testing.T) {
	next := func(b []byte) (any, error) { return ParseNext(b) }
	low := func(b []byte) (any, error) {
		low, settled, err := ParseLow(b, nil)
		return [2]any{low, len(settled)}, err
	}
	gap := func(b []byte) (any, error) {
		g, why, err := ParseGap(b)
		return [3]uint64{g.From, g.To, uint64(why)}, err
	}
	bye := func(b []byte) (any, error) { return ParseBye(b) }
	dsub := func(b []byte) (any, error) {
		d, err := ParseDurableSubscribe(b)
		return [5]any{d.End, d.Start, d.At, d.Name, string(d.Topic)}, err
	}
	none := [5]any{false, StartNew, uint64(0), "", ""}
	for _, tt := range []struct {
		name  string
		parse func([]byte) (any, error)
		data  string
		want  any
		err   error
	}{
		{"NEXT", next, "0000000000000009 0003 01 000003E8", Next{9, 3, true, time.Second}, nil},
		{"NEXT of a later version", next, "0000000000000009 0003 FE 00000000 'later'", Next{9, 3, false, 0}, nil},
		{"NEXT, cut short", next, "0000000000000009 0003 01 000003", Next{}, ErrMalformed},
		{"LOW", low, "0000000000000009", [2]any{uint64(9), 0}, nil},
		{
			"LOW with what is settled above", low, "0000000000000009 0001 000000000000000B 000000000000000F",
			[2]any{uint64(9), 1},
			nil,
		},
		{"LOW with a range past the end", low, "0000000000000009 0001 000000000000000B", [2]any{uint64(0), 0}, ErrMalformed},
		{"LOW of a later version", low, "0000000000000009 0000 'later'", [2]any{uint64(9), 0}, nil},
		{"LOW, cut short", low, "00000000000009", [2]any{uint64(0), 0}, ErrMalformed},
		{"GAP", gap, "0000000000000005 0000000000000009 02", [3]uint64{5, 9, 2}, nil},
		{"GAP of a later version", gap, "0000000000000005 0000000000000009 77 'later'", [3]uint64{5, 9, 0x77}, nil},
		{"GAP, cut short", gap, "0000000000000005 0000000000000009", [3]uint64{}, ErrMalformed},
		{"GAP of nothing", gap, "0000000000000005 0000000000000005 01", [3]uint64{}, ErrMalformed},
		{"BYE", bye, "03", ByeSending | ByeReceiving, nil},
		{"BYE of a later version", bye, "FE 'later'", ByeReceiving, nil},
		{"BYE, empty", bye, "", Bye(0), ErrMalformed},
		{"DSUB", dsub, "00 03 0000000000000007 02 'me' 'a.'", [5]any{false, StartAtTime, uint64(7), "me", "a."}, nil},
		{"DSUB to everything", dsub, "00 00 0000000000000000 02 'me'", [5]any{false, StartNew, uint64(0), "me", ""}, nil},
		{"DSUB of a later one", dsub, "FE 00 0000000000000000 02 'me'", [5]any{false, StartNew, uint64(0), "me", ""}, nil},
		{"DSUB that ends", dsub, "01 00 0000000000000000 02 'me'", [5]any{true, StartNew, uint64(0), "me", ""}, nil},
		{"DSUB, cut short", dsub, "00 00 0000000000000000", none, ErrMalformed},
		{"DSUB with a name past the end", dsub, "00 00 0000000000000000 03 'me'", none, ErrMalformed},
		{"DSUB without a name", dsub, "00 00 0000000000000000 00 'me'", none, ErrMalformed},
		{"DSUB with a start that we do not know", dsub, "00 04 0000000000000000 02 'me'", none, ErrMalformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.parse(wire(tt.data))
			wantError(t, err, tt.err)
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}
