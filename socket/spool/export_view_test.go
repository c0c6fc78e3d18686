package spool

// InspectFS is Inspect of a medium in memory.
func InspectFS(f FS) (*View, error) { return inspect("mem", readOnly{f}, systemEnv()) }
