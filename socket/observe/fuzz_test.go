package observe

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"testing"
)

// Whatever calls itself a snapshot, reading it ends, what was read is written and read as the same again, and its
// metrics are bounded in number and well formed.
func FuzzParse(f *testing.F) {
	text, err := os.ReadFile(golden)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"v":1}`))
	f.Add([]byte(`{"v":2}`))
	f.Add([]byte(`{"v":1,"sockets":[{"name":"a\"\n","type":"\\","peer_counts":[{"type":"x","peers":-1}],"ledger":null}]}`))
	f.Add([]byte(`{"v":1,"removed":[{"name":"other","type":"PUB","events":{"":1}}],"spools":[{"name":"a"},{"name":"a"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Parse(b)
		if err != nil {
			return
		}
		_ = s.Check()
		again, err := json.Marshal(s)
		must(t, err)
		same, err := Parse(again)
		must(t, err)
		once, err := json.Marshal(same)
		must(t, err)
		if !reflect.DeepEqual(once, again) {
			t.Errorf("%s\nbecame\n%s", again, once)
		}
		if n := len(exposition(t, written(t, s))); n > 65*12*200+5*10+65*20+1 {
			t.Errorf("%d series", n)
		}
	})
}

// Whatever comes over the control socket is answered, and whatever stands in its directory has a name or has not.
func FuzzRequest(f *testing.F) {
	f.Add([]byte("GET /v1/snapshot HTTP/1.1\r\nHost: x\r\n\r\n"), "7.sock")
	f.Add([]byte("GET //v1/events?socket=news&%zz HTTP/1.1\r\nHost: x\r\n\r\n"), "7-2.sock")
	f.Add([]byte("HEAD /v1/live HTTP/1.0\r\n\r\n"), "07.sock")
	f.Add([]byte("DELETE * HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"), "7-1.sock")
	f.Add([]byte("GET /%2e%2e/metrics HTTP/1.1\r\nHost: x\r\n\r\n"), "-.sock")
	reg := exemplary()
	must(f, reg.Close()) // no stream waits for the next snapshot
	f.Fuzz(func(t *testing.T, raw []byte, name string) {
		if pid, ok := controlPID(name); ok && pid <= 0 {
			t.Errorf("%q is of process %d", name, pid)
		}
		req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
		if err != nil {
			return
		}
		w := httptest.NewRecorder()
		reg.serveControl(w, req)
		if w.Code == 200 && req.Method != http.MethodGet && req.Method != http.MethodHead {
			t.Errorf("%s is answered", req.Method)
		}
		if w.Header().Get("Content-Type") == "" || w.Code < 200 {
			t.Errorf("%d, %v", w.Code, w.Header())
		}
	})
}
