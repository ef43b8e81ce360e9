package e2e

import "testing"

func TestNodeIsOld(t *testing.T) {
	for version, want := range map[string]bool{
		"v18.20.4\n": true, "v20.0.0\n": false, "v22.12.0\n": false, "": true, "node: not found": true,
	} {
		if got := nodeIsOld(version); got != want {
			t.Errorf("nodeIsOld(%q) = %v", version, got)
		}
	}
}
