package container_test

import (
	"testing"

	"renga/addons/providertest"
)

func TestProvider(t *testing.T) {
	providertest.Run(t, func(t *testing.T) *providertest.Bench { return newFixture(t).bench() })
}
