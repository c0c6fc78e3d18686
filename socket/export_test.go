package socket

// Together is several options as one, for tests that have a place for one.
func Together(opts ...Option) Option {
	return optionForAll{setting: func(c *config) {
		for _, o := range opts {
			o.set(c)
		}
	}}
}
