package docker

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/docker/docker/api/types/versions"
	"github.com/docker/docker/client"

	"renga"
)

const (
	// oldestAPI is that of Engine 20.10, the oldest one this is tested with.
	oldestAPI = "1.41"
	// zstdAPI is that of Engine 23.0, the first that unpacks zstd layers.
	zstdAPI = "1.42"
	// answerTimeout is how long the daemon may take until it begins to answer
	// a call. It is long, for a busy disk makes creating and removing slow, and
	// it is there, for a stuck daemon answers never.
	answerTimeout = 2 * time.Minute
	pingTimeout   = 10 * time.Second
)

// session is the library's client once it has agreed with the daemon on an API
// version.
type session struct {
	*client.Client
	offered string // the daemon's newest version
}

// Ping tells whether the daemon answers and can be worked with. Its error is
// of kind renga.Unavailable and says what to do.
func (c *Client) Ping(ctx context.Context) error {
	s := c.current.Load()
	if s == nil {
		_, err := c.connect(ctx)
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	pong, err := s.Ping(ctx)
	if err != nil {
		return c.fault(err)
	}
	if pong.APIVersion != s.offered {
		_, err = c.connect(ctx)
	}
	return err
}

// api is the session to use. No call goes out before a version is agreed on:
// the library would try its newest one and be refused.
func (c *Client) api(ctx context.Context) (*session, error) {
	if s := c.current.Load(); s != nil {
		return s, nil
	}
	return c.connect(ctx)
}

// connect agrees with the daemon on an API version, the newest that both know.
// Several may do so at once; they come to the same end.
func (c *Client) connect(ctx context.Context) (*session, error) {
	lib, err := c.newLibraryClient()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	pong, err := lib.Ping(ctx)
	if err != nil {
		return nil, errors.Join(c.fault(err), lib.Close())
	}
	lib.NegotiateAPIVersionPing(pong)
	if v := lib.ClientVersion(); versions.LessThan(v, oldestAPI) {
		return nil, errors.Join(renga.Errorf(renga.Unavailable,
			"Docker at %s speaks only API %s, and %s is needed; upgrade it to Engine 20.10 or newer.",
			c.host, v, oldestAPI), lib.Close())
	}
	s := &session{Client: lib, offered: pong.APIVersion}
	c.noQuotas.Store(false)
	if old := c.current.Swap(s); old != nil {
		c.log.Info("docker changed", "api", lib.ClientVersion(), "api_before", old.ClientVersion())
	}
	return s, nil
}

// newLibraryClient makes one out of the environment and c.host. With
// DOCKER_CERT_PATH set, the library replaces the transport and with it the
// deadline.
func (c *Client) newLibraryClient() (*client.Client, error) {
	opts := []client.Opt{
		client.WithHTTPClient(&http.Client{
			Transport: &http.Transport{
				MaxIdleConns: 6, IdleConnTimeout: 30 * time.Second, ResponseHeaderTimeout: answerTimeout,
			},
			CheckRedirect: client.CheckRedirect,
		}),
		client.WithHost(client.DefaultDockerHost),
		client.FromEnv,
	}
	if c.host != "" {
		opts = append(opts, client.WithHost(c.host))
	}
	return client.NewClientWithOpts(opts...)
}

// UnpacksZstd says why the daemon cannot unpack layers packed with zstd: it is
// too old, which is of kind renga.Invalid, or away. Nil when it can.
func (c *Client) UnpacksZstd(ctx context.Context) error {
	if err := c.Ping(ctx); err != nil { // it may have been upgraded meanwhile
		return err
	}
	s, err := c.api(ctx)
	if err != nil {
		return err
	}
	if versions.LessThan(s.offered, zstdAPI) {
		return renga.Errorf(renga.Invalid,
			"This image has zstd layers, which need Docker Engine 23.0 (API %s) or newer, and the platform's speaks API %s. "+
				"Build it with gzip layers: docker buildx build "+
				"--output type=image,compression=gzip,force-compression=true,push=true.", zstdAPI, s.offered)
	}
	return nil
}
