package router_test

import (
	"testing"
	"time"

	"renga/router"
)

func TestLinesAreHerokus(t *testing.T) {
	good := router.Record{
		App: "a", Method: "GET", Path: "/a?b=c", Host: "blog.renga.localhost",
		RequestID: "8601b555-6a83-4c12-8269-97c8e32cdb22",
		Forwarded: "204.204.204.204", Dyno: "web.1", Protocol: "HTTP/1.1", TLS: true, Status: 200, Bytes: 13,
		Connect: time.Millisecond, Service: 18500 * time.Microsecond,
	}
	slow, blank, gone := good, good, good
	slow.Code, slow.Desc, slow.Status, slow.Bytes, slow.TLS, slow.Service = router.H12, "Request timeout", 503, 0, false,
		30*time.Second
	blank.Code, blank.Desc, blank.Status, blank.Bytes, blank.Dyno, blank.Path = router.H81, "Blank app", 503, 900, "", `/"`
	gone.Code, gone.Desc, gone.Status = router.H27, "Client Request Interrupted", 499
	for want, record := range map[string]router.Record{
		`at=info method=GET path="/a?b=c" host=blog.renga.localhost ` +
			`request_id=8601b555-6a83-4c12-8269-97c8e32cdb22 fwd="204.204.204.204"` +
			` dyno=web.1 connect=1ms service=18ms status=200 bytes=13 protocol=https`: good,
		`at=error code=H12 desc="Request timeout" method=GET path="/a?b=c" host=blog.renga.localhost ` +
			`request_id=8601b555-6a83-4c12-8269-97c8e32cdb22 fwd="204.204.204.204"` +
			` dyno=web.1 connect=1ms service=30000ms status=503 bytes=0 protocol=http`: slow,
		`at=info code=H81 desc="Blank app" method=GET path="/\"" host=blog.renga.localhost ` +
			`request_id=8601b555-6a83-4c12-8269-97c8e32cdb22 fwd="204.204.204.204"` +
			` dyno= connect= service= status=503 bytes= protocol=https`: blank,
		`sock=client at=warning code=H27 desc="Client Request Interrupted" method=GET path="/a?b=c" host=blog.renga.localhost ` +
			`request_id=8601b555-6a83-4c12-8269-97c8e32cdb22 fwd="204.204.204.204"` +
			` dyno=web.1 connect=1ms service=18ms status=499 bytes=13 protocol=https`: gone,
	} {
		if got := record.String(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}
