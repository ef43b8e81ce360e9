package router

import (
	"net/http"
	"net/http/httputil"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"renga"
)

// via is what the router calls itself in Via headers, both ways.
const via = "1.1 renga"

// forwarding is what the headers added to a request say.
type forwarding struct {
	requestID   string
	chain       string // X-Forwarded-For
	client      string // for the router's line: it ends with who the client is
	proto, port string
	start       time.Time
}

// newForwarding keeps the client's request id if it is valid, and appends the
// peer's address to its X-Forwarded-For. From a trusted peer it also takes
// protocol and port.
func newForwarding(in *http.Request, trusted renga.Proxies, start time.Time) forwarding {
	f := forwarding{start: start, chain: renga.WithoutPort(in.RemoteAddr)}
	prior := in.Header["X-Forwarded-For"]
	if len(prior) > 0 {
		f.chain = strings.Join(prior, ", ") + ", " + f.chain
	}
	f.client = f.chain
	f.proto, f.port = arrival(in)
	if trusted.Trust(in.RemoteAddr) {
		f.client = trusted.Client(in.RemoteAddr, prior)
		f.trustPeer(in)
	}
	if ids := in.Header["X-Request-Id"]; len(ids) == 1 && validRequestID(ids[0]) {
		f.requestID = ids[0]
	} else {
		f.requestID = uuid.NewString()
	}
	return f
}

// arrival is the protocol and port by which a request came to us. The port is
// that of its Host, or its scheme's if there is none or an impossible one.
func arrival(in *http.Request) (proto, port string) {
	proto = "http"
	if in.TLS != nil {
		proto = "https"
	}
	if i := strings.LastIndexByte(in.Host, ':'); i >= 0 && possiblePort(in.Host[i+1:]) {
		return proto, in.Host[i+1:]
	}
	return proto, portOf(proto)
}

// possiblePort tells whether text is a port: 1 to 65535, in the usual spelling.
func possiblePort(text string) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return err == nil && n > 0 && text[0] != '0'
}

func portOf(proto string) string {
	if proto == "https" {
		return "443"
	}
	return "80"
}

// trustPeer takes protocol and port from a trusted peer's headers. If there are
// several values, the last is the peer's own.
func (f *forwarding) trustPeer(in *http.Request) {
	if proto := lastOf(in.Header["X-Forwarded-Proto"]); proto == "http" || proto == "https" {
		if f.port == portOf(f.proto) {
			f.port = portOf(proto)
		}
		f.proto = proto
	}
	if port := lastOf(in.Header["X-Forwarded-Port"]); possiblePort(port) {
		f.port = port
	}
}

// lastOf is the last of the values that headers list.
func lastOf(values []string) string {
	if len(values) == 0 {
		return ""
	}
	last := values[len(values)-1]
	return strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])
}

// apply puts the headers into out, made from in. One array holds all values.
func (f forwarding) apply(in, out *http.Request) {
	chain := via
	if prior := in.Header["Via"]; len(prior) > 0 {
		chain = strings.Join(prior, ", ") + ", " + via
	}
	v := [...]string{f.chain, f.proto, f.port, f.requestID, strconv.FormatInt(f.start.UnixMilli(), 10), chain}
	h := out.Header
	removeLookalikes(h)
	h["X-Forwarded-For"] = v[0:1:1]
	h["X-Forwarded-Proto"] = v[1:2:2]
	h["X-Forwarded-Port"] = v[2:3:3]
	h["X-Request-Id"] = v[3:4:4]
	h["X-Request-Start"] = v[4:5:5]
	h["Via"] = v[5:6:6]
	// Said by the client and vouched for by nobody; the proxy took them out.
	for _, name := range []string{"X-Forwarded-Host", "Forwarded"} {
		if said := in.Header[name]; len(said) > 0 {
			h[name] = said
		}
	}
	// The server sends 100 Continue to the client when the body is first read, so
	// a dyno that does not know it costs no time.
	delete(h, "Expect")
}

// keepURL undoes all normalising of path and query: the app gets the bytes that
// the client sent, for it may have signed them, or read them its own way.
func keepURL(pr *httputil.ProxyRequest) {
	pr.Out.URL.RawQuery = pr.In.URL.RawQuery
	raw, _, _ := strings.Cut(pr.In.RequestURI, "?")
	// Opaque starting with two slashes would be taken for a host.
	if strings.HasPrefix(raw, "/") && !strings.HasPrefix(raw, "//") && pr.Out.URL.EscapedPath() != raw {
		pr.Out.URL.Opaque = raw
	}
}

// validRequestID tells whether a client may choose this id: 20 to 200 letters,
// digits and dashes, as on Heroku.
func validRequestID(id string) bool {
	if len(id) < 20 || len(id) > 200 {
		return false
	}
	for _, c := range []byte(id) {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-') {
			return false
		}
	}
	return true
}
