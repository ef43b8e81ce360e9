package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"renga"
)

// callerKey is the context's key for who makes a request in process. No request
// from outside can have it.
type callerKey struct{}

// inProcess makes requests to the registry without a network, as an account with
// all its permissions on one app. They are checked like any other request.
type inProcess struct {
	registry *Registry
	what     string
	who      caller
}

// bringing are the requests of what brings an image in an account's name, for instance
// an "import". A release that they make has the push's id, so that it is made once;
// description is for it.
func (r *Registry) bringing(what string, by renga.Account, push, description string) inProcess {
	return inProcess{r, what, caller{
		account: by, scopes: renga.Scopes{renga.ScopeGlobal}, token: what + " " + push, pushID: push, description: description,
	}}
}

// do answers one request. Any answer of 400 and more is an error.
func (p inProcess) do(ctx context.Context, method string, at *url.URL, header http.Header, body io.Reader,
	size int64) (*heldAnswer, error) {
	req, err := http.NewRequestWithContext(context.WithValue(ctx, callerKey{}, p.who), method, at.String(), body)
	if err != nil {
		return nil, fmt.Errorf("call the registry: %w", err)
	}
	if req.Body == nil {
		req.Body = http.NoBody
	}
	req.ContentLength, req.RequestURI, req.RemoteAddr = size, at.RequestURI(), p.what
	for name, values := range header {
		req.Header[name] = values
	}
	answer := &heldAnswer{header: http.Header{}, status: http.StatusOK}
	if err := p.registry.serve(answer, req); err != nil {
		return answer, err
	}
	return answer, answer.failure()
}

// failure is what an answer of 400 and more says.
func (a *heldAnswer) failure() error {
	if a.status < http.StatusBadRequest {
		return nil
	}
	var said struct {
		Errors []struct{ Code, Message string } `json:"errors"`
	}
	if json.Unmarshal(a.body.Bytes(), &said) != nil || len(said.Errors) == 0 {
		return refusal{a.status, "UNKNOWN", http.StatusText(a.status)}
	}
	return refusal{a.status, said.Errors[0].Code, said.Errors[0].Message}
}
