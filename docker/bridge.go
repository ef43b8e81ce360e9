package docker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"net/url"

	"github.com/docker/docker/api/types/network"

	"renga"
)

// bridgeNameOption is how Docker is told what to call a bridge.
const bridgeNameOption = "com.docker.network.bridge.name"

// BridgePrefix is what the bridges of the platform's networks begin with, and no
// others', so that a firewall can name them all in one rule.
func (c *Client) BridgePrefix() string {
	sum := sha256.Sum256([]byte(c.platform))
	return "rg" + hex.EncodeToString(sum[:])[:7]
}

// bridgeName is the prefix and the subnet's three bytes: no two networks of one
// machine have the same, and the kernel takes no more than 15 characters.
func (c *Client) bridgeName(subnet netip.Prefix) string {
	return c.BridgePrefix() + hex.EncodeToString(subnet.Addr().AsSlice()[:subnetBits/8])
}

// isLocal tells whether the daemon is on this machine, for all that its address
// says.
func (c *Client) isLocal() bool {
	at, err := url.Parse(c.host)
	return err != nil || at.Scheme == "unix" || at.Hostname() == "localhost" || at.Hostname() == "127.0.0.1"
}

// Bridges lists the interfaces of the platform's networks, as they are called on
// the daemon's machine. It is renga.Forbidden when that is another one.
func (c *Client) Bridges(ctx context.Context) ([]string, error) {
	if !c.isLocal() {
		return nil, renga.Errorf(renga.Forbidden,
			"Dynos may reach the machine at %s and its neighbours: Renga sets firewall rules on its own machine only. "+
				"Run Renga beside Docker.", c.host)
	}
	api, err := c.api(ctx)
	if err != nil {
		return nil, err
	}
	all, err := api.NetworkList(ctx, network.ListOptions{Filters: c.ours()})
	if err != nil {
		return nil, fmt.Errorf("list networks: %w", c.fault(err))
	}
	names := make([]string, 0, len(all))
	for _, n := range all {
		name := n.Options[bridgeNameOption]
		if name == "" { // made before they had names
			name = "br-" + shortID(n.ID)
		}
		names = append(names, name)
	}
	return names, nil
}
