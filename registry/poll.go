package registry

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"renga"
)

// maxRetryAfter bounds how long a registry can put us off.
const maxRetryAfter = 24 * time.Hour

// Poll asks what a tag names, in one cheap request that says what was answered last
// time. The answer may have a Wait beside an error. The kinds of its errors are as those
// of Copy.
func (c *Copier) Poll(ctx context.Context, ref renga.ImageRef, login renga.SourceLogin,
	last renga.TagAnswer) (renga.TagAnswer, error) {
	s, err := c.sources.open(ctx, ref, login)
	if err != nil {
		return renga.TagAnswer{}, err
	}
	status, header, err := s.headTag(ctx, ref, last.ETag)
	if err != nil {
		return renga.TagAnswer{}, sourceError(ref.Host, err)
	}
	answer := renga.TagAnswer{
		Digest: header.Get("Docker-Content-Digest"), ETag: renga.Clip(header.Get("ETag"), 200), Wait: retryAfter(header),
	}
	switch {
	case status == http.StatusNotModified && last.ETag != "":
		last.Wait = answer.Wait
		return last, nil
	case status == http.StatusOK && renga.ValidDigest(answer.Digest):
		return answer, nil
	case status == http.StatusOK || status == http.StatusMethodNotAllowed:
		m, err := s.fetch(ctx, ref) // it tells no digest, or answers no HEAD
		answer.Digest = m.digest
		return answer, err
	}
	return renga.TagAnswer{Wait: answer.Wait}, sourceError(ref.Host, &transport.Error{StatusCode: status})
}

// headTag asks for a tag's manifest without its content.
func (s *source) headTag(ctx context.Context, ref renga.ImageRef, etag string) (int, http.Header, error) {
	at := url.URL{
		Scheme: s.repo.Scheme(), Host: s.repo.RegistryStr(), Path: "/v2/" + s.repo.RepositoryStr() + "/manifests/" + ref.Tag,
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, at.String(), nil)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Accept", strings.Join(manifestTypes, ","))
	if etag != "" {
		req.Header.Set("If-None-Match", etag)
	}
	res, err := s.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	return res.StatusCode, res.Header, res.Body.Close()
}

// retryAfter reads the header Retry-After (RFC 9110, section 10.2.3).
func retryAfter(h http.Header) time.Duration {
	said := h.Get("Retry-After")
	if seconds, err := strconv.Atoi(said); err == nil && seconds > 0 {
		return min(time.Duration(min(seconds, 1<<30))*time.Second, maxRetryAfter)
	}
	if at, err := http.ParseTime(said); err == nil {
		return max(0, min(time.Until(at), maxRetryAfter))
	}
	return 0
}
