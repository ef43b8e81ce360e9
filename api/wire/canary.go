package wire

import (
	"time"

	"renga"
)

// CanaryAsked is a canary in a body. A field that is left out does not change.
type CanaryAsked struct {
	Percent *int `json:"percent"`
	Seconds *int `json:"seconds"`
}

// Of gives a canary with the fields of the body changed.
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

// CanaryOf gives the canary that a body asks for; none for nil.
func CanaryOf(a renga.App, asked *CanaryAsked) (renga.Canary, error) {
	if asked == nil {
		return renga.Canary{}, nil
	}
	if err := WithPreboot(a); err != nil {
		return renga.Canary{}, err
	}
	return asked.Of(renga.Canary{})
}

// WithPreboot refuses a canary for an app without preboot, because its old dynos
// end before the new ones begin.
func WithPreboot(a renga.App) error {
	if !a.FeatureOn(renga.Preboot) {
		return Invalid("A canary runs beside the release that serves, which takes the feature preboot; switch it " +
			"on first.")
	}
	return nil
}
