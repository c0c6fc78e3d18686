package auth

import "time"

// A FileOption configures an authenticator with a file. Nil is none.
type FileOption interface{ set(*fileConfig) }

type fileConfig struct {
	interval time.Duration
	errors   func(error)
}

type fileSetting func(*fileConfig)

func (s fileSetting) set(c *fileConfig) { s(c) }

const defaultInterval = time.Second

// WithInterval sets how often it is looked whether a file has changed. The default is a second; zero keeps it, and less
// than zero is never: then Reload is the only way.
func WithInterval(d time.Duration) FileOption {
	return fileSetting(func(c *fileConfig) {
		if d != 0 {
			c.interval = d
		}
	})
}

// WithErrors has f told of a file that has changed and cannot be used, once for each change. It is called by the
// authenticator's goroutine and should not wait. The default, and nil, is that only Err tells.
func WithErrors(f func(error)) FileOption {
	return fileSetting(func(c *fileConfig) { c.errors = f })
}

func configure(opts []FileOption) fileConfig {
	c := fileConfig{interval: defaultInterval}
	for _, o := range opts {
		if o != nil {
			o.set(&c)
		}
	}
	return c
}
