package discovery_test

import (
	"errors"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/discovery"
)

var full = discovery.Record{
	ID:          discovery.ID{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
	Incarnation: 1760000000000, Revision: 12,
	Group: "prod", Name: `Jürgen's "box", 100%`, Wire: "zmtp/3.1", Host: "0123456789abcdef", Files: "fedcba9876543210",
	PeerID: discovery.ID{15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1},
	Key:    "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7",
	Addrs:  []netip.Addr{netip.MustParseAddr("10.0.12.34"), netip.MustParseAddr("fd00::12")},
	Services: []discovery.Service{
		{Name: "orders", Type: "PUB", Endpoints: []string{
			"tcp://*:5555", "tcp://10.0.12.34:5556", "tcp://[fd00::12]:5557", "tcp://db1.example:5558",
			"ipc:///run/a,b 100%.sock", "ipc://@orders", "ws://10.0.12.34:80/a",
		}},
		{Name: "bare"},
	},
	Meta:   map[string]string{"zone": "a=b,c", "az": ""},
	Issued: time.UnixMilli(1760000000123).UTC(), Lifetime: 15 * time.Second,
	Goodbye: true, Proof: []byte{0xff, 0xfe, 0xfd, 0xfc},
}

// The strings are what others on the network read: a change here is a change of the protocol.
func TestTXTBytes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		r    discovery.Record
		want []string
	}{
		"all": {full, []string{
			"txtvers=1", "id=aaaqeayeaudaocajbifqydiob4", "i=mgj6k3cw", "r=12", "g=prod",
			`n=J%C3%BCrgen's %22box%22, 100%25`, "p=zmtp/3.1", "m=0123456789abcdef",
			"k=rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7", "f=fedcba9876543210", "y=b4ha2dalbieqqbygaucagaqbaa",
			"h=10.0.12.34,fd00::12",
			"s0=orders,PUB,t5555,t10.0.12.34:5556,t[fd00::12]:5557,tdb1.example:5558,i/run/a%2Cb 100%25.sock,i@orders," +
				"uws://10.0.12.34:80/a",
			"s1=bare,", "m-az=", "m-zone=a=b,c", "l=15", "ts=mgj6k3gb", "bye=1", "x=__79_A",
		}},
		"least": {discovery.Record{ID: nodeID(1)}, []string{
			"txtvers=1", "id=aeaaaaaaaaaaaaaaaaaaaaaaae", "i=0", "r=0", "g=default",
		}},
		"lifetime rounds up": {discovery.Record{ID: nodeID(1), Lifetime: 1500 * time.Millisecond}, []string{
			"txtvers=1", "id=aeaaaaaaaaaaaaaaaaaaaaaaae", "i=0", "r=0", "g=default", "l=2",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := c.r.TXT()
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("TXT is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

func TestTXTRoundTrip(t *testing.T) {
	t.Parallel()
	txt, err := full.TXT()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range txt {
		if strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c > '~' || c == '"' || c == '\\' }) {
			t.Errorf("%q would have to be escaped in a zone", s)
		}
	}
	got, err := discovery.ParseTXT(txt)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, full) {
		t.Errorf("came back as\n%+v\nwant\n%+v", got, full)
	}
	slices.Reverse(txt)
	if got, err := discovery.ParseTXT(txt); err != nil || !reflect.DeepEqual(got, full) {
		t.Errorf("in reverse order: %+v, %v", got, err)
	}
}

func TestTXTRefuses(t *testing.T) {
	t.Parallel()
	service := func(s discovery.Service) func(*discovery.Record) {
		return func(r *discovery.Record) { r.Services = []discovery.Service{s} }
	}
	endpoint := func(e string) func(*discovery.Record) {
		return service(discovery.Service{Name: "a", Endpoints: []string{e}})
	}
	addr := func(a string) func(*discovery.Record) {
		return func(r *discovery.Record) { r.Addrs = []netip.Addr{netip.MustParseAddr(a)} }
	}
	for name, c := range map[string]struct {
		change func(*discovery.Record)
		says   string
	}{
		"no id":               {func(r *discovery.Record) { r.ID = discovery.ID{} }, "no node id"},
		"group":               {func(r *discovery.Record) { r.Group = "Prod" }, `group "Prod"`},
		"long group":          {func(r *discovery.Record) { r.Group = strings.Repeat("a", 64) }, "group"},
		"false tag":           {func(r *discovery.Record) { r.Group = "~abc" }, "group"},
		"long name":           {func(r *discovery.Record) { r.Name = strings.Repeat("a", 64) }, "name has 64 bytes"},
		"control in name":     {func(r *discovery.Record) { r.Name = "\x1b[31m" }, "cannot be shown"},
		"direction in name":   {func(r *discovery.Record) { r.Name = "a\u202eb" }, "cannot be shown"},
		"name is not UTF-8":   {func(r *discovery.Record) { r.Name = "\xff" }, "cannot be shown"},
		"wire":                {func(r *discovery.Record) { r.Wire = "zmtp 3" }, "wire protocol"},
		"host":                {func(r *discovery.Record) { r.Host = "a,b" }, "host token"},
		"files":               {func(r *discovery.Record) { r.Files = "a,b" }, "files token"},
		"key":                 {func(r *discovery.Record) { r.Key = "short" }, "Z85"},
		"link-local":          {addr("fe80::1"), "link-local"},
		"zone":                {addr("fd00::1%eth0"), "link-local"},
		"unspecified":         {addr("0.0.0.0"), "is none"},
		"multicast":           {addr("224.0.0.251"), "multicast"},
		"IPv4 in IPv6":        {addr("::ffff:10.0.0.1"), "IPv4 in IPv6"},
		"service name":        {service(discovery.Service{Name: "Orders"}), `service "Orders"`},
		"no service name":     {service(discovery.Service{}), "service"},
		"type":                {service(discovery.Service{Name: "a", Type: "pub"}), "socket type"},
		"no scheme":           {endpoint("localhost:5555"), "scheme://"},
		"inproc":              {endpoint("inproc://a"), "other processes"},
		"no port":             {endpoint("tcp://10.0.0.1"), "port"},
		"port 0":              {endpoint("tcp://*:0"), "port"},
		"port 65536":          {endpoint("tcp://*:65536"), "port"},
		"port 055":            {endpoint("tcp://*:055"), "port"},
		"endpoint with zone":  {endpoint("tcp://[fe80::1%eth0]:5555"), "link-local"},
		"endpoint of nowhere": {endpoint("tcp://0.0.0.0:5555"), "is none"},
		"IPv6 without []":     {endpoint("tcp://fd00::1:5555"), "neither a name"},
		"IPv4 with []":        {endpoint("tcp://[10.0.0.1]:5555"), "neither a name"},
		"host with comma":     {endpoint("tcp://a,b:5555"), "neither a name"},
		"control in path":     {endpoint("ipc://a\nb"), "cannot be shown"},
		"long service":        {endpoint("ipc://" + strings.Repeat("a", 249)), "s0= has 256 bytes"},
		"meta key":            {func(r *discovery.Record) { r.Meta = map[string]string{"A": "b"} }, "metadata key"},
		"long meta key":       {func(r *discovery.Record) { r.Meta = map[string]string{"abcdefghij": "b"} }, "metadata key"},
		"meta value":          {func(r *discovery.Record) { r.Meta = map[string]string{"a": "\x00"} }, "cannot be shown"},
		"negative lifetime":   {func(r *discovery.Record) { r.Lifetime = -1 }, "lifetime"},
		"long lifetime":       {func(r *discovery.Record) { r.Lifetime = 25 * time.Hour }, "lifetime"},
		"issued before 1970":  {func(r *discovery.Record) { r.Issued = time.Unix(-1, 0) }, "issued"},
		"17 services": {func(r *discovery.Record) {
			r.Services = slices.Repeat([]discovery.Service{{Name: "a"}}, 17)
		}, "17 services"},
		"33 strings": {func(r *discovery.Record) {
			r.Services = slices.Repeat([]discovery.Service{{Name: "a"}}, 16)
			r.Meta = map[string]string{}
			for _, c := range "abcdefghijkl" {
				r.Meta[string(c)] = ""
			}
		}, "33 strings"},
		"1301 bytes": {func(r *discovery.Record) { r.Meta = bulk(1301) }, "1301 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := discovery.Record{ID: nodeID(1)}
			c.change(&r)
			_, err := r.TXT()
			if !errors.Is(err, discovery.ErrRecord) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error is %v, want one that says %q", err, c.says)
			}
		})
	}
}

// bulk returns metadata that makes a record with nothing else that big.
func bulk(size int) map[string]string {
	least := discovery.Record{ID: nodeID(1)}
	txt, _ := least.TXT()
	for _, s := range txt {
		size -= 1 + len(s)
	}
	meta := map[string]string{}
	for i := range 6 {
		n := size / (6 - i)
		meta[string(rune('a'+i))] = strings.Repeat("b", n-len("1m-a="))
		size -= n
	}
	return meta
}

func TestTXTAtItsLimit(t *testing.T) {
	t.Parallel()
	r := discovery.Record{ID: nodeID(1), Group: discovery.DefaultGroup, Meta: bulk(1300)}
	txt, err := r.TXT()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := discovery.ParseTXT(txt); err != nil || !reflect.DeepEqual(got, r) {
		t.Errorf("came back as %+v, %v", got, err)
	}
}

func TestParseTXT(t *testing.T) {
	t.Parallel()
	const id = "id=aeaaaaaaaaaaaaaaaaaaaaaaae"
	least := discovery.Record{ID: nodeID(1), Group: discovery.DefaultGroup}
	with := func(f func(*discovery.Record)) *discovery.Record {
		r := least.Clone()
		f(&r)
		return &r
	}
	ports := func(e ...string) *discovery.Record {
		return with(func(r *discovery.Record) { r.Services = []discovery.Service{{Name: "a", Type: "PUB", Endpoints: e}} })
	}
	for name, c := range map[string]struct {
		txt  []string
		want *discovery.Record // nil: an error
	}{
		"least":           {[]string{"txtvers=1", id}, &least},
		"minor version":   {[]string{"txtvers=1.7", id}, &least},
		"upper case keys": {[]string{"TXTVERS=1", "ID" + id[2:]}, &least},
		"unknown keys": {
			[]string{"txtvers=1", id, "zz=1", "flag", "", "=x", "s16=?", "s01=?", "s=?", "m-A%=?", "m-=?"}, &least,
		},
		"first of two":     {[]string{"txtvers=1", id, "r=1", "r=2"}, with(func(r *discovery.Record) { r.Revision = 1 })},
		"gaps in services": {[]string{"txtvers=1", id, "s7=a,PUB,t1"}, ports("tcp://*:1")},
		"flags": {
			[]string{"txtvers=1", id, "s0=a,PUB,t1+q,t10.0.0.1:2+q+r"}, ports("tcp://*:1", "tcp://10.0.0.1:2"),
		},
		"unknown endpoints": {[]string{"txtvers=1", id, "s0=a,PUB,z1,t1"}, ports("tcp://*:1")},
		"service name alone": {
			[]string{"txtvers=1", id, "s0=a"}, with(func(r *discovery.Record) { r.Services = []discovery.Service{{Name: "a"}} }),
		},
		"nothing":             {nil, nil},
		"no version":          {[]string{id}, nil},
		"version 2":           {[]string{"txtvers=2", id}, nil},
		"version 10":          {[]string{"txtvers=10", id}, nil},
		"version 0":           {[]string{"txtvers=0", id}, nil},
		"no id":               {[]string{"txtvers=1"}, nil},
		"zero id":             {[]string{"txtvers=1", "id=aaaaaaaaaaaaaaaaaaaaaaaaaa"}, nil},
		"zero peer id":        {[]string{"txtvers=1", id, "y=aaaaaaaaaaaaaaaaaaaaaaaaaa"}, nil},
		"short id":            {[]string{"txtvers=1", "id=aeaa"}, nil},
		"upper case id":       {[]string{"txtvers=1", strings.Replace(id, "aea", "AEA", 1)}, nil},
		"id with spare bits":  {[]string{"txtvers=1", id[:len(id)-1] + "f"}, nil},
		"plus in number":      {[]string{"txtvers=1", id, "r=+1"}, nil},
		"zero before number":  {[]string{"txtvers=1", id, "r=01"}, nil},
		"upper case number":   {[]string{"txtvers=1", id, "i=A"}, nil},
		"number of 65 bits":   {[]string{"txtvers=1", id, "r=18446744073709551616"}, nil},
		"empty number":        {[]string{"txtvers=1", id, "i="}, nil},
		"empty group":         {[]string{"txtvers=1", id, "g="}, nil},
		"group":               {[]string{"txtvers=1", id, "g=A"}, nil},
		"percent":             {[]string{"txtvers=1", id, "n=%"}, nil},
		"percent of nothing":  {[]string{"txtvers=1", id, "n=%zz"}, nil},
		"percent lower case":  {[]string{"txtvers=1", id, "n=%c3%bc"}, nil},
		"percent for nothing": {[]string{"txtvers=1", id, "n=%41"}, nil},
		"raw UTF-8":           {[]string{"txtvers=1", id, "n=ü"}, nil},
		"control":             {[]string{"txtvers=1", id, "n=%1B"}, nil},
		"control in meta":     {[]string{"txtvers=1", id, "m-a=%0A"}, nil},
		"wire":                {[]string{"txtvers=1", id, "p=\x00"}, nil},
		"key":                 {[]string{"txtvers=1", id, "k=a"}, nil},
		"no address":          {[]string{"txtvers=1", id, "h="}, nil},
		"address with zone":   {[]string{"txtvers=1", id, "h=fe80::1%eth0"}, nil},
		"address unusual":     {[]string{"txtvers=1", id, "h=FD00::1"}, nil},
		"empty service":       {[]string{"txtvers=1", id, "s0="}, nil},
		"service name":        {[]string{"txtvers=1", id, "s0=A,PUB"}, nil},
		"type":                {[]string{"txtvers=1", id, "s0=a,pub"}, nil},
		"empty endpoint":      {[]string{"txtvers=1", id, "s0=a,PUB,"}, nil},
		"port":                {[]string{"txtvers=1", id, "s0=a,PUB,t0"}, nil},
		"host":                {[]string{"txtvers=1", id, "s0=a,PUB,t[fe80::1%1]:1"}, nil},
		"inproc":              {[]string{"txtvers=1", id, "s0=a,PUB,uinproc://a"}, nil},
		"tcp the long way":    {[]string{"txtvers=1", id, "s0=a,PUB,utcp://*:1"}, nil},
		"lifetime":            {[]string{"txtvers=1", id, "l=4294967296"}, nil},
		"issued":              {[]string{"txtvers=1", id, "ts=zzzzzzzzzzzz"}, nil},
		"bye":                 {[]string{"txtvers=1", id, "bye=0"}, nil},
		"empty proof":         {[]string{"txtvers=1", id, "x="}, nil},
		"padded proof":        {[]string{"txtvers=1", id, "x=AA=="}, nil},
		"spare bits in proof": {[]string{"txtvers=1", id, "x=AB"}, nil},
		"long proof":          {[]string{"txtvers=1", id, "x=" + strings.Repeat("A", 216)}, nil},
		"long string":         {[]string{"txtvers=1", id, strings.Repeat("a", 256)}, nil},
		"33 strings":          {append([]string{"txtvers=1", id}, make([]string, 31)...), nil},
		"1301 bytes": {
			append([]string{"txtvers=1", id}, slices.Repeat([]string{strings.Repeat("a", 255)}, 5)...), nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := discovery.ParseTXT(c.txt)
			switch {
			case c.want == nil && !errors.Is(err, discovery.ErrRecord):
				t.Errorf("got %+v and error %v, want ErrRecord", got, err)
			case c.want != nil && (err != nil || !reflect.DeepEqual(&got, c.want)):
				t.Errorf("got %+v and error %v, want %+v", got, err, *c.want)
			}
		})
	}
}

func TestDigest(t *testing.T) {
	t.Parallel()
	want := full.Digest()
	for name, c := range map[string]struct {
		change func(*discovery.Record)
		same   bool
	}{
		"issued":   {func(r *discovery.Record) { r.Issued = r.Issued.Add(time.Second) }, true},
		"lifetime": {func(r *discovery.Record) { r.Lifetime++ }, true},
		"proof":    {func(r *discovery.Record) { r.Proof = nil }, true},
		"from":     {func(r *discovery.Record) { r.From = r.Addrs }, true},
		"revision": {func(r *discovery.Record) { r.Revision++ }, false},
		"endpoint": {func(r *discovery.Record) { r.Services[0].Endpoints[0] = "tcp://*:1" }, false},
		"unfit endpoint": {func(r *discovery.Record) {
			r.Services[0].Endpoints[0] = "inproc://a"
		}, false},
		"meta": {func(r *discovery.Record) { r.Meta["az"] = "b" }, false},
	} {
		r := full.Clone()
		c.change(&r)
		if got := r.Digest(); (got == want) != c.same {
			t.Errorf("%s: digest is the same: %v, want %v", name, got == want, c.same)
		}
	}
	if got := full.Digest(); got != want {
		t.Error("a clone shares what it was cloned from")
	}
}
