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
	"renga/runtime/engine"
)

// subnetTries bounds how often another subnet is tried after Docker said that
// the chosen one overlaps: with a network made meanwhile by somebody else, or
// with a route that only the daemon sees.
const subnetTries = 32

// network gives the id of the app's network, which is made when it is missing.
// Within it dynos reach each other; Docker keeps bridges apart from each other.
// The daemon does not stop creating when the asker goes away, and would make a
// second one of the same name for the next. So this is waited for to the end.
func (e *Engine) network(ctx context.Context, s engine.Spec) (string, error) {
	ctx = context.WithoutCancel(ctx)
	return e.networks.do(ctx, string(s.App), func(ctx context.Context) (string, error) {
		api, err := e.api(ctx)
		if err != nil {
			return "", err
		}
		have, err := e.appNetworks(ctx, api, s.App)
		if err != nil {
			return "", err
		}
		if len(have) > 0 {
			return have[0].ID, e.removeTwins(ctx, api, have[1:])
		}
		return e.createNetwork(ctx, api, s)
	})
}

// removeTwins removes further networks of an app, which a Renga leaves that is
// killed while one is being made: Docker starts nothing in either then.
func (e *Engine) removeTwins(ctx context.Context, api *session, twins []network.Summary) error {
	for _, n := range twins {
		if err := api.NetworkRemove(ctx, n.ID); err != nil && !cerrdefs.IsNotFound(err) {
			return fmt.Errorf("remove the second network %s: %w", n.Name, e.fault(err))
		}
	}
	return nil
}

// appNetworks lists the networks of app, by label and oldest first. Docker
// allows two of one name; so nothing is ever looked up by name.
func (e *Engine) appNetworks(ctx context.Context, api *session, app renga.AppID) ([]network.Summary, error) {
	found, err := api.NetworkList(ctx, network.ListOptions{Filters: e.ours(labelApp, string(app))})
	if err != nil {
		return nil, fmt.Errorf("list networks of app %s: %w", app, e.fault(err))
	}
	slices.SortFunc(found, func(a, b network.Summary) int {
		return a.Created.Compare(b.Created)*2 + strings.Compare(a.ID, b.ID)
	})
	return found, nil
}

func (e *Engine) createNetwork(ctx context.Context, api *session, s engine.Spec) (string, error) {
	var refused []netip.Prefix
	for range subnetTries {
		subnet, err := e.claimSubnet(ctx, api, refused)
		if err != nil {
			return "", err
		}
		id, err := e.createBridge(ctx, api, s, subnet)
		e.unclaim(subnet)
		switch {
		case err == nil:
			e.log.Info("network created", "app", s.AppName, "subnet", subnet.String())
			return id, nil
		case cerrdefs.IsConflict(err):
			return "", &renga.Error{Kind: renga.Unavailable, Err: err,
				Message: "A network named " + networkName(s.App) + " that is not this platform's is in the way; remove it with docker network rm."}
		case !overlaps(err):
			return "", fmt.Errorf("create network of app %s: %w", s.AppName, e.fault(err))
		}
		refused = append(refused, subnet)
	}
	return "", renga.Errorf(renga.Unavailable,
		"Docker refuses every subnet tried in the network pool %s; set the pool to a range that is not in use here.", e.pool)
}

// overlaps tells whether Docker refused a subnet. It says "Pool overlaps with
// other one on this address space" (libnetwork/ipamapi/errors.go, also in
// newer engines) or that of another bridge, "conflicts with network".
func overlaps(err error) bool {
	return strings.Contains(err.Error(), "overlap") || strings.Contains(err.Error(), "conflicts with network")
}

func (e *Engine) createBridge(ctx context.Context, api *session, s engine.Spec, subnet netip.Prefix) (string, error) {
	made, err := api.NetworkCreate(ctx, networkName(s.App), network.CreateOptions{
		Driver: "bridge", Options: map[string]string{bridgeNameOption: e.bridgeName(subnet)},
		IPAM:   &network.IPAM{Driver: "default", Config: []network.IPAMConfig{{Subnet: subnet.String()}}},
		Labels: e.appLabels(s.App, s.AppName),
	})
	return made.ID, err
}

// networkName is for people who look at docker network ls.
func networkName(app renga.AppID) string { return "renga-" + head(string(app), 13) }

// claimSubnet finds a free subnet and keeps it from other apps' networks that
// are being made right now. Give it back with unclaim.
func (e *Engine) claimSubnet(ctx context.Context, api *session, refused []netip.Prefix) (netip.Prefix, error) {
	all, err := api.NetworkList(ctx, network.ListOptions{Filters: filters.NewArgs()})
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("list networks: %w", e.fault(err))
	}
	used := append(dockerSubnets(all), refused...)
	used = append(used, hostSubnets()...)

	e.claimMu.Lock()
	defer e.claimMu.Unlock()
	subnet, ok := freeSubnet(e.pool, slices.AppendSeq(used, maps.Keys(e.claimed)))
	if !ok {
		return netip.Prefix{}, renga.Errorf(renga.Unavailable,
			"The network pool %s has no free /%d for another app's network; set a larger pool, or delete apps that are not needed.", e.pool, subnetBits)
	}
	e.claimed[subnet] = true
	return subnet, nil
}

func (e *Engine) unclaim(subnet netip.Prefix) {
	e.claimMu.Lock()
	defer e.claimMu.Unlock()
	delete(e.claimed, subnet)
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

// Forget removes the app's networks and images when it has no containers any more.
func (e *Engine) Forget(ctx context.Context, app renga.AppID) error {
	if app == "" {
		return errors.New("forget app: no id")
	}
	api, err := e.api(ctx)
	if err != nil {
		return err
	}
	left, err := api.ContainerList(ctx, container.ListOptions{All: true, Filters: e.ours(labelApp, string(app))})
	if err != nil {
		return fmt.Errorf("list dynos of app %s: %w", app, e.fault(err))
	}
	if len(left) > 0 {
		return nil
	}
	networks, err := e.appNetworks(ctx, api, app)
	if err != nil {
		return err
	}
	for _, n := range networks {
		if err := api.NetworkRemove(ctx, n.ID); err != nil && !cerrdefs.IsNotFound(err) {
			return fmt.Errorf("remove network %s of app %s: %w", n.Name, app, e.fault(err))
		}
		e.log.Info("network removed", "app", n.Labels[labelAppName])
	}
	return e.forgetImages(ctx, api, app)
}
