package zmqcompat

import "strings"

const defaultHWM = 1000

// SetOption sets OptionHWM, or subscribes and unsubscribes a SUB or XSUB. Anything else gives an error that matches
// ErrBadProperty; the original takes any name on most types, to no effect.
func (s *sock) SetOption(name string, value any) error {
	var err error
	switch name {
	case OptionHWM:
		return s.setHWM(value)
	case OptionSubscribe, OptionUnsubscribe:
		err = s.subscribe(name, value)
	default:
		return badOption("set option", name, "the options are "+strings.Join(optionNames(), ", "))
	}
	if err == nil {
		s.keep(name, value)
	}
	return err
}

// GetOption returns what was last set, and for OptionHWM otherwise the default. For what was not set it returns an
// error that matches ErrBadProperty.
func (s *sock) GetOption(name string) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.props[name]
	switch {
	case ok:
		return v, nil
	case name == OptionHWM:
		return defaultHWM, nil
	}
	return nil, badOption("get option", name, "it was not set")
}

func (s *sock) keep(name string, value any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.props[name] = value
}

// setHWM keeps the mark for the engine, which takes it as it is made.
func (s *sock) setHWM(value any) error {
	n, ok := value.(int)
	if !ok || n < 0 {
		return badOption("set option", OptionHWM, "give it an int, 0 for no limit")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.role != nil {
		return badOption("set option", OptionHWM, "set it before the socket is first used")
	}
	s.props[OptionHWM] = n
	return nil
}

func (s *sock) subscribe(name string, value any) error {
	var topic string
	switch v := value.(type) {
	case string:
		topic = v
	case []byte:
		topic = string(v)
	default:
		return badOption("set option", name, "give it a string or []byte")
	}
	if s.typ != Sub && s.typ != XSub {
		return badOption("set option", name, "only SUB and XSUB subscribe, this is a "+string(s.typ))
	}
	r, err := s.use()
	if err != nil {
		return s.failed("set option "+name, err)
	}
	if name == OptionSubscribe {
		err = r.subs.Subscribe(topic)
	} else {
		err = unsubscribe(r.subs, topic)
	}
	if err != nil {
		return s.failed("set option "+name, err)
	}
	return nil
}

func optionNames() []string { return []string{OptionSubscribe, OptionUnsubscribe, OptionHWM} }
