package spool

import (
	"errors"
	"io/fs"
	"syscall"
	"testing"
)

func TestNetworkKinds(t *testing.T) {
	tests := []struct {
		name  string
		magic uint32
		want  string
	}{
		{"nfs", 0x6969, "NFS"},
		{"smb", 0x517b, "SMB"},
		{"smb2", 0xfe534d42, "SMB"},
		{"cifs", 0xff534d42, "SMB"},
		{"afs", 0x5346414f, "AFS"},
		{"ext4", 0xef53, ""},
		{"xfs", 0x58465342, ""},
		{"btrfs", 0x9123683e, ""},
		{"tmpfs", 0x01021994, ""},
		{"overlayfs", 0x794c7630, ""},
	}
	for _, test := range tests {
		if got := kindOf(test.magic); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
	if got := networkKind(t.TempDir()); got != "" {
		t.Errorf("the directory for temporary files is on %s", got)
	}
}

// A quota that is used up is a disk that is full.
func TestQuota(t *testing.T) {
	err := noSpace(&fs.PathError{Op: "write", Path: "a", Err: syscall.EDQUOT})
	if !errors.Is(err, syscall.ENOSPC) || !errors.Is(err, syscall.EDQUOT) {
		t.Errorf("%v is not about room", err)
	}
}
