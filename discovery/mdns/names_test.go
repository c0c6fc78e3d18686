package mdns

import (
	"strings"
	"testing"

	"github.com/miekg/dns"
)

func TestLabelOf(t *testing.T) {
	for _, tc := range []struct {
		name, want string
	}{
		{"abc._yodel._tcp.local.", "abc"},
		{"ABC._YODEL._tcp.LOCAL.", "abc"},
		{`a\.b._yodel._tcp.local.`, `a\.b`},
		{`a\032b._yodel._tcp.local.`, `a\032b`},
		{"_yodel._tcp.local.", ""},
		{"._yodel._tcp.local.", ""},
		{"a.b._yodel._tcp.local.", ""},
		{"abc._yodel._tcp.local", ""},
		{"abc_yodel._tcp.local.", ""},
		{"abc._ipp._tcp.local.", ""},
		{"", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got, ok := labelOf(tc.name); got != tc.want || ok != (tc.want != "") {
				t.Errorf("%q, %v, want %q", got, ok, tc.want)
			}
		})
	}
}

func TestSubtype(t *testing.T) {
	for _, tc := range []struct {
		name, group, want string
	}{
		{"plain", "prod", "_g-prod._sub._yodel._tcp.local."},
		{"upper case", "Prod", "_g-prod._sub._yodel._tcp.local."},
		{"dots", "a.b", ""},
		{"longest", strings.Repeat("x", 60), "_g-" + strings.Repeat("x", 60) + "._sub._yodel._tcp.local."},
		{"too long", strings.Repeat("x", 61), ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := groupSubtype(tc.group)
			if _, ok := dns.IsDomainName(got); !ok || !isType(got) {
				t.Errorf("%q is no name of a subtype", got)
			}
			if tc.want == "" {
				if len(got) != len("_g-")+32+len("._sub._yodel._tcp.local.") {
					t.Errorf("%q, want a hash", got)
				}
			} else if got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

func TestEscape(t *testing.T) {
	all := make([]byte, 0, 255)
	for c := range 255 {
		all = append(all, byte(c))
	}
	for name, s := range map[string]string{
		"plain": "id=abc", "backslash": `a\b`, "looks escaped": `\065`, "quote": `"`, "every byte": string(all),
		"ends in one": `a\`,
	} {
		t.Run(name, func(t *testing.T) {
			m := dns.Msg{
				Answer: []dns.RR{&dns.TXT{Hdr: dns.RR_Header{Name: "a.", Rrtype: dns.TypeTXT, Class: 1}, Txt: []string{escape(s)}}},
			}
			b := pack(t, m)
			if wire := string(b[len(b)-len(s):]); wire != s {
				t.Errorf("on the wire %q, want %q", wire, s)
			}
			var back dns.Msg
			if err := back.Unpack(b); err != nil {
				t.Fatal(err)
			}
			if got := unescape(back.Answer[0].(*dns.TXT).Txt[0]); got != s {
				t.Errorf("read %q, want %q", got, s)
			}
		})
	}
}
