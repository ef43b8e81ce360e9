package router

import (
	"net/http"
	"strings"
)

// platformHeaders are the headers that the router writes or decides on. CGI,
// WSGI and Rack read "_" as "-", so they would take a client's X_Forwarded_For
// for ours.
var platformHeaders = map[string]bool{
	"X-Forwarded-For": true, "X-Forwarded-Proto": true, "X-Forwarded-Port": true, "X-Forwarded-Host": true,
	"X-Request-Id": true, "X-Request-Start": true, "Via": true,
	"Host": true, "Content-Length": true, "Transfer-Encoding": true,
}

// removeLookalikes removes headers that a dyno could take for one of ours, and
// Proxy, which CGI turns into HTTP_PROXY, the setting of programs' own proxy
// (httpoxy). Other names with "_" stay.
func removeLookalikes(h http.Header) {
	for name := range h {
		if strings.Contains(name, "_") && platformHeaders[http.CanonicalHeaderKey(strings.ReplaceAll(name, "_", "-"))] {
			delete(h, name)
		}
	}
	delete(h, "Proxy")
}

// removeOurs is for trailers: some servers read them as headers.
func removeOurs(h http.Header) {
	for name := range h {
		if platformHeaders[name] {
			delete(h, name)
		}
	}
}

// allowOnlyWebSocket removes a request's wish for any other protocol than
// WebSocket. Over an h2c connection, requests would pass that nobody counts,
// logs or stops.
func allowOnlyWebSocket(h http.Header) {
	delete(h, "Http2-Settings")
	if asked := h["Upgrade"]; len(asked) != 1 || !strings.EqualFold(asked[0], "websocket") {
		delete(h, "Upgrade")
	}
}
