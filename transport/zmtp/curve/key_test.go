package curve

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// TestSecretKeyIsNotPrinted: no way to print, log or encode a secret key, or a mechanism that has one, shows a part of
// it.
func TestSecretKeyIsNotPrinted(t *testing.T) {
	k := new(SecretKey(bobSecret)) // all of whose forms are long
	client, server := Client(k, serverKey.Public()), Server(k, Anyone)
	forms := []string{k.Z85()[:10], fmt.Sprintf("%d", k[:4])[1:10], fmt.Sprintf("%x", k[:4]), fmt.Sprintf("%X", k[:4])}
	forms = append(forms, fmt.Sprintf("%#v", k[:4])[7:28], string(k[:4]))
	type config struct {
		Name string
		Key  *SecretKey
		Same SecretKey
	}
	type private struct {
		client, server any
		mechanism      zmtp.Mechanism
	}
	check := func(how, s string) {
		t.Helper()
		for _, f := range forms {
			if strings.Contains(s, f) {
				t.Errorf("%s: %q shows the key as %q", how, s, f)
			}
		}
	}
	for _, verb := range []string{
		"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%b", "%c", "%U", "%t", "%e", "%T", "%z", "%#x",
	} {
		for _, v := range []any{
			k, *k, &k,
			config{"a", k, *k},
			&config{"a", k, *k},
			[]any{k, *k},
			[]SecretKey{*k},
			map[string]SecretKey{"a": *k},
			client, *client, server, *server,
			private{client, server, client},
			&private{client, server, server},
			private{*client, *server, client},
			zmtp.Config{Mechanism: client},
			&zmtp.Config{Mechanism: server},
			fmt.Errorf("wrapped: %v", k),
		} {
			check(verb, fmt.Sprintf(verb, v))
		}
	}
	var log bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(h).Info("key", "pointer", k, "value", *k, "config", config{"a", k, *k}, "client", client)
	}
	check("slog", log.String())
	for _, v := range []any{k, *k, config{"a", k, *k}} {
		b, err := json.Marshal(v)
		if err == nil {
			t.Errorf("json: %s", b)
		}
		check("json", string(b)+fmt.Sprint(err))
	}
	var buf bytes.Buffer
	if err := gob.NewEncoder(&buf).Encode(k); err == nil {
		t.Errorf("gob: %q", buf.Bytes())
	}
	if _, err := ParseSecretKey(k.Z85()[:39] + "~"); err == nil {
		t.Error("a text that is no key was taken")
	} else {
		check("error", err.Error())
	}
	if got := fmt.Sprintf("%v %d", k, *k); got != hidden+" "+hidden {
		t.Errorf("printed as %q", got)
	}
}

// TestKeyTexts: keys go to text and back, and what is no key is refused.
func TestKeyTexts(t *testing.T) {
	secret := GenerateKey()
	public := secret.Public()
	if k, err := ParseSecretKey(secret.Z85()); err != nil || !k.Equal(secret) {
		t.Errorf("secret: %v", err)
	}
	if k, err := ParsePublicKey(public.String()); err != nil || k != public {
		t.Errorf("public: %v, %v", k, err)
	}
	var back struct {
		Public PublicKey
		Secret SecretKey
		Keys   map[PublicKey]string
	}
	text := fmt.Sprintf(`{"Public": %q, "Secret": %q, "Keys": {%q: "ann"}}`, public, secret.Z85(), public)
	if err := json.Unmarshal([]byte(text), &back); err != nil || back.Public != public || !back.Secret.Equal(secret) ||
		back.Keys[public] != "ann" {
		t.Errorf("%+v, %v", back, err)
	}
	b, err := json.Marshal(public)
	var again string
	if err == nil {
		err = json.Unmarshal(b, &again)
	}
	if err != nil || again != public.String() {
		t.Errorf("json %s, %v", b, err)
	}
	for _, text := range []string{
		"", "HelloWorld", strings.Repeat("0", 40), strings.Repeat("#", 40), strings.Repeat("~", 40), public.String() + "0",
		" " + public.String(), public.String() + "\n",
	} {
		k := public
		if err := k.UnmarshalText([]byte(text)); !errors.Is(err, ErrKey) || !k.IsZero() {
			t.Errorf("public %q: %v, %v", text, k, err)
		}
		s := *secret
		if err := s.UnmarshalText([]byte(text)); !errors.Is(err, ErrKey) || !s.IsZero() {
			t.Errorf("secret %q: %v", text, err)
		}
		if _, err := ParsePublicKey(text); !errors.Is(err, ErrKey) {
			t.Errorf("public %q: %v", text, err)
		}
		if k, err := ParseSecretKey(text); !errors.Is(err, ErrKey) || k != nil {
			t.Errorf("secret %q: %v", text, err)
		}
	}
}

// TestKeys: keys differ, compare and are wiped.
func TestKeys(t *testing.T) {
	a, b := GenerateKey(), GenerateKey()
	if a.Equal(b) || !a.Equal(new(*a)) || a.IsZero() || !new(SecretKey).IsZero() || !(*SecretKey)(nil).IsZero() {
		t.Error("keys do not compare")
	}
	if a.Public() == b.Public() || new(*a).Public() != a.Public() || a.Public().IsZero() || !(PublicKey{}).IsZero() {
		t.Error("public keys do not compare")
	}
	a.Wipe()
	if !a.IsZero() {
		t.Error("it was not wiped")
	}
	list := []PublicKey{b.Public()}
	allow := Allow(list...)
	list[0] = PublicKey{1}
	if !allow(b.Public()) || allow(list[0]) || !slices.Contains(list, list[0]) {
		t.Error("Allow goes by what its list became")
	}
}
