package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
)

// Request is one HTTP request to the platform. Only Path must be set.
type Request struct {
	Method string // GET by default
	Host   string // without port; "localhost", the platform itself, by default
	Path   string // with the query
	Token  string // sent as bearer
	Header http.Header
	Body   []byte
}

// Answer is what came back, whole.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Do sends a request. An answer of any status is no error.
func (w *Platform) Do(ctx context.Context, q Request) (Answer, error) {
	url := w.URL(q.Host) + q.Path
	r, err := http.NewRequestWithContext(ctx, q.Method, url, bytes.NewReader(q.Body))
	if err != nil {
		return Answer{}, err
	}
	if q.Header != nil {
		r.Header = q.Header.Clone()
	}
	if q.Token != "" {
		r.Header.Set("Authorization", "Bearer "+q.Token)
	}
	response, err := w.client.Do(r)
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = response.Body.Close() }() // it was read
	body, err := io.ReadAll(response.Body)
	return Answer{response.StatusCode, response.Header, body}, err
}

// API asks the Platform API as the operator. Body is nil, a string or []byte of
// JSON, or something to marshal. An answer of any status is no error.
func (w *Platform) API(ctx context.Context, method, path string, body any) (status int, answer []byte, err error) {
	token, err := w.Token(ctx)
	if err != nil {
		return 0, nil, err
	}
	a, err := w.APIAs(ctx, token, method, path, body)
	return a.Status, a.Body, err
}

// APIAs is API with another token; none when it is empty.
func (w *Platform) APIAs(ctx context.Context, token, method, path string, body any) (Answer, error) {
	sent, err := encode(body)
	if err != nil {
		return Answer{}, err
	}
	return w.Do(ctx, apiRequest(token, method, path, sent))
}

func apiRequest(token, method, path string, body []byte) Request {
	return Request{
		Method: method, Path: path, Token: token, Body: body,
		Header: http.Header{
			"Accept":       {"application/vnd.heroku+json; version=3"},
			"Content-Type": {"application/json"},
		},
	}
}

// Get asks an app through the router. Host is the app's name, or a whole host.
func (w *Platform) Get(ctx context.Context, host, path string) (Answer, error) {
	return w.Do(ctx, Request{Host: w.Host(host), Path: path})
}

// Host is the host of the app of that name; a name with a dot is one already.
func (w *Platform) Host(name string) string {
	if strings.Contains(name, ".") {
		return name
	}
	return name + "." + w.Domain
}

// URL is "http://host:port" of the platform's listener; localhost when host is
// empty.
func (w *Platform) URL(host string) string {
	if host == "" {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, w.port())
}

// Client reaches the platform under any host name. It follows no redirects.
func (w *Platform) Client() *http.Client { return w.client }

// Token is the operator's API token. It stays the same as long as the data
// directory, so the binary is asked once.
func (w *Platform) Token(ctx context.Context) (string, error) {
	w.mu.Lock()
	token := w.token
	w.mu.Unlock()
	if token != "" {
		return token, nil
	}
	out, errOut, err := w.Run(ctx, "token")
	if err != nil {
		return "", fmt.Errorf("renga token: %w: %s", err, errOut)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.token = strings.TrimSpace(out)
	return w.token, nil
}

// Registry is the registry's address as clients on this machine write it. In a
// platform with hosts it is reached by HTTPS.
func (w *Platform) Registry() string {
	if w.hosts {
		return "registry." + w.Domain
	}
	return "localhost:" + w.port()
}

func (w *Platform) port() string {
	_, port, err := net.SplitHostPort(w.Addr)
	if err != nil {
		panic(err) // Addr was made by freeAddr
	}
	return port
}

// dial leads every host to this platform.
func (w *Platform) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, network, w.Addr)
}

func encode(body any) ([]byte, error) {
	switch b := body.(type) {
	case nil:
		return nil, nil
	case string:
		return []byte(b), nil
	case []byte:
		return b, nil
	}
	return json.Marshal(body)
}
