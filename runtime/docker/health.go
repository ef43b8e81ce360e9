package docker

import (
	"context"
	"time"

	"renga/docker"
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

// imageCheck is the HEALTHCHECK of an image as its dynos get it; nil when there
// is none.
func (e *Engine) imageCheck(ctx context.Context, imageID string) (*docker.Check, error) {
	asked, err := e.docker.ImageCheck(ctx, imageID)
	if err != nil || asked == nil {
		return nil, err
	}
	return boundedCheck(*asked), nil
}

// boundedCheck brings what an image asks for within bounds. Zero leaves it to
// Docker; of the interval that is too long.
func boundedCheck(c docker.Check) *docker.Check {
	if c.Interval <= 0 {
		c.Interval = maxCheckInterval
	}
	c.Interval = min(max(c.Interval, minCheckInterval), maxCheckInterval)
	if c.Timeout != 0 {
		c.Timeout = min(max(c.Timeout, minCheckTimeout), maxCheckTimeout)
	}
	c.StartPeriod = min(max(c.StartPeriod, 0), maxCheckStart)
	c.Retries = min(max(c.Retries, 0), maxCheckRetries)
	return &c
}
