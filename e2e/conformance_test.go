package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
)

// TestTheRegistryConforms runs the specification's own suite, and compares with what
// docs/conformance.md says of it.
func TestTheRegistryConforms(t *testing.T) {
	s := newStory(t)
	s.start()
	s.api(http.StatusCreated, "POST", "/apps", map[string]any{"name": "conformance"})
	tests, err := s.w.Conformance(s.Context(), "conformance")
	s.must(err)

	type figures struct{ passed, failed, skipped int }
	counts := map[string]*figures{"pull": {}, "push": {}, "discovery": {}, "management": {}}
	for _, one := range tests {
		c := counts[one.Category()]
		switch {
		case one.Status == "passed":
			c.passed++
		case one.Status == "skipped":
			c.skipped++
		case strings.Contains(one.Name, "sha512"):
			c.failed++
		default:
			t.Errorf("%s: %s\n%s", one.Name, one.Status, one.Output)
		}
	}
	page, err := os.ReadFile("../docs/conformance.md")
	s.must(err)
	for _, category := range []string{"pull", "push", "discovery", "management"} {
		c := counts[category]
		row := fmt.Sprintf("| %s | %d | %d | %d |", category, c.passed, c.failed, c.skipped)
		if !strings.Contains(string(page), "\n"+row+"\n") {
			t.Errorf("docs/conformance.md lacks the row %s", row)
		}
	}
	var releases []struct{ Version int }
	s.must(json.Unmarshal(s.api(http.StatusOK, "GET", "/apps/conformance/releases", nil), &releases))
	if len(releases) != 1 {
		t.Errorf("the suite made releases: %+v", releases)
	}
}
