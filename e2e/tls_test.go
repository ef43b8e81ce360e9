package e2e_test

import (
	"crypto/tls"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"renga/e2e"
)

// TestEverythingIsServedByNameOverTLS goes the way that people go: names that
// the system resolves, port 443, certificates of the platform's own CA.
func TestEverythingIsServedByNameOverTLS(t *testing.T) {
	t.Parallel()
	w := kit.Platform(t, e2e.WithHosts("hello"))
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	img, err := w.Image(e2e.Image{Version: "by name"})
	if err != nil {
		t.Fatal(err)
	}
	if out, err := w.DockerPush(t.Context(), "hello", img); err != nil {
		t.Fatalf("docker push: %v\n%s", err, out)
	}
	waitFor(t, w, "hello", "by name")
	client := resolving(t, w)
	for _, c := range []struct{ url, want string }{
		{"https://hello." + w.Domain + "/", "hello from by name"},
		{"https://hello." + w.Domain + "/headers", "X-Forwarded-Proto: https"},
		{"http://hello." + w.Domain + "/", "hello from by name"},
		{"https://api." + w.Domain + "/healthz", "ok"},
		{"https://" + w.TLSAddr + "/healthz", "ok"},
	} {
		r, err := client.Get(c.url)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil || !strings.Contains(string(body), c.want) {
			t.Errorf("%s: %s %q, err %v, want %q", c.url, r.Status, body, err, c.want)
		}
		if isTLS := strings.HasPrefix(c.url, "https:"); isTLS != (r.ProtoMajor == 2) {
			t.Errorf("%s: spoken over %s", c.url, r.Proto)
		}
		_ = r.Body.Close() // it was read
	}
	_, app, err := w.API(t.Context(), http.MethodGet, "/apps/hello", nil)
	if err != nil || !strings.Contains(string(app), `"web_url":"https://hello.`+w.Domain+`/"`) {
		t.Errorf("the app is %s, err %v", app, err)
	}
}

// resolving is a client that asks the system for addresses and trusts the
// platform's CA alone.
func resolving(t *testing.T, w *e2e.Platform) *http.Client {
	t.Helper()
	pool, err := w.CA()
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func TestTheHostsFileIsLeftAsItWas(t *testing.T) {
	t.Parallel()
	var domain string
	t.Run("platform", func(t *testing.T) {
		w := kit.Platform(t, e2e.WithHosts("shop"))
		if err := w.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		domain = w.Domain
		text := readHosts(t)
		for _, name := range []string{"api.", "registry.", "git.", "shop.", ""} {
			if !strings.Contains(text, " "+name+domain+"\n") {
				t.Errorf("%s%s is not in:\n%s", name, domain, text)
			}
		}
	})
	if text := readHosts(t); strings.Contains(text, domain) {
		t.Errorf("left behind:\n%s", text)
	}
}

func readHosts(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("/etc/hosts")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
