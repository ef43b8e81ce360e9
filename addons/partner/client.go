package partner

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"renga"
	"renga/addons/catalogue"
	"renga/addons/provider"
)

const (
	// maxAnswer bounds what is read of an answer: config vars may have as much.
	maxAnswer = renga.MaxVarsBytes + 32<<10
	// maxCalls is how many calls of one partner are under way at once, so that a slow
	// one delays no other's add-ons.
	maxCalls = 4
	// accept names the version of Heroku's protocol.
	accept = "application/vnd.heroku-addons+json; version=3"
)

func newClient(p Parts) *http.Client {
	return &http.Client{
		Timeout: p.Timeout,
		// The environment's proxy is not used: it would connect where Dial may not.
		Transport: &http.Transport{
			DialContext: p.Dial, TLSHandshakeTimeout: p.Timeout, MaxIdleConns: 16, IdleConnTimeout: time.Minute,
			MaxResponseHeaderBytes: 64 << 10, DisableCompression: true,
		},
		// The password goes where the operator said, and nowhere else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// call asks a partner, once. Its error is of kind renga.Invalid if the partner says
// no, and renga.Unavailable if it may say something else later. With too many calls
// under way it is provider.ErrPending.
func (p *Provider) call(ctx context.Context, i provider.Instance, method, url string, body any) (answer, error) {
	if !p.enter(i.Service.Name) {
		return answer{}, provider.ErrPending
	}
	defer p.leave(i.Service.Name)
	req, err := p.request(ctx, i.Service, method, url, body)
	if err != nil {
		return answer{}, err
	}
	res, err := p.client.Do(req)
	if err != nil {
		return answer{}, p.away(i.Service, "cannot be reached", err)
	}
	defer func() { _ = res.Body.Close() }() // nothing was written
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return answer{}, p.away(i.Service, "does not end its answer", err)
	}
	return newAnswer(i.Service, method, res.StatusCode, text)
}

// away is the error of a partner that gave no answer. Why not is for the operator.
func (p *Provider) away(s catalogue.Service, what string, cause error) error {
	p.Log.Warn("a partner of add-ons gives no answer", "service", s.Name, "err", cause)
	return renga.Errorf(renga.Unavailable, "%s %s; it is asked again.", s.HumanName, what)
}

func (p *Provider) request(ctx context.Context, s catalogue.Service, method, url string, body any) (*http.Request, error) {
	keys, err := p.secretsOf(s)
	if err != nil {
		return nil, err
	}
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("encode a request to %s: %w", s.Name, err)
		}
		content = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, url, content)
	if err != nil {
		return nil, fmt.Errorf("make a request to %s: %w", s.Name, err)
	}
	req.SetBasicAuth(s.Name, string(keys.Password))
	req.Header.Set("Accept", accept)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Renga-Addons")
	return req, nil
}

// enter takes one of a partner's calls; false if there is none left.
func (p *Provider) enter(service string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.calls[service] >= maxCalls {
		return false
	}
	p.calls[service]++
	return true
}

func (p *Provider) leave(service string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.calls[service]--; p.calls[service] == 0 {
		delete(p.calls, service)
	}
}

// pathEscape makes one segment of an id. "." and ".." would lead elsewhere.
func pathEscape(id string) string {
	if id == "." || id == ".." {
		return "_"
	}
	return url.PathEscape(id)
}
