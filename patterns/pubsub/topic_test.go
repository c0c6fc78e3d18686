package pubsub

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

// requests and how they travel, in hex behind the NUL.
var requests = map[string]struct {
	r   request
	hex string
}{
	"a pattern":  {request{pattern: "a.*"}, "81 a1 73 a3 612e2a"},
	"a group":    {request{pattern: ">", group: "g"}, "82 a1 73 a1 3e a1 67 a1 67"},
	"a name":     {request{pattern: ">", durable: "d"}, "82 a1 73 a1 3e a1 64 a1 64"},
	"last":       {request{pattern: "a", last: true}, "82 a1 73 a1 61 a1 7a 01"},
	"replay":     {request{pattern: "a", replay: 10, hold: true}, "83 a1 73 a1 61 a1 71 0a a1 79 01"},
	"replay 300": {request{pattern: "a", replay: 300}, "82 a1 73 a1 61 a1 71 cd 012c"},
	"replay 1e6": {request{pattern: "a", replay: 1e6}, "82 a1 73 a1 61 a1 71 cf 00000000000f4240"},
	"overflow":   {request{pattern: "a", overflow: 3}, "82 a1 73 a1 61 a1 6f 03"},
	"all but a group": {
		request{pattern: "a", durable: "d", replay: 1, last: true, overflow: 1, hold: true},
		"86 a1 73 a1 61 a1 64 a1 64 a1 71 01 a1 7a 01 a1 6f 01 a1 79 01",
	},
	"long": {
		request{pattern: strings.Repeat("a", 255), group: strings.Repeat("g", 200)},
		"82 a1 73 d9 ff" + strings.Repeat("61", 255) + "a1 67 d9 c8" + strings.Repeat("67", 200),
	},
}

func bytesOf(t testing.TB, s string) string {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return private + string(b)
}

func TestRequestsAsTheyTravel(t *testing.T) {
	for name, tt := range requests {
		t.Run(name, func(t *testing.T) {
			want := bytesOf(t, tt.hex)
			if got := tt.r.topic(); got != want {
				t.Errorf("written as %x, want %x", got, want)
			}
			if got, err := parseRequest(want); err != nil || got != tt.r {
				t.Errorf("read as %+v, %v; want %+v", got, err, tt.r)
			}
		})
	}
}

func TestRequestsOfOtherLanguagesAreRead(t *testing.T) {
	for name, tt := range map[string]struct {
		hex  string
		want request
	}{
		"other order":  {"82 a1 7a 01 a1 73 a1 61", request{pattern: "a", last: true}},
		"longer forms": {"82 a1 73 d9 01 61 a1 71 cd 000a", request{pattern: "a", replay: 10}},
		"str 16":       {"81 a1 73 da 0001 61", request{pattern: "a"}},
		"unknown keys": {"83 a3 6e6577 05 a1 62 a1 78 a1 73 a1 61", request{pattern: "a"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := parseRequest(bytesOf(t, tt.hex)); err != nil || got != tt.want {
				t.Errorf("%+v, %v; want %+v", got, err, tt.want)
			}
		})
	}
}

func TestRequestsThatAreRefused(t *testing.T) {
	for name, hex := range map[string]string{
		"nothing":             "",
		"no map":              "91 a1 73",
		"a map of 16 bits":    "de 0001 a1 73 a1 61",
		"cut short":           "81 a1 73 a3 61",
		"no value":            "81 a1 73",
		"more behind it":      "81 a1 73 a1 61 00",
		"a key that is 5":     "81 05 a1 61",
		"no pattern":          "80",
		"a pattern that is 5": "81 a1 73 05",
		"a count that is str": "82 a1 73 a1 61 a1 71 a1 61",
		"nil":                 "82 a1 73 a1 61 a1 71 c0",
		"a negative count":    "82 a1 73 a1 61 a1 71 d0 ff",
		"not a pattern":       "81 a1 73 a3 2e2e2e",
		"a subject too long":  "81 a1 73 da 0100" + strings.Repeat("61", 256),
		"group and name":      "83 a1 73 a1 61 a1 67 a1 61 a1 64 a1 61",
		"a name too long":     "82 a1 73 a1 61 a1 64 d9 c9" + strings.Repeat("61", 201),
		"a name not UTF-8":    "82 a1 73 a1 61 a1 64 a1 ff",
	} {
		t.Run(name, func(t *testing.T) {
			if r, err := parseRequest(bytesOf(t, hex)); !errors.Is(err, errRequest) {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
	if _, err := parseRequest("a"); !errors.Is(err, errRequest) {
		t.Errorf("without a NUL: %v", err)
	}
}

// What is read is one that could be written, and is read again as the same.
func FuzzRequest(f *testing.F) {
	for _, tt := range requests {
		f.Add(bytesOf(f, tt.hex))
	}
	f.Fuzz(func(t *testing.T, topic string) {
		r, err := parseRequest(topic)
		if err != nil {
			return
		}
		again, err := parseRequest(r.topic())
		if err != nil || again != r {
			t.Errorf("%x is %+v, which is read as %+v, %v", topic, r, again, err)
		}
	})
}
