//go:build !linux

package discovery

func hostToken(s system) string { return fallbackToken(s) }

func filesToken(system) string { return "" }

func rootDir() (string, error) { return "", nil }
