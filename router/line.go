package router

import (
	"strconv"
	"time"
)

// String is the request's line in the app's log, in the form of Heroku's
// router: at=info method=GET path="/" host=… request_id=… fwd="…" dyno=web.1
// connect=1ms service=18ms status=200 bytes=13 protocol=https. If the request
// reached no dyno, the dyno's fields are empty.
func (r Record) String() string {
	b := make([]byte, 0, 256+len(r.Path))
	b = append(append(r.appendCode(b), "method="...), r.Method...)
	b = strconv.AppendQuote(append(b, " path="...), r.Path)
	b = append(append(b, " host="...), r.Host...)
	b = append(append(b, " request_id="...), r.RequestID...)
	b = strconv.AppendQuote(append(b, " fwd="...), r.Forwarded)
	b = append(append(b, " dyno="...), r.Dyno...)
	b = append(b, " connect="...)
	if r.Dyno != "" {
		b = appendMillis(b, r.Connect)
	}
	b = append(b, " service="...)
	if r.Dyno != "" {
		b = appendMillis(b, r.Service)
	}
	b = strconv.AppendInt(append(b, " status="...), int64(r.Status), 10)
	b = append(b, " bytes="...)
	if r.Dyno != "" {
		b = strconv.AppendInt(b, r.Bytes, 10)
	}
	if r.TLS {
		return string(append(b, " protocol=https"...))
	}
	return string(append(b, " protocol=http"...))
}

// appendCode appends how it went.
func (r Record) appendCode(b []byte) []byte {
	switch r.Code {
	case "":
		return append(b, "at=info "...)
	case H18:
		b = append(b, "sock=backend "...)
	case H27:
		b = append(b, "sock=client "...)
	}
	b = append(append(b, "at="...), r.Code.level()...)
	b = append(append(b, " code="...), r.Code...)
	b = strconv.AppendQuote(append(b, " desc="...), r.Desc)
	return append(b, ' ')
}

// level is a failure's severity: a warning if the client caused it, information
// if the app's owner asked for it.
func (c Code) level() string {
	switch c {
	case H80, H81:
		return "info"
	case H27, H28:
		return "warning"
	}
	return "error"
}

func appendMillis(b []byte, d time.Duration) []byte {
	return append(strconv.AppendInt(b, d.Milliseconds(), 10), "ms"...)
}
