package observe

// An Option configures a [Registry]. Nil is none.
type Option interface{ set(*Registry) }

type setting func(*Registry)

func (s setting) set(r *Registry) { s(r) }

// WithTopics says whether snapshots tell what was chosen by peers and users and may be private: the identities and
// users of peers, and the sample of topics that nobody had subscribed to. The default is false. What a message says is
// in no snapshot, nor is anything of the above ever in a metric.
func WithTopics(show bool) Option { return setting(func(r *Registry) { r.topics = show }) }

// WithProcessName gives the process another name than that of its program's file, for people; "" keeps that.
func WithProcessName(name string) Option {
	return setting(func(r *Registry) {
		if name != "" {
			r.process.Name = clean(name, maxName)
		}
	})
}
