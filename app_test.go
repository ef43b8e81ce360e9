package renga_test

import (
	"testing"

	"renga"
)

func TestAFeatureHoldsItsDefaultUntilItIsSwitched(t *testing.T) {
	a := renga.App{}
	if !a.FeatureOn(renga.ReleaseOnPush) {
		t.Error("release-on-push is off by default")
	}
	a.Features = map[string]bool{renga.ReleaseOnPush: false}
	if a.FeatureOn(renga.ReleaseOnPush) {
		t.Error("release-on-push is on, though it was switched off")
	}
	if a.FeatureOn("no-such-feature") {
		t.Error("an unknown feature is on")
	}
}
