package main

import (
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/yodel-mq/yodel/patterns"
)

func TestSpoutAddress(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want address
		bad  string
	}{
		{in: "orders", want: address{name: "orders"}},
		{in: "news-service/#.news", want: address{name: "news-service", subject: "#.news"}},
		{in: "a/b/c", want: address{name: "a", subject: "b/c"}},
		{in: "tcp://127.0.0.1:5555", want: address{endpoint: "tcp://127.0.0.1:5555"}},
		{in: "tcp://127.0.0.1:5555/usa.*", want: address{endpoint: "tcp://127.0.0.1:5555", subject: "usa.*"}},
		{in: "ipc:///tmp/x", want: address{endpoint: "ipc:///tmp/x"}},
		{in: "a; {mode: browse}", want: address{name: "a", browse: true}},
		{in: "a;{'mode':'consume'}", want: address{name: "a"}},
		{in: "a/b; {node: {type: topic}}", want: address{name: "a", subject: "b", kind: nodeTopic}},
		{
			in:   "a; {node: {type: queue, durable: True}, create: always,}",
			want: address{name: "a", kind: nodeQueue, durable: true},
		},
		{in: "a; {create: sender, assert: never, delete: receiver}", want: address{name: "a"}},
		{in: "a; {}", want: address{name: "a"}},
		{in: "", bad: "it is empty"},
		{in: " ; {}", bad: "it is empty"},
		{in: "Orders", bad: "must have 1 to 63"},
		{in: "/x", bad: "must have 1 to 63"},
		{in: "a/\x1b", bad: "control character"},
		{in: "a;", bad: "they end too early"},
		{in: "a; {mode: peek}", bad: "mode must be browse or consume"},
		{in: "a; {mode browse}", bad: "a colon is missing"},
		{in: "a; {mode: browse", bad: `a "}" is missing`},
		{in: "a; {mode: 'browse}", bad: "has no end"},
		{in: "a; {mode: browse} x", bad: "after their end"},
		{in: "a; {mode: browse, mode: browse}", bad: "there twice"},
		{in: "a; {mode: [1, 2", bad: `a "]" is missing`},
		{in: "a; {colour: red}", bad: `there is no "colour"`},
		{in: "a; {node: {type: stream}}", bad: "queue or topic"},
		{in: "a; {node: {x: y}}", bad: `there is no "x" in node`},
		{in: "a; {node: topic}", bad: "node must be a map"},
		{in: "a; {link: {type: topic}}", bad: `there is no "type" in link`},
		{in: "a; {node: {durable: 1}}", bad: "True or False"},
		{in: "a; {create: sometimes}", bad: "always, sender, receiver or never"},
		{in: "a; browse", bad: "write them as"},
		{in: "a; " + strings.Repeat("{a:", 20), bad: "inside each other"},
	} {
		t.Run(tc.in, func(t *testing.T) {
			got, err := parseAddress(tc.in)
			switch {
			case tc.bad != "":
				if err == nil || !strings.Contains(err.Error(), tc.bad) {
					t.Errorf("got %+v, %v", got, err)
				}
			case err != nil || got != tc.want:
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestMatchSubject(t *testing.T) {
	for _, tc := range []struct {
		pattern, prefix string
		yes, no         string // subjects, in spaces
	}{
		{"#.news", "", "news usea.news usa.faux.news", "sports usa.sports news.usa xnews"},
		{"*.news", "", "usa.news europe.news", "news usa.faux.news usa.sports"},
		{"usa.*", "usa.", "usa.news usa.sports", "usa usa.faux.news europe.news"},
		{"usa.#", "usa", "usa usa.news usa.faux.news", "europe.news usax"},
		{"usa.news", "usa.news", "usa.news", "usa usa.news.more usa.newsx"},
		{"a.#.b.*.c", "a", "a.b.x.c a.b.b.b.x.c a.q.r.b.x.c", "a.b.c a.x.c b.x.c"},
		{"#", "", "a a.b", ""},
		{"#.#", "", "a a.b", ""},
	} {
		t.Run(tc.pattern, func(t *testing.T) {
			if got := subjectPrefix(tc.pattern); got != tc.prefix {
				t.Errorf("the prefix is %q, want %q", got, tc.prefix)
			}
			for s := range strings.FieldsSeq(tc.yes) {
				if !matchSubject(tc.pattern, s) || !strings.HasPrefix(s, tc.prefix) {
					t.Errorf("%q does not match", s)
				}
			}
			for s := range strings.FieldsSeq(tc.no) {
				if matchSubject(tc.pattern, s) {
					t.Errorf("%q matches", s)
				}
			}
		})
	}
	if !matchSubject("#", "") {
		t.Error("# does not match the empty subject")
	}
}

func TestMailFormat(t *testing.T) {
	m := &mail{
		subject: "usa.news", replyTo: "answers", properties: map[string]any{"spout-id": "i:0", "a b": "it's", "x)": "p"},
		content: map[string]any{"text": "hi\n", "sku": int8(7), "list": []any{true, nil, 1.5}},
	}
	const whole = `Message(subject='usa.news', reply_to='answers', ` +
		`properties={'a b': "it's", 'spout-id': 'i:0', 'x)': 'p'}, ` +
		`content={'list': [True, None, 1.5], 'sku': 7, 'text': 'hi\n'})`
	for _, tc := range []struct{ in, want, bad string }{
		{in: "", want: ""},
		{in: "plain", want: "plain"},
		{in: "%(M)s", want: whole},
		{in: "%(M)r", want: whole},
		{in: "100%% %(M.subject)s!", want: "100% usa.news!"},
		{in: "%(M.reply_to)r", want: "'answers'"},
		{in: "%(P)s", want: `{'a b': "it's", 'spout-id': 'i:0', 'x)': 'p'}`},
		{in: "%(P[spout-id])s", want: "i:0"},
		{in: "%(P['spout-id'])s", want: "i:0"},
		{in: `%(P["a b"])r`, want: `"it's"`},
		{in: "%(P[x)])s", want: "p"},
		{in: "<%(P[none])s>", want: "<>"},
		{in: "%(C)s", want: `{'list': [True, None, 1.5], 'sku': 7, 'text': 'hi\n'}`},
		{in: "%(M.content)s", want: `{'list': [True, None, 1.5], 'sku': 7, 'text': 'hi\n'}`},
		{in: "%(M.properties)s", want: `{'a b': "it's", 'spout-id': 'i:0', 'x)': 'p'}`},
		{in: "%(C[text])s", want: "hi\n"},
		{in: "%(C[sku])s|%(C[list])s", want: "7|[True, None, 1.5]"},
		{in: "%", bad: `"%"`},
		{in: "%d", bad: "there are %(M)s"},
		{in: "%(M)", bad: "has no end"},
		{in: "%(M)d", bad: "has no end"},
		{in: "%(M", bad: "has no end"},
		{in: "%(X)s", bad: "%(X)s: there are"},
		{in: "%(P[])s", bad: "there are"},
		{in: "%(P[a)s", bad: "has no end"},
		{in: "%(M[a])s", bad: "there are"},
		{in: "%(__import__('os').system('true'))s", bad: "has no end"},
		{in: "%(M.__class__)s", bad: "there are"},
	} {
		t.Run(tc.in, func(t *testing.T) {
			f, err := parseFormat(tc.in)
			if tc.bad != "" {
				if err == nil || !strings.Contains(err.Error(), tc.bad) {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := string(f.appendTo(nil, m)); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestMailTravels(t *testing.T) {
	for _, tc := range []struct {
		name string
		m    mail
		want string
	}{
		{"nothing", mail{}, "Message('')"},
		{"text", mail{content: "hi"}, "Message('hi')"},
		{"empty text", mail{content: ""}, "Message('')"},
		{"bytes", mail{content: "\xff\x00"}, `Message('\xff\x00')`},
		{
			"all",
			mail{subject: "s", replyTo: "r", properties: map[string]any{"p": "v"}, content: "t"},
			`Message(subject='s', reply_to='r', properties={'p': 'v', 'qpid.subject': 's'}, content='t')`,
		},
		{"map", mail{content: map[string]any{"a": "1", "b": nil}}, "Message({'a': '1', 'b': None})"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			frames, err := tc.m.frames()
			if err != nil {
				t.Fatal(err)
			}
			if got := string(readMail(frames, false).appendTo(nil)); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
	for _, tc := range []struct {
		name  string
		topic bool
		in    []string
		want  string
	}{
		{"push", false, []string{"a"}, "Message('a')"},
		{"push of frames", false, []string{"a", "b"}, `Message('a\tb')`},
		{"pub", true, []string{"news", "b"}, "Message(subject='news', properties={'qpid.subject': 'news'}, content='b')"},
		{"three frames", false, []string{"a", "b", "c"}, `Message('a\tb\tc')`},
		{"no frame", true, nil, "Message('')"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var frames [][]byte
			for _, f := range tc.in {
				frames = append(frames, []byte(f))
			}
			if got := string(readMail(frames, tc.topic).appendTo(nil)); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestSeconds(t *testing.T) {
	for in, want := range map[string]string{"120": "120", "0.5": "0.5", "0": "0", "500ms": "0.5", "2m": "120"} {
		var s seconds
		if err := s.Set(in); err != nil || s.String() != want {
			t.Errorf("%q: %s, %v", in, &s, err)
		}
	}
	for _, in := range []string{"", "-1", "-1s", "NaN", "Inf", "1e300", "5parsecs"} {
		if err := new(seconds).Set(in); err == nil {
			t.Errorf("%q is taken", in)
		}
	}
}

func TestFileNamesDiffer(t *testing.T) {
	seen := make(map[string]string)
	for _, in := range []string{"a", "a/b", "a_b", "a:b", "tcp://h:1", "..", "orders@g", strings.Repeat("x", 300)} {
		name := fileName(in)
		if other, there := seen[name]; there || strings.ContainsAny(name, "/:") || len(name) > 255 {
			t.Errorf("%q becomes %q, as does %q", in, name, other)
		}
		seen[name] = in
	}
}

func FuzzSpoutAddress(f *testing.F) {
	for _, s := range []string{
		"orders", "news-service/#.news", "a; {mode: browse, node: {type: topic}}", "tcp://h:1/x; {}", `a; {"x": ['y', {}]}`,
		"a; {mode: 'bro\\'wse'}", "ipc:///tmp/x;{create:always}", "a/*.#.b",
	} {
		f.Add(s, "a.b.c")
	}
	f.Fuzz(func(t *testing.T, s, subject string) {
		a, err := parseAddress(s)
		if err != nil {
			return
		}
		if (a.name == "") == (a.endpoint == "") || len(a.subject) > maxSubject {
			t.Errorf("%q: %+v", s, a)
		}
		if len(subject) > maxSubject {
			return
		}
		if matchSubject(a.subject, subject) && !strings.HasPrefix(subject, subjectPrefix(a.subject)) {
			t.Errorf("%q matches %q, which does not begin with %q", a.subject, subject, subjectPrefix(a.subject))
		}
		if !matchSubject("#", subject) || !hasWildcards(subject) && !matchSubject(subject, subject) {
			t.Errorf("%q does not match itself", subject)
		}
	})
}

func FuzzMailFormat(f *testing.F) {
	for _, s := range []string{
		"%(M)s", "%(P)s %(C)s", "%(P[a])s", "%(C['x'])r%%", "%(M.subject)s", "%", "%(", "%(P[a])", "%(P[)])s", "a%%b",
	} {
		f.Add(s)
	}
	m := &mail{subject: "s", properties: map[string]any{"a": "b"}, content: "c"}
	f.Fuzz(func(t *testing.T, s string) {
		format, err := parseFormat(s)
		if err != nil {
			return
		}
		got := string(format.appendTo(nil, m))
		if !strings.Contains(s, "%") && got != s {
			t.Errorf("%q became %q", s, got)
		}
	})
}

// FuzzMail: whatever frames come, they make a mail that can be printed in every form, with nothing that a terminal
// would obey; and what spout sends comes as it was.
func FuzzMail(f *testing.F) {
	for _, m := range []mail{
		{subject: "s", content: "text"},
		{content: map[string]any{"a": "1", "b": nil}, properties: map[string]any{"p": "v"}, replyTo: "r"},
	} {
		frames, err := m.frames()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(frames[0], frames[1], frames[2])
	}
	for _, body := range []string{
		"\x81\xa1a\x01", "\x81\x01\xa1a", "\xdf\xff\xff\xff\xff", "\x93\xc3\xc0\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00",
	} {
		f.Add([]byte("s"), []byte{0x80}, []byte(body))
	}
	json := (&patterns.Head{Type: "json"}).AppendTo(nil)
	f.Add([]byte(""), json, []byte(`{"a":[1,2.5,"x",null,true]}`))
	format, err := parseFormat("%(M)s %(P)s %(M.content)r")
	if err != nil {
		f.Fatal(err)
	}
	text, js := &app{}, &app{json: true}
	f.Fuzz(func(t *testing.T, subject, head, body []byte) {
		for _, topic := range []bool{false, true} {
			m := readMail([][]byte{subject, head, body}, topic)
			line, err := text.appendPrinted(nil, m, format)
			if err != nil || strings.ContainsFunc(string(line[:len(line)-1]), isControl) || !utf8.Valid(line) {
				t.Errorf("%q: %v", line, err)
			}
			if _, err := js.appendPrinted(nil, m, nil); err != nil {
				t.Error(err)
			}
			again := mail{subject: m.subject, replyTo: m.replyTo, properties: m.properties, content: m.content}
			if _, isText := m.content.(string); !isText {
				continue
			}
			frames, err := again.frames()
			if err != nil {
				continue // more headers than there may be
			}
			if back := readMail(frames, topic); back.content != m.content || !reflect.DeepEqual(back.properties, m.properties) {
				t.Errorf("sent %q %q, came %q %q", m.content, m.properties, back.content, back.properties)
			}
		}
	})
}
