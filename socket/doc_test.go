package socket_test

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// wantedOptions are the options of libzmq 4.3 that a ZeroMQ library of today should have, or say why not: without those
// that are about threads, file descriptors, other transports or old ways. Some stand for their kin, by "*".
var wantedOptions = []string{
	"ZMQ_SNDHWM", "ZMQ_RCVHWM", "ZMQ_SNDTIMEO", "ZMQ_RCVTIMEO", "ZMQ_LINGER", "ZMQ_IMMEDIATE", "ZMQ_CONFLATE",
	"ZMQ_MAXMSGSIZE",
	"ZMQ_MAX_MSGSZ", "ZMQ_IN_BATCH_SIZE", "ZMQ_OUT_BATCH_SIZE", "ZMQ_RCVMORE", "ZMQ_ROUTING_ID", "ZMQ_CONNECT_ROUTING_ID",
	"ZMQ_ROUTER_MANDATORY", "ZMQ_ROUTER_HANDOVER", "ZMQ_ROUTER_NOTIFY", "ZMQ_PROBE_ROUTER", "ZMQ_REQ_CORRELATE",
	"ZMQ_REQ_RELAXED",
	"ZMQ_METADATA", "zmq_msg_gets", "ZMQ_HELLO_MSG", "ZMQ_DISCONNECT_MSG", "ZMQ_HICCUP_MSG", "ZMQ_STREAM_NOTIFY",
	"ZMQ_SUBSCRIBE",
	"ZMQ_UNSUBSCRIBE", "ZMQ_TOPICS_COUNT", "ZMQ_XPUB_VERBOSE", "ZMQ_XPUB_VERBOSER", "ZMQ_XPUB_MANUAL",
	"ZMQ_XPUB_MANUAL_LAST_VALUE",
	"ZMQ_XPUB_NODROP", "ZMQ_XPUB_WELCOME_MSG", "ZMQ_RECONNECT_IVL", "ZMQ_RECONNECT_IVL_MAX", "ZMQ_RECONNECT_STOP",
	"ZMQ_CONNECT_TIMEOUT", "ZMQ_HANDSHAKE_IVL", "ZMQ_HEARTBEAT_IVL", "ZMQ_HEARTBEAT_TIMEOUT", "ZMQ_HEARTBEAT_TTL",
	"ZMQ_TCP_MAXRT",
	"ZMQ_TCP_KEEPALIVE", "ZMQ_TCP_KEEPALIVE_IDLE", "ZMQ_TCP_KEEPALIVE_INTVL", "ZMQ_TCP_KEEPALIVE_CNT", "ZMQ_SNDBUF",
	"ZMQ_RCVBUF",
	"ZMQ_SOCKS_PROXY", "ZMQ_SOCKS_USERNAME", "ZMQ_SOCKS_PASSWORD", "ZMQ_BINDTODEVICE", "ZMQ_IPV6", "ZMQ_USE_FD",
	"ZMQ_LAST_ENDPOINT",
	"ZMQ_TYPE", "ZMQ_MECHANISM", "ZMQ_PLAIN_SERVER", "ZMQ_PLAIN_USERNAME", "ZMQ_PLAIN_PASSWORD", "ZMQ_CURVE_SERVER",
	"ZMQ_CURVE_PUBLICKEY", "ZMQ_CURVE_SECRETKEY", "ZMQ_CURVE_SERVERKEY", "ZMQ_ZAP_DOMAIN", "ZMQ_ZAP_ENFORCE_DOMAIN",
	"ZMQ_WSS_KEY_PEM", "ZMQ_WSS_CERT_PEM", "ZMQ_WSS_TRUST_PEM", "ZMQ_WSS_HOSTNAME", "ZMQ_WSS_TRUST_SYSTEM",
}

// monitorEvents are all that libzmq's zmq_socket_monitor knows.
var monitorEvents = []string{
	"CONNECTED", "CONNECT_DELAYED", "CONNECT_RETRIED", "LISTENING", "BIND_FAILED", "ACCEPTED", "ACCEPT_FAILED", "CLOSED",
	"CLOSE_FAILED", "DISCONNECTED", "MONITOR_STOPPED", "HANDSHAKE_FAILED_NO_DETAIL", "HANDSHAKE_SUCCEEDED",
	"HANDSHAKE_FAILED_PROTOCOL", "HANDSHAKE_FAILED_AUTH", "PIPES_STATS",
}

// The tables of libzmq's options and events and ours lack nothing, and what they name exists.
func TestDocTables(t *testing.T) {
	pkg := parsed(t, ".")
	known := identifiers(pkg, "")
	for name := range identifiers(parsed(t, "../transport"), "transport.") {
		known[name] = true
	}

	t.Run("options", func(t *testing.T) { wantTable(t, pkg.Doc, "ZMQ_", wantedOptions, known) })
	t.Run("events", func(t *testing.T) {
		kinds := typeDoc(t, pkg, "EventKind")
		wantTable(t, kinds.Consts[0].Doc, "ZMQ_EVENT_", prefixed("ZMQ_EVENT_", monitorEvents), known)
		for _, spec := range kinds.Consts[0].Decl.Specs {
			for _, name := range spec.(*ast.ValueSpec).Names {
				if !word(kinds.Consts[0].Doc, name.Name) {
					t.Errorf("%s is neither in the table nor said to be ours alone", name)
				}
			}
		}
	})
	t.Run("our options", func(t *testing.T) {
		for name := range known {
			if strings.HasPrefix(name, "With") && !word(pkg.Doc, name) {
				t.Errorf("the package's documentation does not mention %s", name)
			}
		}
	})
}

// Everything exported says what it is, and everything that makes something has an example that is run. Options are no
// constructors.
func TestDocComplete(t *testing.T) {
	for _, dir := range []string{
		".", "auth", "observe", "sockettest", "zmqcompat", "../transport", "../transport/mtls", "../transport/simnet",
		"../transport/zmtp", "../patterns",
	} {
		t.Run(dir, func(t *testing.T) {
			pkg := parsed(t, dir)
			want := func(kind, name, text string) {
				if strings.TrimSpace(text) == "" {
					t.Errorf("%s %s has no documentation", kind, name)
				}
			}
			want("package", pkg.Name, pkg.Doc)
			funcs := slices.Clone(pkg.Funcs)
			for _, typ := range pkg.Types {
				want("type", typ.Name, typ.Doc)
				for _, m := range typ.Methods {
					want("method", typ.Name+"."+m.Name, m.Doc)
				}
				for _, f := range typ.Funcs {
					if !strings.HasPrefix(f.Name, "With") && !slices.ContainsFunc(f.Examples, runs) {
						t.Errorf("%s has no example with output", f.Name)
					}
				}
				funcs = append(funcs, typ.Funcs...)
				wantValues(t, typ.Consts)
				wantValues(t, typ.Vars)
			}
			for _, f := range funcs {
				want("func", f.Name, f.Doc)
			}
			wantValues(t, pkg.Consts)
			wantValues(t, pkg.Vars)
		})
	}
}

func runs(e *doc.Example) bool { return e.Output != "" || e.EmptyOutput }

// wantValues checks that constants and variables are documented, by themselves or as a group.
func wantValues(t *testing.T, groups []*doc.Value) {
	t.Helper()
	for _, group := range groups {
		for _, spec := range group.Decl.Specs {
			v := spec.(*ast.ValueSpec)
			if group.Doc == "" && v.Doc == nil && v.Comment == nil && v.Names[0].IsExported() {
				t.Errorf("%s has no documentation", v.Names[0])
			}
		}
	}
}

// wantTable checks a table, of which each line has one or more of libzmq's names and then, after two blanks, ours.
func wantTable(t *testing.T, text, prefix string, wanted []string, known map[string]bool) {
	t.Helper()
	var rows []string
	for line := range strings.Lines(text) {
		theirs, ours, ok := strings.Cut(strings.TrimSpace(line), "  ")
		if !ok || !strings.HasPrefix(line, "\t") || !strings.HasPrefix(strings.ToUpper(theirs), prefix) {
			continue
		}
		rows = append(rows, strings.Split(theirs, ", ")...)
		for _, name := range capital.FindAllString(ours, -1) {
			if name != strings.ToUpper(name) && !known[name] {
				t.Errorf("%s: there is no %s", theirs, name)
			}
		}
	}
	for _, name := range wanted {
		if !slices.ContainsFunc(rows, func(pattern string) bool {
			ok, err := path.Match(pattern, name)
			return ok && err == nil
		}) {
			t.Errorf("%s is not in the table", name)
		}
	}
}

// capital is what begins with a capital: an identifier, unless it is all in upper case.
var capital = regexp.MustCompile(`\b(transport\.)?[A-Z]\w*(\.[A-Z]\w*)*`)

func word(text, name string) bool { return regexp.MustCompile(`\b` + name + `\b`).MatchString(text) }

func prefixed(prefix string, names []string) (out []string) {
	for _, name := range names {
		out = append(out, prefix+name)
	}
	return out
}

// parsed reads the documentation of a package of ours.
func parsed(t *testing.T, dir string) *doc.Package {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	set := token.NewFileSet()
	var files []*ast.File
	for _, p := range paths {
		f, err := parser.ParseFile(set, p, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	pkg, err := doc.NewFromFiles(set, files, dir)
	if err != nil {
		t.Fatal(err)
	}
	return pkg
}

func typeDoc(t *testing.T, pkg *doc.Package, name string) *doc.Type {
	t.Helper()
	i := slices.IndexFunc(pkg.Types, func(typ *doc.Type) bool { return typ.Name == name })
	if i < 0 {
		t.Fatalf("there is no type %s", name)
	}
	return pkg.Types[i]
}

// identifiers lists what a package exports, methods and fields by themselves and behind their type.
func identifiers(pkg *doc.Package, prefix string) map[string]bool {
	known := make(map[string]bool)
	values := func(all []*doc.Value) {
		for _, v := range all {
			for _, name := range v.Names {
				known[prefix+name] = true
			}
		}
	}
	funcs := func(all []*doc.Func) {
		for _, f := range all {
			known[prefix+f.Name] = true
		}
	}
	values(pkg.Consts)
	values(pkg.Vars)
	funcs(pkg.Funcs)
	for _, typ := range pkg.Types {
		known[prefix+typ.Name] = true
		values(typ.Consts)
		values(typ.Vars)
		funcs(typ.Funcs)
		funcs(typ.Methods)
		for _, m := range typ.Methods {
			known[prefix+typ.Name+"."+m.Name] = true
		}
		if s, ok := typ.Decl.Specs[0].(*ast.TypeSpec).Type.(*ast.StructType); ok {
			for _, f := range s.Fields.List {
				for _, name := range f.Names {
					known[prefix+typ.Name+"."+name.Name] = true
				}
			}
		}
	}
	return known
}
