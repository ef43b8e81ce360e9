package docker

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"

	"renga"
	"renga/runtime/engine"
)

// What an image may ask of its own check. Docker makes each one with a process of
// its own, which no limit of the dyno counts; hence the least. The most is what a
// deploy can wait for: Docker's usual interval, half a minute, would hold up each
// for as long.
const (
	minCheckInterval, maxCheckInterval = time.Second, 10 * time.Second
	minCheckTimeout, maxCheckTimeout   = time.Second, time.Minute
	maxCheckStart                      = 5 * time.Minute
	maxCheckRetries                    = 10
)

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
	return boundedCheck(*image.Config.Healthcheck), nil
}

// boundedCheck brings what an image asks for within bounds. Zero leaves it to
// Docker; of the interval that is too long.
func boundedCheck(c container.HealthConfig) *container.HealthConfig {
	if c.Interval <= 0 {
		c.Interval = maxCheckInterval
	}
	c.Interval = min(max(c.Interval, minCheckInterval), maxCheckInterval)
	if c.Timeout != 0 {
		c.Timeout = min(max(c.Timeout, minCheckTimeout), maxCheckTimeout)
	}
	c.StartPeriod = min(max(c.StartPeriod, 0), maxCheckStart)
	c.Retries = min(max(c.Retries, 0), maxCheckRetries)
	c.StartInterval = 0 // older daemons refuse it
	return &c
}

// health is what a container's check says, and printed when it failed last.
func health(h *container.Health) (engine.Health, string) {
	if h == nil {
		return engine.NoHealth, ""
	}
	switch h.Status {
	case container.Starting:
		return engine.Untried, ""
	case container.Healthy:
		return engine.Healthy, ""
	case container.Unhealthy:
		said := ""
		if n := len(h.Log); n > 0 {
			said = strings.Join(strings.Fields(h.Log[n-1].Output), " ")
		}
		return engine.Unhealthy, strings.ToValidUTF8(renga.Head(said, maxHealthSaid), "")
	}
	return engine.NoHealth, ""
}
