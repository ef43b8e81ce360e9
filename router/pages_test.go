package router_test

import (
	"net/http"
	"strings"
	"testing"

	"renga"
	"renga/router"
)

func TestAnAppsOwnPagesAreFramed(t *testing.T) {
	f := newFixture(t, router.Options{})
	pages := renga.Pages{Error: "https://example.com/sorry?a=1&b=2", Maintenance: "https://example.com/back-soon"}
	crashed := idle(renga.IdleCrashed)
	crashed.Pages = pages
	f.Route(crashed)
	f.wantPage(t, http.StatusServiceUnavailable, router.H10)
	if _, body := f.get(t, "/"); !strings.Contains(body, `<iframe src="https://example.com/sorry?a=1&amp;b=2"`) {
		t.Errorf("the error page is not framed:\n%s", body)
	}
	f.record(t)
	crashed.Maintenance = true
	f.Route(crashed)
	if _, body := f.get(t, "/"); !strings.Contains(body, `<iframe src="https://example.com/back-soon"`) {
		t.Errorf("the maintenance page is not framed:\n%s", body)
	}
	f.record(t)
	blank := idle(renga.IdleBlank)
	blank.Pages = pages
	f.Route(blank)
	f.wantPage(t, http.StatusServiceUnavailable, router.H81)
	if _, body := f.get(t, "/"); strings.Contains(body, "iframe") {
		t.Errorf("a blank app shows a frame:\n%s", body)
	}
}
