package dns

import "testing"

func TestNilOptionsAreIgnored(t *testing.T) {
	b, err := New("svc.example", nil, WithPort("orders", 5555), nil)
	if err != nil || len(b.config.sources) != 1 {
		t.Errorf("%+v, %v", b, err)
	}
}
