package registry

import (
	"net"
	"net/http"
)

// audited calls do and, if the change was made, writes a line of the audit log:
// who did what, from where, with which token.
func (r *Registry) audited(action string, w http.ResponseWriter, req *http.Request, rq request,
	do func(http.ResponseWriter, *http.Request, request) error) error {
	seen := &statusWriter{ResponseWriter: w, status: http.StatusOK}
	if err := do(seen, req, rq); err != nil || seen.status >= http.StatusMultipleChoices {
		return err
	}
	from, _, err := net.SplitHostPort(req.RemoteAddr)
	if err != nil {
		from = req.RemoteAddr
	}
	r.log.Info("audit", "action", action, "app", rq.call.app, "process", rq.process, "reference", rq.ref,
		"account", rq.who.account.ID, "email", rq.who.account.Email, "token", rq.who.token, "from", from)
	return nil
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
