package builds

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"renga"
)

const (
	fetchTimeout  = 5 * time.Minute
	answerTimeout = 30 * time.Second
	maxRedirects  = 5
)

// Fetch opens an archive at a URL, http or https. It leads to no address that dial refuses,
// by no redirect either. Read it to its end or close it.
func (m *Builds) Fetch(ctx context.Context, at string) (io.ReadCloser, error) {
	u, err := url.Parse(at)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return nil, renga.Errorf(renga.Invalid, "The source's URL must be an http or https one.")
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		cancel()
		return nil, renga.Errorf(renga.Invalid, "The source's URL cannot be read.")
	}
	req.Header.Set("User-Agent", "renga")
	res, err := m.fetcher.Do(req)
	if err != nil {
		cancel()
		var wrapped *url.Error
		if errors.As(err, &wrapped) { // it has the URL, which may have a secret in it
			err = wrapped.Err
		}
		return nil, renga.Errorf(renga.Invalid, "The source cannot be fetched from %s: %w", u.Host, err)
	}
	if res.StatusCode != http.StatusOK {
		cancel()
		_ = res.Body.Close() // it is not read
		return nil, renga.Errorf(renga.Invalid, "The source cannot be fetched: %s answers %d.", u.Host, res.StatusCode)
	}
	return fetched{res.Body, cancel}, nil
}

// fetched is an archive on its way.
type fetched struct {
	io.ReadCloser
	cancel context.CancelFunc
}

// Close ends the transfer.
func (f fetched) Close() error {
	defer f.cancel()
	return f.ReadCloser.Close()
}

// newFetcher connects by dial only, and by no proxy.
func newFetcher(dial func(ctx context.Context, network, address string) (net.Conn, error)) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext: dial, TLSHandshakeTimeout: answerTimeout, ResponseHeaderTimeout: answerTimeout,
			MaxResponseHeaderBytes: 64 << 10, DisableKeepAlives: true, ForceAttemptHTTP2: true,
		},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if len(via) >= maxRedirects || via[0].URL.Scheme == "https" && req.URL.Scheme != "https" {
				return fmt.Errorf("it leads on to %s", req.URL.Host)
			}
			return nil
		},
	}
}
