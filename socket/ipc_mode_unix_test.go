//go:build unix

package socket_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport"
)

func TestModeOfASocketFile(t *testing.T) {
	path := filepath.Join(shortTemp(t), "s")
	pull := closing(t, socket.NewPull(socket.WithTransport(&transport.IPC{Mode: 0o660})))
	bind(t, pull, "ipc://"+path)
	info, err := os.Lstat(path)
	must(t, err)
	if got := info.Mode(); got != fs.ModeSocket|0o660 {
		t.Errorf("mode %v", got)
	}
}
