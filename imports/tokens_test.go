package imports_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"renga/imports"
)

const pusher = "pusher@acme.iam.gserviceaccount.example"

// issuer makes tokens and serves its keys.
type issuer struct {
	*testing.T
	*httptest.Server
	key     *rsa.PrivateKey
	fetched atomic.Int32
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{T: t, key: key}
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		i.fetched.Add(1)
		set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "one", Algorithm: "RS256", Use: "sig"}}}
		if err := json.NewEncoder(w).Encode(set); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(i.Close)
	return i
}

// sign makes a token of claims, with a key and an algorithm.
func (i *issuer) sign(key any, algorithm jose.SignatureAlgorithm, claims map[string]any) string {
	i.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: jose.JSONWebKey{Key: key, KeyID: "one"}}, nil)
	if err != nil {
		i.Fatal(err)
	}
	body, err := json.Marshal(claims)
	if err != nil {
		i.Fatal(err)
	}
	signed, err := signer.Sign(body)
	if err != nil {
		i.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		i.Fatal(err)
	}
	return token
}

func (i *issuer) claims(changes map[string]any) map[string]any {
	all := map[string]any{
		"iss": i.URL, "aud": ruleURL, "email": pusher, "email_verified": true, "sub": "1",
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}
	maps.Copy(all, changes)
	return all
}

// A push of Pub/Sub is known by a token that was made for the rule's URL and account by
// the issuer, and by nothing else.
func TestTokensOfPubSub(t *testing.T) {
	i := newIssuer(t)
	m := imports.New(imports.Options{
		Log: slog.New(slog.DiscardHandler), Now: time.Now, Tokens: imports.TokenOptions{Issuer: i.URL, KeysURL: i.URL + "/keys"},
	}, nil, &remembered{}, nil, nil, nil)
	rule := ruleOf("artifact-registry", "us-docker.pkg.dev/acme/images/shop", "*")
	rule.ServiceAccount, rule.Secret = pusher, ""
	if err := m.CheckRule(rule); err != nil {
		t.Fatal(err)
	}
	with := func(token string) *http.Request {
		r := httptest.NewRequest("POST", "/", http.NoBody)
		r.Header.Set("Authorization", "Bearer "+token)
		return r
	}
	good := i.sign(i.key, jose.RS256, i.claims(nil))
	for range 2 {
		if !proves(m, with(good), "", rule) {
			t.Fatal("a good token is not taken")
		}
	}
	if n := i.fetched.Load(); n != 1 {
		t.Errorf("the keys were fetched %d times", n)
	}
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, token := range map[string]string{
		"none":                  "",
		"no token":              "a.b.c",
		"another key":           i.sign(other, jose.RS256, i.claims(nil)),
		"a shared secret":       i.sign([]byte("0123456789abcdef0123456789abcdef"), jose.HS256, i.claims(nil)),
		"another issuer":        i.sign(i.key, jose.RS256, i.claims(map[string]any{"iss": "https://evil.example"})),
		"for another rule":      i.sign(i.key, jose.RS256, i.claims(map[string]any{"aud": ruleURL + "2"})),
		"of another account":    i.sign(i.key, jose.RS256, i.claims(map[string]any{"email": "other@acme.example"})),
		"of nobody":             i.sign(i.key, jose.RS256, i.claims(map[string]any{"email": ""})),
		"an unverified address": i.sign(i.key, jose.RS256, i.claims(map[string]any{"email_verified": false})),
		"over":                  i.sign(i.key, jose.RS256, i.claims(map[string]any{"exp": time.Now().Add(-time.Hour).Unix()})),
	} {
		if proves(m, with(token), "", rule) {
			t.Errorf("%s is a proof", name)
		}
	}
	if proves(m, notice("artifact-registry", "", ""), "", rule) {
		t.Error("an empty secret in the URL is a proof")
	}
	secret := ruleOf("artifact-registry", "us-docker.pkg.dev/acme/images/shop", "*")
	if proves(m, with(good), "", secret) {
		t.Error("a token is a proof where the secret is asked for")
	}
}

// Forged tokens do not make us fetch keys again and again.
func TestForgedTokensFetchFewKeys(t *testing.T) {
	i := newIssuer(t)
	m := imports.New(imports.Options{
		Log: slog.New(slog.DiscardHandler), Now: time.Now, Tokens: imports.TokenOptions{Issuer: i.URL, KeysURL: i.URL + "/keys"},
	}, nil, &remembered{}, nil, nil, nil)
	rule := ruleOf("artifact-registry", "us-docker.pkg.dev/acme/images/shop", "*")
	rule.ServiceAccount = pusher
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	forged := i.sign(other, jose.RS256, i.claims(nil))
	for range 50 {
		r := httptest.NewRequest("POST", "/", http.NoBody)
		r.Header.Set("Authorization", "Bearer "+forged)
		if proves(m, r, "", rule) {
			t.Fatal("it is a proof")
		}
	}
	if n := i.fetched.Load(); n > 5 {
		t.Errorf("50 forged tokens made %d requests for keys", n)
	}
}
