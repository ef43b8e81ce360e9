package wire

import (
	"time"

	"renga"
)

// CanaryAsked is a canary in a body; what is left out stays as it is.
type CanaryAsked struct {
	Percent *int `json:"percent"`
	Seconds *int `json:"seconds"`
}

// Of is the canary that is asked for where there is another.
func (u CanaryAsked) Of(c renga.Canary) (renga.Canary, error) {
	if !c.On() {
		c = renga.DefaultCanary()
	}
	if u.Percent != nil {
		c.Percent = *u.Percent
	}
	if u.Seconds != nil {
		c.For = time.Duration(*u.Seconds) * time.Second
	}
	return c, c.Validate()
}

// CanaryOf is the canary that a body asks for; none for nil.
func CanaryOf(a renga.App, asked *CanaryAsked) (renga.Canary, error) {
	if asked == nil {
		return renga.Canary{}, nil
	}
	if err := WithPreboot(a); err != nil {
		return renga.Canary{}, err
	}
	return asked.Of(renga.Canary{})
}

// WithPreboot refuses canaries of an app whose old dynos end before the new ones
// begin.
func WithPreboot(a renga.App) error {
	if !a.FeatureOn(renga.Preboot) {
		return Invalid("A canary runs beside the release that serves, which takes the feature preboot; switch it " +
			"on first.")
	}
	return nil
}
