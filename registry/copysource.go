package registry

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/opencontainers/go-digest"

	"renga"
)

// SourceOptions say how other registries are reached.
type SourceOptions struct {
	// Dial connects, and refuses forbidden addresses.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// TLS is nil for the system's certificates.
	TLS *tls.Config
	// IdleTimeout is how long a source may be silent; 0 for a minute.
	IdleTimeout time.Duration
}

const (
	// maxSourceReads is how many manifests one image may make us read.
	maxSourceReads = 64
	answerTimeout  = 30 * time.Second
)

// sources opens repositories of other registries.
type sources struct {
	o     SourceOptions
	inner *http.Transport
}

func newSources(o SourceOptions) sources {
	if o.IdleTimeout == 0 {
		o.IdleTimeout = time.Minute
	}
	// The environment's proxy is not used: it would connect where Dial may not.
	return sources{o, &http.Transport{
		DialContext: o.Dial, TLSClientConfig: o.TLS, TLSHandshakeTimeout: answerTimeout,
		ResponseHeaderTimeout: answerTimeout, IdleConnTimeout: time.Minute, MaxIdleConnsPerHost: 4,
		MaxResponseHeaderBytes: 64 << 10, DisableCompression: true, ForceAttemptHTTP2: true,
	}}
}

// guard is an http.RoundTripper that speaks without TLS only to one registry, which
// is on this machine or in a private network, and to nothing that it leads to.
type guard struct {
	inner *http.Transport
	plain string
}

// RoundTrip makes one request.
func (g guard) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != "https" && (req.URL.Host != g.plain || g.plain == "") {
		return nil, renga.Errorf(renga.Forbidden, "The registry leads to %s without TLS, where nothing is fetched from.",
			clipText(req.URL.Host))
	}
	req = req.Clone(req.Context())
	req.Header.Set("User-Agent", "renga")
	return g.inner.RoundTrip(req)
}

// source is a repository of another registry. It keeps the manifests that it read.
type source struct {
	repo     name.Repository
	host     string
	options  []remote.Option
	client   *http.Client
	idle     time.Duration
	platform platform
	skipped  map[string]bool // images for other platforms, which are not read
	reads    int
	read     []sourceManifest
}

var _ imageSource = (*source)(nil)

// sourceManifest is a manifest as its registry gave it.
type sourceManifest struct {
	digest, mediaType string
	body              []byte
}

// open logs in to a repository.
func (s sources) open(ctx context.Context, ref renga.ImageRef, login renga.SourceLogin) (*source, error) {
	repo, err := name.NewRepository(ref.Name())
	if err != nil {
		return nil, renga.Errorf(renga.Invalid, "%q names no repository.", clipText(ref.Name()))
	}
	g := guard{inner: s.inner}
	if repo.Scheme() == "http" {
		g.plain = repo.RegistryStr()
	}
	auth := authn.Anonymous
	if login.Username != "" || login.Password != "" {
		auth = &authn.Basic{Username: login.Username, Password: string(login.Password)}
	}
	t, err := transport.NewWithContext(ctx, repo.Registry, auth, g, []string{repo.Scope(transport.PullScope)})
	if err != nil {
		return nil, sourceError(ref.Host, err)
	}
	return &source{
		repo: repo, host: ref.Host, idle: s.o.IdleTimeout, skipped: map[string]bool{},
		options: []remote.Option{remote.WithTransport(t), remote.WithContext(ctx)}, client: &http.Client{Transport: t},
	}, nil
}

func (s *source) ref(ref renga.ImageRef) name.Reference {
	if ref.Digest != "" {
		return s.repo.Digest(ref.Digest)
	}
	return s.repo.Tag(ref.Tag)
}

// fetch reads a manifest; its bytes are those that its digest names.
func (s *source) fetch(_ context.Context, ref renga.ImageRef) (sourceManifest, error) {
	if s.reads++; s.reads > maxSourceReads {
		return sourceManifest{}, renga.Errorf(renga.Invalid, "This image names more than %d others.", maxSourceReads)
	}
	desc, err := remote.Get(s.ref(ref), s.options...)
	if err != nil {
		return sourceManifest{}, sourceError(s.host, err)
	}
	mediaType, _, err := mime.ParseMediaType(string(desc.MediaType))
	if err != nil {
		mediaType = string(desc.MediaType) // which is none that we know
	}
	m := sourceManifest{desc.Digest.String(), mediaType, desc.Manifest}
	if isIndex(m.mediaType) {
		s.skipOthers(m.body)
	}
	s.read = append(s.read, m)
	return m, nil
}

// skipOthers notes which images of an index are for other platforms.
func (s *source) skipOthers(index []byte) {
	var doc manifestDoc
	if json.Unmarshal(index, &doc) != nil {
		return // find says what is wrong with it
	}
	for _, m := range doc.Manifests {
		if m.Platform != nil && m.Platform.OS != "" && m.Platform.Arch != "" && !s.platform.runs(m.Platform.normal()) {
			s.skipped[m.Digest] = true
		}
	}
}

// manifest is part of imageSource.
func (s *source) manifest(ctx context.Context, dgst string) (string, []byte, error) {
	if s.skipped[dgst] || !renga.ValidDigest(dgst) {
		return "", nil, errNotStored
	}
	m, err := s.fetch(ctx, renga.ImageRef{Digest: dgst})
	if renga.KindOf(err) == renga.NotFound {
		return "", nil, errNotStored
	}
	return m.mediaType, m.body, err
}

// blob is part of imageSource.
func (s *source) blob(ctx context.Context, dgst string, limit int64) ([]byte, error) {
	if !renga.ValidDigest(dgst) {
		return nil, errNotStored
	}
	body, err := s.open(ctx, contentRef{Digest: dgst, Size: -1})
	if err != nil {
		return nil, err
	}
	defer func() { _ = body.Close() }() // it was only read
	body.left, body.unsized = limit, true
	raw, err := io.ReadAll(body)
	if err != nil {
		return nil, sourceError(s.host, err)
	}
	if digest.FromBytes(raw).String() != dgst {
		return nil, renga.Errorf(renga.Invalid, "The image's config is not what its digest says.")
	}
	return raw, nil
}

// blobSize is part of imageSource. Sizes are checked once the blobs are here.
func (*source) blobSize(context.Context, string) (int64, error) { return 0, errNotStored }

// open begins to fetch a blob. Whether it is what its digest says must be checked at
// its end.
func (s *source) open(ctx context.Context, b contentRef) (*sourceBody, error) {
	if !renga.ValidDigest(b.Digest) {
		return nil, renga.Errorf(renga.Invalid, "%q is no sha256 digest.", clipText(b.Digest))
	}
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(s.idle, func() { cancel(renga.Errorf(renga.Unavailable, "%s stopped sending.", s.host)) })
	end := func() {
		timer.Stop()
		cancel(nil)
	}
	body, err := s.get(ctx, "blobs/"+b.Digest)
	if err != nil {
		end()
		return nil, sourceError(s.host, err)
	}
	return &sourceBody{ReadCloser: body, left: b.Size, idle: func() { timer.Reset(s.idle) }, end: end}, nil
}

// get reads a part of the repository, and follows where that leads.
func (s *source) get(ctx context.Context, part string) (io.ReadCloser, error) {
	at := url.URL{Scheme: s.repo.Scheme(), Host: s.repo.RegistryStr(), Path: "/v2/" + s.repo.RepositoryStr() + "/" + part}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, err
	}
	res, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	if err := transport.CheckError(res, http.StatusOK); err != nil {
		return nil, errors.Join(err, res.Body.Close())
	}
	return res.Body, nil
}

// needed are the manifests that the image needs to be found by: the indexes and itself.
func (s *source) needed(image string) []sourceManifest {
	var all []sourceManifest
	for i := len(s.read) - 1; i >= 0; i-- { // what is named goes before what names it
		if m := s.read[i]; m.digest == image || isIndex(m.mediaType) {
			all = append(all, m)
		}
	}
	return all
}

// sourceError says what another registry answered, as an error with a kind. Its own
// words are left out, for they could be anything.
func sourceError(host string, err error) error {
	var answer *transport.Error
	var untrusted *tls.CertificateVerificationError
	switch {
	case renga.KindOf(err) != renga.Internal:
		return err
	case errors.As(err, &untrusted):
		return &renga.Error{Kind: renga.Invalid, Err: err, Message: "The certificate of " + host + " cannot be verified."}
	case errors.As(err, &answer) && (answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden):
		return &renga.Error{Kind: renga.Forbidden, Err: err, Message: host + " does not give out this image with the " +
			"credentials that this app has for it. Set them, or check that the image exists."}
	case errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound:
		return &renga.Error{Kind: renga.NotFound, Err: err, Message: host + " does not have this image."}
	case errors.As(err, &answer) && answer.StatusCode == http.StatusTooManyRequests:
		return &renga.Error{Kind: renga.TooMany, Err: err, Message: host + " was asked too often."}
	}
	return &renga.Error{Kind: renga.Unavailable, Err: err, Message: host + " could not be reached, or did not answer as a registry."}
}
