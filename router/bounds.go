package router

import (
	"fmt"
	"net/http"
)

// Heroku's limits of one request and of one answer (devcenter: http-routing,
// "Request buffering" and error code H25). net/http bounds all headers together,
// see Limits.
const (
	maxRequestLine  = 8192 // method, target and version
	maxMethod       = 127
	maxHeaderName   = 1000
	maxHeaderLine   = 8192 // name, colon, space and value
	maxHeaderCount  = 1000
	maxAnswerHeader = 512 << 10 // one line of an answer
	maxCookie       = 8192      // one Set-Cookie of an answer
)

// requestBound says which limit a request exceeds; nil for none.
func requestBound(r *http.Request) error {
	if len(r.Method) > maxMethod {
		return fmt.Errorf("the method has more than %d characters", maxMethod)
	}
	if len(r.Method)+len(r.RequestURI)+len(r.Proto)+2 > maxRequestLine {
		return fmt.Errorf("the request line has more than %d bytes", maxRequestLine)
	}
	count := 0
	for name, values := range r.Header {
		if len(name) > maxHeaderName {
			return fmt.Errorf("a header's name has more than %d bytes", maxHeaderName)
		}
		count += len(values)
		for _, value := range values {
			if len(name)+len(value)+2 > maxHeaderLine {
				return fmt.Errorf("the header %s has more than %d bytes", name, maxHeaderLine)
			}
		}
	}
	if count > maxHeaderCount {
		return fmt.Errorf("there are more than %d headers", maxHeaderCount)
	}
	return nil
}

// answerBound says which limit the headers of a dyno's answer exceed; nil for
// none.
func answerBound(h http.Header) error {
	for name, values := range h {
		most := maxAnswerHeader
		if name == "Set-Cookie" {
			most = maxCookie
		}
		for _, value := range values {
			if len(value) > most {
				return fmt.Errorf("the header %s has more than %d bytes", name, most)
			}
		}
	}
	return nil
}
