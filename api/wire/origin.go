package wire

import "net/http"

// OriginOf gives the address at which the client reached Renga, which the client
// can resolve. The scheme that a proxy states is in the request only if the proxy
// is trusted.
func OriginOf(r *http.Request) string {
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}
