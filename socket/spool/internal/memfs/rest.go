package memfs

import "io/fs"

// ReadFile returns what the process sees in a file. It is not an operation: it is neither counted nor fails.
func (m *FS) ReadFile(name string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	in := m.names[name]
	if in == nil {
		return nil, &fs.PathError{Op: "ReadFile", Path: name, Err: fs.ErrNotExist}
	}
	p := make([]byte, in.size)
	in.read(p, 0)
	return p, nil
}

// WriteFile puts data in the place of all that a file holds, or makes the file, as if it had always been so on the
// medium: for damage at rest. It is not an operation.
func (m *FS) WriteFile(name string, data []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	in := m.names[name]
	if in == nil {
		in = &inode{dirty: make(map[int64][]*block)}
		m.names[name] = in
	}
	m.medium[name] = in
	m.used -= in.truncate(0)
	m.used += in.take(0, int64(len(data)))
	clear(in.dirty)
	in.write(data, 0)
	in.sync()
}
