package docker

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"

	"renga"
)

// Check is what the daemon asks a container again and again: a HEALTHCHECK. What
// is 0 is left to Docker.
type Check struct {
	// Test begins with CMD, and a command follows; or with CMD-SHELL and a line for
	// the container's shell; or it is NONE.
	Test        []string
	Interval    time.Duration
	Timeout     time.Duration // of one try
	StartPeriod time.Duration // in which failures do not count
	Retries     int           // so many failures in a row make it unhealthy
}

// Health is what a container's check says of it.
type Health string

// What a check says. NoHealth is said of a container without one.
const (
	NoHealth  Health = ""
	Untried   Health = "untried"
	Healthy   Health = "healthy"
	Unhealthy Health = "unhealthy"
)

// maxHealthOutput bounds what is passed on of a check's output.
const maxHealthOutput = 200

// ImageCheck is the HEALTHCHECK of an image; nil when it has none.
func (c *Client) ImageCheck(ctx context.Context, imageID string) (*Check, error) {
	api, err := c.api(ctx)
	if err != nil {
		return nil, err
	}
	image, err := api.ImageInspect(ctx, imageID)
	if err != nil {
		return nil, fmt.Errorf("look for the image's health check: %w", c.fault(err))
	}
	if image.Config == nil || image.Config.Healthcheck == nil || len(image.Config.Healthcheck.Test) == 0 {
		return nil, nil
	}
	h := image.Config.Healthcheck
	return &Check{h.Test, h.Interval, h.Timeout, h.StartPeriod, h.Retries}, nil
}

// healthConfig is how the daemon is told of a check. StartInterval stays unsaid,
// for older daemons refuse it.
func healthConfig(c *Check) *container.HealthConfig {
	if c == nil {
		return &container.HealthConfig{Test: []string{"NONE"}}
	}
	return &container.HealthConfig{
		Test: c.Test, Interval: c.Interval, Timeout: c.Timeout, StartPeriod: c.StartPeriod, Retries: c.Retries,
	}
}

// health is what a container's check says, and printed when it failed last.
func health(h *container.Health) (Health, string) {
	if h == nil {
		return NoHealth, ""
	}
	switch h.Status {
	case container.Starting:
		return Untried, ""
	case container.Healthy:
		return Healthy, ""
	case container.Unhealthy:
		said := ""
		if n := len(h.Log); n > 0 {
			said = strings.Join(strings.Fields(h.Log[n-1].Output), " ")
		}
		return Unhealthy, strings.ToValidUTF8(renga.Head(said, maxHealthOutput), "")
	}
	return NoHealth, ""
}
