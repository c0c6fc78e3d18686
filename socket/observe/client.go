package observe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A Reading is what one process says.
type Reading struct {
	// Path is that of its control socket.
	Path string
	PID  int
	// Snapshot is nil if there is an Err: the process does not answer within two seconds, for it is stopped perhaps, or
	// what it says is no snapshot.
	Snapshot *Snapshot
	Err      error
}

const (
	// maxSnapshot is how long a snapshot may be that is read, in bytes.
	maxSnapshot = 64 << 20
	// readTime is how long a process may take to answer.
	readTime = 2 * time.Second
	// maxAtOnce is how many processes are asked at a time.
	maxAtOnce = 16
	// maxProcesses is how many are asked at all.
	maxProcesses = 1024
	// newFor is how long a socket may be without its name.
	newFor = time.Minute
)

// Processes asks all processes of this user on this host that have a control socket, see [Registry.Listen], for a
// snapshot: at most 1,024, sorted by number. Sockets that processes left behind when they were killed are removed. The
// error is about directories that cannot be relied on, see [ErrExposed]; what was found elsewhere is returned with it.
func Processes(ctx context.Context) ([]Reading, error) {
	if os.Geteuid() < 0 {
		return nil, fmt.Errorf("observe: control sockets: %w", errors.ErrUnsupported)
	}
	var all []Reading
	var failed []error
	for _, dir := range controlDirs() {
		found, err := controlsIn(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = append(failed, fmt.Errorf("observe: control sockets: %w", err))
		}
		all = append(all, found...)
	}
	all = all[:min(len(all), maxProcesses)]
	var wg sync.WaitGroup
	turn := make(chan struct{}, maxAtOnce)
	for i := range all {
		turn <- struct{}{}
		wg.Go(func() {
			defer func() { <-turn }()
			p := &all[i]
			within, cancel := context.WithTimeout(ctx, readTime)
			defer cancel()
			p.Snapshot, p.Err = readUnix(within, p.Path)
			if errors.Is(p.Err, syscall.ECONNREFUSED) && removeStale(p.Path) || errors.Is(p.Err, fs.ErrNotExist) {
				p.PID = 0 // it has ended
			}
		})
	}
	wg.Wait()
	all = slices.DeleteFunc(all, func(p Reading) bool { return p.PID == 0 })
	slices.SortFunc(all, func(a, b Reading) int {
		return cmp.Or(cmp.Compare(a.PID, b.PID), cmp.Compare(len(a.Path), len(b.Path)), cmp.Compare(a.Path, b.Path))
	})
	return all, errors.Join(failed...)
}

// controlsIn lists the control sockets of a directory.
func controlsIn(dir string) (found []Reading, err error) {
	if err := checkControlDir(dir); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		info, err := e.Info()
		if err != nil || info.Mode().Type() != fs.ModeSocket || !ownedBy(info, os.Geteuid()) {
			continue
		}
		if pid, ok := controlPID(e.Name()); ok {
			found = append(found, Reading{Path: path, PID: pid})
		} else if strings.HasSuffix(e.Name(), ".new") && time.Since(info.ModTime()) > newFor {
			removeStale(path) // its process was killed before it had given it a name
		}
	}
	return found, nil
}

// A ReadOption configures [Read]. Nil is none.
type ReadOption interface{ request(*http.Request) }

type readSetting func(*http.Request)

func (s readSetting) request(req *http.Request) { s(req) }

// WithBearer shows a token; see [WithToken].
func WithBearer(token string) ReadOption {
	return readSetting(func(req *http.Request) { req.Header.Set("Authorization", "Bearer "+token) })
}

// Read reads the snapshot of one process: by the path of its control socket, or by the URL at which it has mounted its
// [Registry.Handler], such as "http://127.0.0.1:8080/debug/yodel/".
func Read(ctx context.Context, target string, opts ...ReadOption) (*Snapshot, error) {
	if !strings.Contains(target, "://") {
		return readUnix(ctx, target, opts...)
	}
	u, err := url.Parse(target)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("observe: read %q: write it as http://host:port/path/ or as the path of a control socket",
			target)
	}
	if !strings.HasSuffix(u.Path, pathSnapshot) {
		u = u.JoinPath(pathSnapshot)
	}
	return read(ctx, u.String(), new(net.Dialer).DialContext, opts)
}

func readUnix(ctx context.Context, path string, opts ...ReadOption) (*Snapshot, error) {
	return read(ctx, "http://localhost"+pathSnapshot, func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}, opts)
}

func read(
	ctx context.Context, at string, dial func(ctx context.Context, network, addr string) (net.Conn, error),
	opts []ReadOption,
) (*Snapshot, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, fmt.Errorf("observe: read: %w", err)
	}
	for _, o := range opts {
		if o != nil {
			o.request(req)
		}
	}
	carrier := &http.Transport{DialContext: dial, DisableKeepAlives: true}
	defer carrier.CloseIdleConnections()
	client := http.Client{
		Transport:     carrier,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	answer, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("observe: read: %w", err)
	}
	defer answer.Body.Close() //nolint:errcheck // there is nothing more to be read
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxSnapshot+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("observe: read: %w", err)
	case answer.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("observe: read: %s: %s", answer.Status, clean(strings.TrimSpace(string(body)), maxText))
	case len(body) > maxSnapshot:
		return nil, fmt.Errorf("observe: read: %w: it is longer than %d bytes", ErrSnapshot, maxSnapshot)
	}
	return Parse(body)
}
