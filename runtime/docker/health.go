package docker

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"

	"renga/runtime"
)

// checkInterval is the longest time between two of an image's own checks. The
// usual one, half a minute, would hold up each deploy for as long.
const checkInterval = 10 * time.Second

// maxHealthSaid bounds what is passed on of a check's output.
const maxHealthSaid = 200

// imageCheck is the HEALTHCHECK of an image as its containers get it; one that
// says NONE when there is none.
func (e *Engine) imageCheck(ctx context.Context, imageID string) (*container.HealthConfig, error) {
	none := &container.HealthConfig{Test: []string{"NONE"}}
	api, err := e.api(ctx)
	if err != nil {
		return nil, err
	}
	image, err := api.ImageInspect(ctx, imageID)
	if err != nil {
		return nil, fmt.Errorf("look for the image's health check: %w", e.fault(err))
	}
	if image.Config == nil || image.Config.Healthcheck == nil || len(image.Config.Healthcheck.Test) == 0 {
		return none, nil
	}
	check := *image.Config.Healthcheck
	if check.Interval == 0 || check.Interval > checkInterval {
		check.Interval = checkInterval
	}
	check.StartInterval = 0 // older daemons refuse it
	return &check, nil
}

// health is what a container's check says, and printed when it failed last.
func health(h *container.Health) (runtime.Health, string) {
	if h == nil {
		return runtime.NoHealth, ""
	}
	switch h.Status {
	case container.Starting:
		return runtime.Untried, ""
	case container.Healthy:
		return runtime.Healthy, ""
	case container.Unhealthy:
		said := ""
		if n := len(h.Log); n > 0 {
			said = strings.Join(strings.Fields(h.Log[n-1].Output), " ")
		}
		return runtime.Unhealthy, strings.ToValidUTF8(head(said, maxHealthSaid), "")
	}
	return runtime.NoHealth, ""
}
