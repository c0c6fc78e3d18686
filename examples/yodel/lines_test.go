package main

import "testing"

// TestBlankLines: they are skipped where no message is written like that, by every verb that reads lines.
func TestBlankLines(t *testing.T) {
	for _, tc := range []struct{ name, input, text, want string }{
		{"json", "json", `{"frames":["YQ=="]}` + "\n\n \t\n\r\n\n" + `{"frames":["Yg=="]}` + "\n\n", "\"a\"\n\"b\"\n"},
		{"json first", "json", "\n\n" + `{"frames":["YQ=="]}` + "\n" + `{"frames":["Yg=="]}`, "\"a\"\n\"b\"\n"},
		{"quoted", "quoted", "\n\"a\"\n  \n\r\n\"b\"\n", "\"a\"\n\"b\"\n"},
		{"hex has empty messages", "hex", "61\n\n", "\"a\"\n\"\"\n"},
		{"lines are messages", "line", "a\n\n", "\"a\"\n\"\"\n"},
		{"Windows, json", "json", `{"frames":["YQ=="]}` + "\r\n\r\n" + `{"frames":["Yg=="]}` + "\r\n", "\"a\"\n\"b\"\n"},
		{"Windows, quoted", "quoted", "\"a\"\r\n\r\n\"b\"\r\n", "\"a\"\n\"b\"\n"},
		{"Windows, hex", "hex", "61\r\n62\r\n", "\"a\"\n\"b\"\n"},
		{"Windows, lines", "line", "a\r\nb\r\n", "\"a\\r\"\n\"b\\r\"\n"},
	} {
		for _, verbs := range [][2]string{{"push", "pull"}, {"pub", "sub"}, {"dealer", "dealer"}, {"pair", "pair"}} {
			t.Run(tc.name+" by "+verbs[0], func(t *testing.T) {
				there := start(t, verbs[1], "--bind", anyPort, "--count", "2", "--format", "quoted")
				there.stdin.Close()
				here := startInput(t, tc.text, verbs[0], "--connect", there.endpoint(), "--input", tc.input, "--wait", "1")
				there.exit(0)
				there.prints(tc.want)
				if verbs[0] == "dealer" || verbs[0] == "pair" {
					here.stop()
				}
				here.exit(0)
			})
		}
		t.Run(tc.name+" by req", func(t *testing.T) {
			rep := start(t, "rep", "--bind", anyPort)
			req := startInput(t, tc.text, "req", "--connect", rep.endpoint(), "--input", tc.input, "--format", "quoted")
			req.exit(0)
			req.prints(tc.want)
			rep.stop()
			rep.exit(0)
		})
	}
}

// TestBlankLineHoldsNothingBack: what was accepted before it is confirmed, and a reply printed, before the next line
// comes.
func TestBlankLineHoldsNothingBack(t *testing.T) {
	pull := start(t, "pull", "--bind", anyPort)
	push := start(t, "push", "--connect", pull.endpoint(), "--confirm", "--input", "quoted")
	push.types("\"a\"\n\n\n")
	push.prints("\"a\"\n")
	push.stdin.Close()
	push.exit(0)
	pull.stop()
	pull.exit(0)
}

// TestBadLines: one that makes no message, or that the socket does not take, is reported and does not stop the
// others; in the end it is a failure.
func TestBadLines(t *testing.T) {
	many := ""
	for range 1024 {
		many += "00\t"
	}
	for _, tc := range []struct{ name, line, says string }{
		{"no digits", "zz", `line "zz": write each frame in hexadecimal`},
		{"too many frames", many, "a message of 1025 frames"},
	} {
		t.Run(tc.name+" by push", func(t *testing.T) {
			pull := start(t, "pull", "--bind", anyPort, "--count", "2")
			push := startInput(t, "61\n"+tc.line+"\n62\n", "push", "--connect", pull.endpoint(), "--input", "hex")
			pull.exit(0)
			pull.prints("a\nb\n")
			push.exit(1)
			push.says(tc.says)
			push.says("1 line not sent")
		})
		t.Run(tc.name+" by req", func(t *testing.T) {
			rep := start(t, "rep", "--bind", anyPort)
			req := startInput(t, "61\n"+tc.line+"\n62\n", "req", "--connect", rep.endpoint(), "--input", "hex", "--count", "2")
			req.exit(1)
			req.prints("a\nb\n")
			req.says(tc.says)
			req.says("1 line not sent")
			rep.stop()
			rep.exit(0)
		})
	}
	t.Run("first", func(t *testing.T) {
		sub := start(t, "sub", "--bind", anyPort, "--count", "1")
		pub := startInput(t, "zz\n61\n", "pub", "--connect", sub.endpoint(), "--input", "hex", "--count", "1")
		sub.exit(0)
		sub.prints("a\n")
		pub.exit(1)
	})
	t.Run("--data is not tried again", func(t *testing.T) {
		pull := start(t, "pull", "--bind", anyPort)
		push := startInput(t, "", "push", "--connect", pull.endpoint(), "--input", "hex", "--data", many, "--count", "3")
		push.exit(1)
		push.says("a message of 1025 frames")
		pull.stop()
		pull.exit(0)
	})
}
