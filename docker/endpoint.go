package docker

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/network"

	"renga"
)

// Endpoint is where a container is in a network.
type Endpoint struct {
	Network string // its name
	// Addr is the container's address, which this machine has a route to; invalid as
	// long as it does not run.
	Addr    netip.Addr
	Aliases []string // by which others in the network find it; Docker adds its own
}

// endpoints reads them. Docker knows those of a container that was never started
// by what its maker called the network.
func endpoints(all map[string]*network.EndpointSettings) map[string]Endpoint {
	found := map[string]Endpoint{}
	for name, at := range all {
		if at == nil {
			continue
		}
		id := at.NetworkID
		if id == "" {
			id = name
		}
		addr, _ := netip.ParseAddr(at.IPAddress) // invalid when there is none
		found[id] = Endpoint{Network: name, Addr: addr, Aliases: at.Aliases}
	}
	return found
}

// Addr is the container's address in an app's network, which this machine has a
// route to; invalid when it has none.
func (c *Container) Addr(app renga.AppID) netip.Addr {
	for _, at := range c.Endpoints {
		if at.Network == networkName(app) {
			return at.Addr
		}
	}
	return netip.Addr{}
}

// Connect lets the container into a network, where others find it by the aliases.
// One that is there already stays as it is.
func (c *Container) Connect(ctx context.Context, networkID string, aliases ...string) error {
	api, err := c.client.api(ctx)
	if err != nil {
		return err
	}
	err = api.NetworkConnect(ctx, networkID, c.ID, &network.EndpointSettings{Aliases: aliases})
	if err != nil && !(cerrdefs.IsPermissionDenied(err) && strings.Contains(err.Error(), "already exists in network")) {
		return fmt.Errorf("connect container %s to network %s: %w", shortID(c.ID), shortID(networkID), c.client.fault(err))
	}
	return nil
}

// Disconnect takes the container out of a network, with all its connections there.
// That it or the network is not there is no error.
func (c *Container) Disconnect(ctx context.Context, networkID string) error {
	api, err := c.client.api(ctx)
	if err != nil {
		return err
	}
	err = api.NetworkDisconnect(ctx, networkID, c.ID, true)
	if at, known := c.Endpoints[networkID]; known && notConnected(err) {
		err = api.NetworkDisconnect(ctx, at.Network, c.ID, true) // one that is gone the daemon knows by its name only
	}
	if err == nil || notConnected(err) {
		return nil
	}
	return fmt.Errorf("disconnect container %s from network %s: %w", shortID(c.ID), shortID(networkID), c.client.fault(err))
}

func notConnected(err error) bool {
	return err != nil && (cerrdefs.IsNotFound(err) || strings.Contains(err.Error(), "is not connected to"))
}
