package discovery

import (
	"crypto/sha256"
	"fmt"
	"net"
	"os"
	"slices"
)

// HostToken returns what [Record.Host] says here: 16 hexadecimal digits, the same for all processes that share this
// host and its network (on Linux: the network namespace), and of no meaning to anybody else. "" means that the system
// gave nothing to tell hosts apart by; endpoints that are good on one host only are not used then.
//
// On Linux it is made of /etc/machine-id, which ought to be unknown outside and is not to be seen in it, the boot id,
// and the network namespace of the calling thread; on other systems of the host's name and the hardware addresses of
// its interfaces.
func HostToken() string { return hostToken(thisSystem()) }

// FilesToken returns what [Record.Files] says here: 16 hexadecimal digits, the same for all processes of this host
// that find the same files at the same paths (on Linux: those in one mount namespace with the same root directory),
// and of no meaning to anybody else. "" means that this is not known: on systems that have no such thing, or do not
// tell.
func FilesToken() string { return filesToken(thisSystem()) }

// A system is where HostToken and FilesToken ask.
type system struct {
	read     func(path string) ([]byte, error)
	readlink func(path string) (string, error)
	hardware func() []string // what else identifies this host, most lasting first; may be empty
	root     func() (string, error)
}

func thisSystem() system { return system{os.ReadFile, os.Readlink, hardware, rootDir} }

// token makes the token of parts. Each has a zero byte after it, so that nothing can move from one to the next.
func token(parts ...string) string {
	h := sha256.New()
	h.Write([]byte("discovery host token"))
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:8])
}

// fallbackToken is for systems without the files that Linux has.
func fallbackToken(s system) string {
	parts := s.hardware()
	if len(parts) == 0 {
		return ""
	}
	return token(parts...)
}

// hardware returns the name of this host and the hardware addresses of its interfaces; those alone that the maker has
// given: others come and go with virtual machines and private Wi-Fi addresses. A host without any has too little to
// tell it apart.
func hardware() []string {
	all, err := net.Interfaces()
	if err != nil {
		return nil
	}
	var parts []string
	for _, i := range all {
		const local = 2 // IEEE 802: locally administered
		if len(i.HardwareAddr) == 6 && i.HardwareAddr[0]&local == 0 && i.Flags&net.FlagLoopback == 0 {
			parts = append(parts, i.HardwareAddr.String())
		}
	}
	name, err := os.Hostname()
	if err != nil || name == "" || len(parts) == 0 {
		return nil
	}
	slices.Sort(parts)
	return append([]string{name}, slices.Compact(parts)...)
}
