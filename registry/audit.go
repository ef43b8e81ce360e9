package registry

import (
	"net"
	"net/http"
)

// audited calls do and, if the change was made, writes a line of the audit log:
// who did what to which digest, from where, with which token.
func (r *Registry) audited(action string, w http.ResponseWriter, req *http.Request, rq request,
	do func(http.ResponseWriter, *http.Request, request) error) error {
	seen := &statusWriter{ResponseWriter: w, status: http.StatusOK}
	if err := do(seen, req, rq); err != nil || seen.status >= http.StatusMultipleChoices {
		return err
	}
	digest := seen.Header().Get(digestHeader)
	if digest == "" && rq.byDigest() {
		digest = rq.ref
	}
	r.log.Info("audit", "action", action, "app", rq.call.app, "process", rq.process, "reference", rq.ref,
		"digest", digest, "account", rq.who.account.ID, "email", rq.who.account.Email,
		"token", rq.who.token, "from", addressOf(req))
	return nil
}

// digestHeader is the header in which answers name content.
const digestHeader = "Docker-Content-Digest"

// addressOf is the address that a request comes from, without its port.
func addressOf(req *http.Request) string {
	from, _, err := net.SplitHostPort(req.RemoteAddr)
	if err != nil {
		return req.RemoteAddr
	}
	return from
}

// statusWriter remembers the status that was sent.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController find the writer's other abilities.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
