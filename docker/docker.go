// Package docker is what the platform needs of Docker Engine 20.10 and newer:
// containers, images, networks, volumes, events. It alone imports Docker's
// library, and keeps it to itself: whoever runs something in containers, be it
// dynos, services of add-ons or builds, stands on the types that are here.
//
// Everything it makes carries the label of its platform, and it touches nothing
// that does not: a [Container] is had from its [Client] only. It keeps no state
// of its own: what runs is what the daemon says.
//
// Its errors are of kind renga.Unavailable when the daemon is away, with what to
// do; of kind renga.Invalid when the same will never go well; and otherwise may
// pass.
package docker

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/docker/docker/api/types/registry"
)

// DefaultNetworkPool is that of [Options].
const DefaultNetworkPool = "10.224.0.0/12"

// Options say where Docker is and what is the platform's there.
type Options struct {
	// Host is the daemon's address as in DOCKER_HOST, for instance
	// unix:///var/run/docker.sock. Empty means DOCKER_HOST itself or, without
	// it, the default socket.
	Host string
	// Platform is the platform's id. All that is made is labelled with it, and
	// what has another one is left alone.
	Platform string
	// Registry is where the daemon finds the platform's registry, for instance
	// localhost:5000.
	Registry string
	// PullToken is the password for pulls.
	PullToken string
	// NetworkPool is the CIDR out of which each app gets a network of 256
	// addresses. Empty means DefaultNetworkPool.
	NetworkPool string
	// Log is told of what needs no caller's attention. Nil means nobody.
	Log *slog.Logger
}

// Client is how one platform uses the daemon. Make one with New.
type Client struct {
	host     string
	platform string
	registry string
	pullAuth string // X-Registry-Auth
	pool     netip.Prefix
	log      *slog.Logger

	current  atomic.Pointer[session]
	pulls    flight
	networks flight
	noQuotas atomic.Bool // the daemon refuses storage options
	runnable sync.Map    // lookup: commands that were found in images

	claimMu sync.Mutex
	claimed map[netip.Prefix]bool // subnets of networks that are being made
}

// New checks the options. It does no I/O: the daemon may be away, and a client
// outlives any number of its restarts and upgrades.
func New(o Options) (*Client, error) {
	if o.Platform == "" {
		return nil, errors.New("docker: no platform id")
	}
	pool, err := parsePool(o.NetworkPool)
	if err != nil {
		return nil, err
	}
	auth, err := registry.EncodeAuthConfig(registry.AuthConfig{
		Username: "renga", Password: o.PullToken, ServerAddress: o.Registry,
	})
	if err != nil {
		return nil, errors.New("docker: encode pull token")
	}
	c := &Client{
		host: o.Host, platform: o.Platform, registry: o.Registry, pullAuth: auth, pool: pool,
		log: o.Log, claimed: map[netip.Prefix]bool{},
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	lib, err := c.newLibraryClient()
	if err != nil {
		return nil, fmt.Errorf("docker: %w", err)
	}
	c.host = lib.DaemonHost()
	return c, lib.Close()
}
