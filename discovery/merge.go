package discovery

// Merge makes one backend of several.
func Merge(backends ...Backend) Backend { return nil }
