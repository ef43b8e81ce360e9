package docker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"

	"renga"
)

// subnetTries bounds how often another subnet is tried after Docker said that
// the chosen one overlaps: with a network made meanwhile by somebody else, or
// with a route that only the daemon sees.
const subnetTries = 32

// Network gives the id of an app's network, which is made when it is missing.
// Within it containers reach each other; Docker keeps bridges apart from each
// other. Name is the app's.
// The daemon does not stop creating when the asker goes away, and would make a
// second one of the same name for the next. So this is waited for to the end.
func (c *Client) Network(ctx context.Context, app renga.AppID, name string) (string, error) {
	ctx = context.WithoutCancel(ctx)
	return c.networks.do(ctx, string(app), func(ctx context.Context) (string, error) {
		api, err := c.api(ctx)
		if err != nil {
			return "", err
		}
		have, err := c.appNetworks(ctx, api, app)
		if err != nil {
			return "", err
		}
		if len(have) > 0 {
			return have[0].ID, c.removeDuplicates(ctx, api, have[1:])
		}
		return c.createNetwork(ctx, api, app, name)
	})
}

// removeDuplicates removes further networks of an app, which a Renga leaves that is
// killed while one is being made: Docker starts nothing in either then.
func (c *Client) removeDuplicates(ctx context.Context, api *session, duplicates []network.Summary) error {
	for _, n := range duplicates {
		if err := api.NetworkRemove(ctx, n.ID); err != nil && !cerrdefs.IsNotFound(err) {
			return fmt.Errorf("remove the second network %s: %w", n.Name, c.fault(err))
		}
	}
	return nil
}

// appNetworks lists the networks of app, by label and oldest first. Docker
// allows two of one name; so nothing is ever looked up by name.
func (c *Client) appNetworks(ctx context.Context, api *session, app renga.AppID) ([]network.Summary, error) {
	found, err := api.NetworkList(ctx, network.ListOptions{Filters: c.ours(Label{LabelApp, string(app)})})
	if err != nil {
		return nil, fmt.Errorf("list networks of app %s: %w", app, c.fault(err))
	}
	slices.SortFunc(found, func(a, b network.Summary) int {
		return a.Created.Compare(b.Created)*2 + strings.Compare(a.ID, b.ID)
	})
	return found, nil
}

func (c *Client) createNetwork(ctx context.Context, api *session, app renga.AppID, name string) (string, error) {
	var refused []netip.Prefix
	for range subnetTries {
		subnet, err := c.claimSubnet(ctx, api, refused)
		if err != nil {
			return "", err
		}
		id, err := c.createBridge(ctx, api, subnet, app, name)
		c.unclaim(subnet)
		switch {
		case err == nil:
			c.log.Info("network created", "app", name, "subnet", subnet.String())
			return id, nil
		case cerrdefs.IsConflict(err):
			return "", &renga.Error{Kind: renga.Unavailable, Err: err,
				Message: "A network named " + networkName(app) + " that is not this platform's is in the way; " +
					"remove it with docker network rm."}
		case !overlaps(err):
			return "", fmt.Errorf("create network of app %s: %w", name, c.fault(err))
		}
		refused = append(refused, subnet)
	}
	return "", renga.Errorf(renga.Unavailable,
		"Docker refuses every subnet tried in the network pool %s; set the pool to a range that is not in use here.", c.pool)
}

// overlaps tells whether Docker refused a subnet. It says "Pool overlaps with
// other one on this address space" (libnetwork/ipamapi/errors.go, also in
// newer engines) or that of another bridge, "conflicts with network".
func overlaps(err error) bool {
	return strings.Contains(err.Error(), "overlap") || strings.Contains(err.Error(), "conflicts with network")
}

func (c *Client) createBridge(
	ctx context.Context, api *session, subnet netip.Prefix, app renga.AppID, name string,
) (string, error) {
	made, err := api.NetworkCreate(ctx, networkName(app), network.CreateOptions{
		Driver: "bridge", Options: map[string]string{bridgeNameOption: c.bridgeName(subnet)},
		IPAM:   &network.IPAM{Driver: "default", Config: []network.IPAMConfig{{Subnet: subnet.String()}}},
		Labels: c.owned(OfApp(app, name)),
	})
	return made.ID, err
}

// networkName is for people who look at docker network ls.
func networkName(app renga.AppID) string { return "renga-" + head(string(app), 13) }

// claimSubnet finds a free subnet and keeps it from other apps' networks that
// are being made right now. Give it back with unclaim.
func (c *Client) claimSubnet(ctx context.Context, api *session, refused []netip.Prefix) (netip.Prefix, error) {
	all, err := api.NetworkList(ctx, network.ListOptions{Filters: filters.NewArgs()})
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("list networks: %w", c.fault(err))
	}
	used := append(dockerSubnets(all), refused...)
	used = append(used, hostSubnets()...)

	c.claimMu.Lock()
	defer c.claimMu.Unlock()
	subnet, ok := freeSubnet(c.pool, slices.AppendSeq(used, maps.Keys(c.claimed)))
	if !ok {
		return netip.Prefix{}, renga.Errorf(renga.Unavailable,
			"The network pool %s has no free /%d for another app's network; "+
				"set a larger pool, or delete apps that are not needed.", c.pool, subnetBits)
	}
	c.claimed[subnet] = true
	return subnet, nil
}

func (c *Client) unclaim(subnet netip.Prefix) {
	c.claimMu.Lock()
	defer c.claimMu.Unlock()
	delete(c.claimed, subnet)
}

func dockerSubnets(all []network.Summary) []netip.Prefix {
	var used []netip.Prefix
	for _, n := range all {
		for _, c := range n.IPAM.Config {
			if p, err := netip.ParsePrefix(c.Subnet); err == nil {
				used = append(used, p)
			}
		}
	}
	return used
}

// Forget removes an app's networks and images when it has no containers any more.
// Containers of no app that are in the networks leave them.
func (c *Client) Forget(ctx context.Context, app renga.AppID) error {
	if app == "" {
		return errors.New("forget app: no id")
	}
	api, err := c.api(ctx)
	if err != nil {
		return err
	}
	left, err := api.ContainerList(ctx, container.ListOptions{All: true, Filters: c.ours(Label{LabelApp, string(app)})})
	if err != nil {
		return fmt.Errorf("list containers of app %s: %w", app, c.fault(err))
	}
	if len(left) > 0 {
		return nil
	}
	networks, err := c.appNetworks(ctx, api, app)
	if err != nil {
		return err
	}
	for _, n := range networks {
		if err := c.empty(ctx, api, n.ID); err != nil {
			return err
		}
		if err := api.NetworkRemove(ctx, n.ID); err != nil && !cerrdefs.IsNotFound(err) {
			return fmt.Errorf("remove network %s of app %s: %w", n.Name, app, c.fault(err))
		}
		c.log.Info("network removed", "app", n.Labels[LabelAppName])
	}
	return c.forgetImages(ctx, api, app)
}

// empty takes out of an app's network what is left there: services that the app
// used, which are in other apps' networks as well, or in none from now on.
func (c *Client) empty(ctx context.Context, api *session, networkID string) error {
	found, err := api.NetworkInspect(ctx, networkID, network.InspectOptions{})
	if cerrdefs.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look who is in network %s: %w", shortID(networkID), c.fault(err))
	}
	for id := range found.Containers {
		left, err := c.Inspect(ctx, id)
		if err != nil {
			return err
		}
		if left == nil { // somebody else's: then the network stays
			continue
		}
		if err := left.Disconnect(ctx, networkID); err != nil {
			return err
		}
	}
	return nil
}
