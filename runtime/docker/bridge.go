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
func (e *Engine) BridgePrefix() string {
	sum := sha256.Sum256([]byte(e.platform))
	return "rg" + hex.EncodeToString(sum[:])[:7]
}

// bridgeName is the prefix and the subnet's three bytes: no two networks of one
// machine have the same, and the kernel takes no more than 15 characters.
func (e *Engine) bridgeName(subnet netip.Prefix) string {
	return e.BridgePrefix() + hex.EncodeToString(subnet.Addr().AsSlice()[:subnetBits/8])
}

// Bridges lists the interfaces of the platform's networks, as they are called on
// the daemon's machine. It is renga.Forbidden when that is another one.
func (e *Engine) Bridges(ctx context.Context) ([]string, error) {
	if at, err := url.Parse(e.host); err == nil && at.Scheme != "unix" && at.Hostname() != "localhost" && at.Hostname() != "127.0.0.1" {
		return nil, renga.Errorf(renga.Forbidden, "Dynos may reach the machine at %s and its neighbours: Renga sets firewall rules on its own machine only. Run Renga beside Docker.", e.host)
	}
	api, err := e.api(ctx)
	if err != nil {
		return nil, err
	}
	all, err := api.NetworkList(ctx, network.ListOptions{Filters: e.ours("", "")})
	if err != nil {
		return nil, fmt.Errorf("list networks: %w", e.fault(err))
	}
	names := make([]string, 0, len(all))
	for _, n := range all {
		name := n.Options[bridgeNameOption]
		if name == "" { // made before they had names
			name = "br-" + head(n.ID, 12)
		}
		names = append(names, name)
	}
	return names, nil
}
