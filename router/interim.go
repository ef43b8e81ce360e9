package router

import (
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
)

// hopHeaders concern one connection only, and are not passed on (RFC 9110,
// 7.6.1). With one of them an answer of HTTP/2 is malformed.
var hopHeaders = []string{
	"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

// watchInterim puts itself before the proxy's own hook for answers below 200,
// which passes them on as they are.
func (x *exchange) watchInterim(trace *httptrace.ClientTrace) {
	pass := trace.Got1xxResponse
	if pass == nil {
		return
	}
	trace.Got1xxResponse = func(status int, h textproto.MIMEHeader) error {
		if err := answerBound(http.Header(h)); err != nil {
			return &failure{H25, err}
		}
		if !x.wantsInterim(status) {
			return nil
		}
		tidyInterim(http.Header(h))
		return pass(status, h)
	}
}

// wantsInterim tells whether the client may get such an answer. HTTP/1.0 has
// none. A 100 is not passed on, for we did not ask the dyno for it: a client
// that asks gets the server's.
func (x *exchange) wantsInterim(status int) bool {
	return status != http.StatusContinue && x.in.ProtoAtLeast(1, 1)
}

// tidyInterim does to an answer below 200 what the proxy does to a final one.
func tidyInterim(h http.Header) {
	for _, named := range h["Connection"] {
		for name := range strings.SplitSeq(named, ",") {
			h.Del(textproto.TrimString(name))
		}
	}
	for _, name := range hopHeaders {
		delete(h, name)
	}
	h["Via"] = append(h["Via"], via)
}
