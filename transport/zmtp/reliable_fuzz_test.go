package zmtp

import (
	"bytes"
	"reflect"
	"testing"
)

// Each target: bytes that are refused are refused by one named error; any others give a value that goes out as bytes
// which give the same value again, and which are a prefix of what came where nothing of a later version was in it.

// body is the data of a command frame.
func body(t *testing.T, frame []byte) []byte {
	t.Helper()
	h, n, err := ParseHeader(frame)
	wantError(t, err, nil)
	if h.Size != uint64(len(frame)-n) || !h.Command() {
		t.Fatalf("not one command: % x", frame)
	}
	_, data, err := ParseCommand(frame[n:])
	wantError(t, err, nil)
	return data
}

// refused reports whether there is an error, which has to be one of those that have names.
func refused(t *testing.T, err error) bool {
	t.Helper()
	if err != nil && !oneSentinel(err) {
		t.Fatalf("error of no known kind, or of several: %v", err)
	}
	return err != nil
}

func FuzzYodel(f *testing.F) {
	f.Fuzz(func(t *testing.T, v []byte) {
		y, err := ParseYodel(v)
		if refused(t, err) {
			return
		}
		again := AppendYodel(nil, &y)
		if back, err := ParseYodel(again); err != nil || back != y {
			t.Fatalf("%+v became %+v, %v", y, back, err)
		}
		if len(v) >= yodelSize && !bytes.HasPrefix(v[1:], again[1:]) {
			t.Fatalf("% x became % x", v, again)
		}
	})
}

func FuzzOpen(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := ParseOpen(data)
		if refused(t, err) {
			return
		}
		again := o.Command().Data
		if back, err := ParseOpen(again); err != nil || back != o {
			t.Fatalf("%+v became %+v, %v", o, back, err)
		}
		if !bytes.HasPrefix(data[1:], again[1:]) {
			t.Fatalf("% x became % x", data, again)
		}
	})
}

func FuzzOpened(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		var o Opened
		_, err := o.Add(data)
		if refused(t, err) {
			return
		}
		var back Opened
		for _, c := range o.Commands() {
			_, err := back.Add(c.Data)
			wantError(t, err, nil)
		}
		if !reflect.DeepEqual(back, o) {
			t.Fatalf("%+v became %+v", o, back)
		}
		if c := o.Commands(); len(c) == 1 && !bytes.HasPrefix(data[2:], c[0].Data[2:]) {
			t.Fatalf("% x became % x", data, c[0].Data)
		}
	})
}

func FuzzAck(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		upto, ranges, err := ParseAck(data, nil)
		if refused(t, err) {
			return
		}
		again := body(t, AppendAck(nil, upto, ranges...))
		if len(ranges) > 0 && !bytes.HasPrefix(data, again) {
			t.Fatalf("% x became % x", data, again)
		}
		backUpto, back, err := ParseAck(again, nil)
		if err != nil || backUpto != upto || !reflect.DeepEqual(back, ranges) {
			t.Fatalf("%d %v became %d %v, %v", upto, ranges, backUpto, back, err)
		}
	})
}

// which says which command the data belongs to.
func FuzzGiveBack(f *testing.F) {
	f.Fuzz(func(t *testing.T, which byte, data []byte) {
		var again []byte
		switch which % 2 {
		case 0:
			at, delay, err := ParseNak(data)
			if refused(t, err) {
				return
			}
			again = AppendNak(nil, at, delay)
		case 1:
			at, reason, err := ParseTerm(data)
			if refused(t, err) {
				return
			}
			again = AppendTerm(nil, at, reason)
		}
		if !bytes.HasPrefix(data, body(t, again)) {
			t.Fatalf("% x became % x", data, again)
		}
	})
}

func FuzzStream(f *testing.F) {
	f.Fuzz(func(t *testing.T, which byte, data []byte) {
		switch which % 4 {
		case 0:
			n, err := ParseNext(data)
			if refused(t, err) {
				return
			}
			again := body(t, AppendNext(nil, n))
			if back, err := ParseNext(again); err != nil || back != n || !bytes.HasPrefix(data, again[:10]) {
				t.Fatalf("%+v became %+v, %v", n, back, err)
			}
		case 1:
			low, settled, err := ParseLow(data, nil)
			if !refused(t, err) && !bytes.HasPrefix(data, body(t, AppendLow(nil, low, settled...))) {
				t.Fatalf("% x became %d %v", data, low, settled)
			}
		case 2:
			gap, why, err := ParseGap(data)
			if !refused(t, err) && (gap.From >= gap.To || !bytes.HasPrefix(data, body(t, AppendGap(nil, gap, why)))) {
				t.Fatalf("% x became %v %d", data, gap, why)
			}
		case 3:
			bye, err := ParseBye(data)
			if refused(t, err) {
				return
			}
			if back, err := ParseBye(body(t, AppendBye(nil, bye))); err != nil || back != bye {
				t.Fatalf("%d became %d, %v", bye, back, err)
			}
		}
	})
}

func FuzzDurableSubscribe(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := ParseDurableSubscribe(data)
		if refused(t, err) {
			return
		}
		again := body(t, AppendDurableSubscribe(nil, &d))
		if !bytes.Equal(again[1:], data[1:]) {
			t.Fatalf("% x became % x", data, again)
		}
	})
}
