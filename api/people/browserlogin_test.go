package people_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"renga/api/wire/wiretest"
)

const doraPassword = "correct horse battery"

// begun is a login that a client has begun on its own server.
type begun struct {
	*fixture
	server             *httptest.Server
	page, wait, secret string
}

func beginLogin(t *testing.T) begun {
	t.Helper()
	b := begun{fixture: newFixture()}
	if _, _, err := b.People.Create(t.Context(), "dora@example.com", doraPassword); err != nil {
		t.Fatal(err)
	}
	b.server = httptest.NewServer(b.fixture)
	t.Cleanup(b.server.Close)
	urls := wiretest.AskFor[struct {
		BrowserURL string `json:"browser_url"`
		CLIURL     string `json:"cli_url"`
		Token      string
	}](t, b.fixture, "POST", "/auth", `{"description":"Heroku CLI login from <desk>"}`, wiretest.Header("Authorization", ""), 201)
	b.page, b.wait, b.secret = b.server.URL+urls.BrowserURL, b.server.URL+urls.CLIURL, urls.Token
	return b
}

// awaited gives the answer to the waiting client.
func (b begun) awaited(t *testing.T, secret string) (heard map[string]string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", b.wait, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if err := json.NewDecoder(res.Body).Decode(&heard); err != nil {
		t.Fatal(err)
	}
	return heard
}

// send sends the form.
func (b begun) send(t *testing.T, password string, headers map[string]string) (int, string) {
	t.Helper()
	form := url.Values{"email": {"dora@example.com"}, "password": {password}}.Encode()
	all := map[string]string{"Content-Type": "application/x-www-form-urlencoded", "Authorization": ""}
	for name, value := range headers {
		all[name] = value
	}
	res, body := b.Ask("POST", strings.TrimPrefix(b.page, b.server.URL), form, all)
	return res.StatusCode, body
}

func TestLoginWithABrowser(t *testing.T) {
	b := beginLogin(t)
	heard := make(chan map[string]string)
	go func() { heard <- b.awaited(t, b.secret) }()
	res, body := b.Ask("GET", strings.TrimPrefix(b.page, b.server.URL), "", wiretest.Header("Authorization", ""))
	if res.StatusCode != 200 || !strings.Contains(body, `<form method="post">`) ||
		!strings.Contains(body, "Heroku CLI login from &lt;desk&gt;") {
		t.Errorf("%d: %s", res.StatusCode, body)
	}
	if csp := res.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") ||
		!strings.Contains(csp, "frame-ancestors 'none'") {
		t.Errorf("the page's policy is %q", csp)
	}
	if status, body := b.send(t, "wrong password", nil); status != 401 ||
		!strings.Contains(body, "Email and password do not match.") ||
		!strings.Contains(body, `value="dora@example.com"`) || strings.Contains(body, "wrong password") {
		t.Errorf("%d: %s", status, body)
	}
	for _, stranger := range []map[string]string{
		wiretest.Header("Sec-Fetch-Site", "cross-site"), wiretest.Header("Origin", "https://elsewhere.example"),
	} {
		if status, body := b.send(t, doraPassword, stranger); status != 403 {
			t.Errorf("sent by another site %v: %d: %s", stranger, status, body)
		}
	}
	if status, body := b.send(t, doraPassword, wiretest.Header("Sec-Fetch-Site", "same-origin")); status != 200 ||
		!strings.Contains(body, "You are logged in") {
		t.Errorf("%d: %s", status, body)
	}
	token := (<-heard)["access_token"]
	scenario{URL: "/account", Headers: wiretest.Bearer(token), Has: []string{"dora@example.com"}}.Play(t, b.fixture)
	if status, body := b.send(t, doraPassword, nil); status != 404 || !strings.Contains(body, "This login is over") {
		t.Errorf("again: %d: %s", status, body)
	}
	if log := b.Logged.String(); strings.Contains(log, token) || strings.Contains(log, doraPassword) ||
		strings.Contains(log, b.secret) {
		t.Error("the log holds a secret")
	}
	if !strings.Contains(b.Logged.String(), `"action":"authorization created"`) {
		t.Error("no audit line")
	}
}

func TestTheTokenIsOnlyForTheSecret(t *testing.T) {
	b := beginLogin(t)
	b.send(t, doraPassword, nil)
	if heard := b.awaited(t, "nonsense"); heard["error"] == "" || heard["access_token"] != "" {
		t.Errorf("heard %v", heard)
	}
}

func TestAWaitingClientIsAnsweredWhenTheServerEnds(t *testing.T) {
	b := beginLogin(t)
	b.EndStreams()
	if heard := b.awaited(t, b.secret); heard["id"] != "service_unavailable" {
		t.Errorf("heard %v", heard)
	}
}

func TestUnknownLogins(t *testing.T) {
	out := wiretest.Header("Authorization", "")
	run(t, []scenario{
		{Name: "page", URL: "/auth/browser/nothing", Headers: out, Status: 404, Has: []string{"This login is over"}},
		{Name: "form", Method: "POST", URL: "/auth/browser/nothing", Headers: out, Status: 404},
		{
			Name: "wait", URL: "/auth/cli/nothing", Headers: out,
			Has: []string{`{"error":"This login is over; start it again."}`},
		},
	})
}
