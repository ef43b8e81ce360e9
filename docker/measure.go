package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"

	"renga"
)

// Measure tells what a container that runs uses now. One that does not run is
// renga.NotFound. It asks for one reading: the daemon's stream waits a second for
// a second one.
func (c *Client) Measure(ctx context.Context, id string) (renga.Usage, error) {
	api, err := c.api(ctx)
	if err != nil {
		return renga.Usage{}, err
	}
	answer, err := api.ContainerStatsOneShot(ctx, id)
	if cerrdefs.IsNotFound(err) {
		return renga.Usage{}, notRunningError(id)
	}
	if err != nil {
		return renga.Usage{}, fmt.Errorf("measure container: %w", c.fault(err))
	}
	var stats container.StatsResponse
	err = json.NewDecoder(answer.Body).Decode(&stats)
	if err = errors.Join(err, answer.Body.Close()); err != nil {
		return renga.Usage{}, fmt.Errorf("measure container: %w", c.fault(err))
	}
	if stats.CPUStats.CPUUsage.TotalUsage == 0 { // of one that has ended the daemon tells zeros
		return renga.Usage{}, notRunningError(id)
	}
	return usage(stats), nil
}

// usage reads either form of the memory's figures. Version 1 of cgroups tells
// rss, cache and swap, each also with what is below it; version 2 tells anon and
// file, and counts pages by faults. Neither the daemon nor version 2's
// memory.stat tells of swap there, so it is 0.
func usage(s container.StatsResponse) renga.Usage {
	m := s.MemoryStats.Stats
	u := renga.Usage{CPU: time.Duration(s.CPUStats.CPUUsage.TotalUsage)}
	if _, second := m["anon"]; second {
		u.RSS, u.Cache = int64(m["anon"]), int64(m["file"])
		u.PagesIn, u.PagesOut = int64(m["pgfault"]), 0
		return u
	}
	u.RSS, u.Cache, u.Swap = int64(m["rss"]), int64(m["cache"]), int64(m["swap"])
	u.PagesIn, u.PagesOut = int64(m["pgpgin"]), int64(m["pgpgout"])
	return u
}
