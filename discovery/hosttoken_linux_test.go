package discovery

import (
	"maps"
	"testing"
)

func TestHostTokenLinux(t *testing.T) {
	const machine, dbus, boot = "/etc/machine-id", "/var/lib/dbus/machine-id", "/proc/sys/kernel/random/boot_id"
	make := func(change map[string]string) string {
		files := map[string]string{
			machine: "m1\n", boot: "b1\n", "/proc/thread-self/ns/net": "net:[1]", "/proc/self/ns/net": "net:[9]",
		}
		maps.Copy(files, change)
		read := func(path string) (string, error) {
			if s := files[path]; s != "" {
				return s, nil
			}
			return "", errNone
		}
		return hostToken(system{
			read:     func(path string) ([]byte, error) { s, err := read(path); return []byte(s), err },
			readlink: read,
			hardware: func() []string { return []string{"host", "hw"} },
		})
	}
	base := make(nil)
	for _, tc := range []struct {
		name   string
		change map[string]string
		same   bool
	}{
		{"nothing", nil, true},
		{"another machine", map[string]string{machine: "m2"}, false},
		{"another boot", map[string]string{boot: "b2"}, false},
		{"another namespace", map[string]string{"/proc/thread-self/ns/net": "net:[2]"}, false},
		{"the namespace of another thread", map[string]string{"/proc/self/ns/net": "net:[2]"}, true},
		{
			"no thread-self, as before Linux 3.17",
			map[string]string{"/proc/thread-self/ns/net": "", "/proc/self/ns/net": "net:[1]"},
			true,
		},
		{"machine id elsewhere", map[string]string{machine: "", dbus: "m1"}, true},
		{"no machine id, as in containers", map[string]string{machine: ""}, false},
		{"no boot id", map[string]string{boot: ""}, false},
		{"no namespace", map[string]string{"/proc/thread-self/ns/net": "", "/proc/self/ns/net": ""}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := make(tc.change)
			if (got == base) != tc.same || len(got) != 16 {
				t.Errorf("%q, before %q", got, base)
			}
		})
	}
	fallback := token("host", "hw")
	for _, missing := range []string{boot} {
		if got := make(map[string]string{missing: ""}); got != fallback {
			t.Errorf("without %s: %q, want what is made of the hardware", missing, got)
		}
	}
	if got := make(map[string]string{machine: ""}); got == fallback {
		t.Error("without a machine id the boot id ought to do")
	}
}

func TestFilesTokenLinux(t *testing.T) {
	const boot, mine, process = "/proc/sys/kernel/random/boot_id", "/proc/thread-self/ns/mnt", "/proc/self/ns/mnt"
	make := func(change map[string]string) string {
		files := map[string]string{boot: "b1\n", mine: "mnt:[1]", process: "mnt:[9]", "/": "1:2"}
		maps.Copy(files, change)
		read := func(path string) (string, error) {
			if s := files[path]; s != "" {
				return s, nil
			}
			return "", errNone
		}
		return filesToken(system{
			read:     func(path string) ([]byte, error) { s, err := read(path); return []byte(s), err },
			readlink: read,
			root:     func() (string, error) { return read("/") },
		})
	}
	base := make(nil)
	for _, tc := range []struct {
		name   string
		change map[string]string
		same   bool
		known  bool
	}{
		{"nothing", nil, true, true},
		{"another boot", map[string]string{boot: "b2"}, false, true},
		{"another mount namespace", map[string]string{mine: "mnt:[2]"}, false, true},
		{"that of another thread", map[string]string{process: "mnt:[2]"}, true, true},
		{"another root directory, by chroot", map[string]string{"/": "1:3"}, false, true},
		{"no thread-self", map[string]string{mine: "", process: "mnt:[1]"}, true, true},
		{"no boot id", map[string]string{boot: ""}, false, false},
		{"no namespace", map[string]string{mine: "", process: ""}, false, false},
		{"no root directory", map[string]string{"/": ""}, false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := make(tc.change)
			if (got == base) != tc.same || (got != "") != tc.known {
				t.Errorf("%q, before %q", got, base)
			}
		})
	}
	if got := FilesToken(); len(got) != 16 || got != FilesToken() || got == HostToken() {
		t.Errorf("of this process it is %q", got)
	}
}
