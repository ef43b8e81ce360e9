// Package docker is the engine on Docker Engine 20.10 and newer: one container
// per dyno, one bridge network per app. Everything it makes carries labels (see
// labels.go), and it touches nothing that does not carry its platform's. It
// keeps no state of its own: what runs is what the daemon says.
package docker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/docker/docker/api/types/registry"
	"github.com/docker/docker/api/types/versions"
	"github.com/docker/docker/client"

	"renga"
	"renga/runtime/engine"
)

var (
	_ engine.Engine       = (*Engine)(nil)
	_ engine.Tailer       = (*Engine)(nil)
	_ engine.OutputReader = (*Engine)(nil)
	_ engine.Ender        = (*Engine)(nil)
	_ engine.PortLister   = (*Engine)(nil)
	_ engine.Forgetter    = (*Engine)(nil)
	_ engine.Attacher     = (*Engine)(nil)
	_ engine.Execer       = (*Engine)(nil)
	_ engine.Filer        = (*Engine)(nil)
	_ engine.Dialer       = (*Engine)(nil)
	_ engine.Measurer     = (*Engine)(nil)
	_ engine.DiskGuard    = (*Engine)(nil)
)

// Defaults of [Options].
const (
	DefaultNetworkPool = "10.224.0.0/12"
	DefaultLogMaxBytes = 10 << 20
)

const (
	// oldestAPI is that of Engine 20.10, the oldest one this is tested with.
	oldestAPI = "1.41"
	// answerTimeout is how long the daemon may take until it begins to answer
	// a call. It is long, for a busy disk makes creating and removing slow, and
	// it is there, for a stuck daemon answers never.
	answerTimeout = 2 * time.Minute
	pingTimeout   = 10 * time.Second
)

// Options say where Docker is and what the engine makes there.
type Options struct {
	// Host is the daemon's address as in DOCKER_HOST, for instance
	// unix:///var/run/docker.sock. Empty means DOCKER_HOST itself or, without
	// it, the default socket.
	Host string
	// Platform is the platform's id. Containers and networks are labelled with
	// it, and those with another one are left alone.
	Platform string
	// Registry is where the daemon finds the platform's registry, for instance
	// localhost:5000.
	Registry string
	// PullToken is the password for pulls.
	PullToken string
	// NetworkPool is the CIDR out of which each app gets a network of 256
	// addresses. Empty means DefaultNetworkPool.
	NetworkPool string
	// LogMaxBytes is how much of a dyno's output is kept at most, in each of
	// two files. 0 means DefaultLogMaxBytes.
	LogMaxBytes int64
	// Log is told of what needs no caller's attention. Nil means nobody.
	Log *slog.Logger
}

// Engine runs dynos as containers. Make one with New.
type Engine struct {
	host     string
	platform string
	registry string
	pullAuth string // X-Registry-Auth
	pool     netip.Prefix
	logMax   int64
	log      *slog.Logger

	dialled  atomic.Pointer[session]
	pulls    flight
	networks flight
	noQuotas atomic.Bool // the daemon refuses storage options
	runnable sync.Map    // lookup: commands that were found in images

	claimMu sync.Mutex
	claimed map[netip.Prefix]bool // subnets of networks that are being made
}

// session is a client that has agreed with the daemon on an API version.
type session struct {
	*client.Client
	offered string // the daemon's newest version
}

// New checks the options. It does no I/O: the daemon may be away, and an engine
// outlives any number of its restarts and upgrades.
func New(o Options) (*Engine, error) {
	if o.Platform == "" {
		return nil, errors.New("docker engine: no platform id")
	}
	pool, err := parsePool(o.NetworkPool)
	if err != nil {
		return nil, err
	}
	auth, err := registry.EncodeAuthConfig(registry.AuthConfig{
		Username: "renga", Password: o.PullToken, ServerAddress: o.Registry,
	})
	if err != nil {
		return nil, errors.New("docker engine: encode pull token")
	}
	e := &Engine{
		host: o.Host, platform: o.Platform, registry: o.Registry, pullAuth: auth, pool: pool,
		logMax: o.LogMaxBytes, log: o.Log, claimed: map[netip.Prefix]bool{},
	}
	if e.logMax <= 0 {
		e.logMax = DefaultLogMaxBytes
	}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	c, err := e.newClient()
	if err != nil {
		return nil, fmt.Errorf("docker engine: %w", err)
	}
	e.host = c.DaemonHost()
	return e, c.Close()
}

// Ping tells whether the daemon answers and can be worked with. Its error is
// of kind renga.Unavailable and says what to do.
func (e *Engine) Ping(ctx context.Context) error {
	s := e.dialled.Load()
	if s == nil {
		_, err := e.dial(ctx)
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	pong, err := s.Ping(ctx)
	if err != nil {
		return e.fault(err)
	}
	if pong.APIVersion != s.offered {
		_, err = e.dial(ctx)
	}
	return err
}

// api is the client to use. No call goes out before a version is agreed on:
// the client would try its newest one and be refused.
func (e *Engine) api(ctx context.Context) (*session, error) {
	if s := e.dialled.Load(); s != nil {
		return s, nil
	}
	return e.dial(ctx)
}

// dial agrees with the daemon on an API version, the newest that both know.
// Several may do so at once; they come to the same end.
func (e *Engine) dial(ctx context.Context) (*session, error) {
	c, err := e.newClient()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	pong, err := c.Ping(ctx)
	if err != nil {
		return nil, errors.Join(e.fault(err), c.Close())
	}
	c.NegotiateAPIVersionPing(pong)
	if v := c.ClientVersion(); versions.LessThan(v, oldestAPI) {
		return nil, errors.Join(renga.Errorf(renga.Unavailable,
			"Docker at %s speaks only API %s, and %s is needed; upgrade it to Engine 20.10 or newer.", e.host, v, oldestAPI), c.Close())
	}
	s := &session{Client: c, offered: pong.APIVersion}
	e.noQuotas.Store(false)
	if old := e.dialled.Swap(s); old != nil {
		e.log.Info("docker changed", "api", c.ClientVersion(), "api_before", old.ClientVersion())
	}
	return s, nil
}

// newClient makes a client out of the environment and e.host. With
// DOCKER_CERT_PATH set, the library replaces the transport and with it the
// deadline.
func (e *Engine) newClient() (*client.Client, error) {
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
	if e.host != "" {
		opts = append(opts, client.WithHost(e.host))
	}
	return client.NewClientWithOpts(opts...)
}
