package container_test

import (
	"testing"

	"renga/addons/providertest"
)

func TestProvider(t *testing.T) {
	providertest.Run(t, func(t *testing.T) *providertest.Bench {
		t.Parallel() // each test is a platform of its own, and mostly waits for the daemon
		return newFixture(t).bench()
	})
}
