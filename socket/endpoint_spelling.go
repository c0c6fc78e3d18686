package socket

import (
	"slices"
	"strings"

	"github.com/yodel-mq/yodel/transport"
)

// canonical is an endpoint in the form that all its spellings share, as far as its transport knows one.
func canonical(t transport.Transport, ep transport.Endpoint, use transport.Use) transport.Endpoint {
	if t, ok := t.(transport.Canonicalizer); ok {
		ep.Address = t.Canonical(ep.Address, use)
	}
	return ep
}

// spelling is canonical for an endpoint as a user writes it, right or wrong.
func (c *core) spelling(endpoint string, use transport.Use) string {
	ep, err := transport.ParseEndpoint(endpoint)
	if err != nil {
		return endpoint
	}
	return canonical(c.cfg.transports[ep.Scheme], ep, use).String()
}

// connectedTo finds a connected endpoint by its key or, if the meaning of a relative path has changed since, by the
// name that Connect was given. It is called with c.mu held.
func (c *core) connectedTo(name, key string) *endpointState {
	if ep := c.connected[key]; ep != nil {
		return ep
	}
	for _, ep := range c.connected {
		if ep.name == name {
			return ep
		}
	}
	return nil
}

// boundAt finds the bound endpoint that a user means: by name first, then by what is the same.
func (c *core) boundAt(endpoint string) *endpointState {
	c.mu.Lock()
	var all []*endpointState
	for _, ep := range c.bound {
		all = append(all, ep)
	}
	c.mu.Unlock()
	slices.SortFunc(all, func(a, b *endpointState) int { return strings.Compare(a.name, b.name) })

	same := func(s string) bool {
		return c.spelling(s, transport.ForBind) == c.spelling(endpoint, transport.ForBind)
	}
	wanted, _ := transport.ParseEndpoint(endpoint)
	for _, means := range []func(*endpointState) bool{
		func(ep *endpointState) bool { return ep.name == endpoint },
		func(ep *endpointState) bool { return ep.asked == endpoint || ep.listening() == endpoint },
		func(ep *endpointState) bool { return same(ep.name) || same(ep.asked) || same(ep.listening()) },
		func(ep *endpointState) bool {
			ln, ok := ep.ln.(transport.NamedListener)
			return ok && strings.HasPrefix(ep.name, wanted.Scheme+"://") && ln.Named(wanted.Address)
		},
	} {
		if i := slices.IndexFunc(all, means); i >= 0 {
			return all[i]
		}
	}
	return nil
}
