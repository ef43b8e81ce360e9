package herokucli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestSomeSharedCommandsGetTheirOwn counts the commands in the stories that could
// share a process and do not, by the rule.
func TestSomeSharedCommandsGetTheirOwn(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	call := regexp.MustCompile(`(?m)^(?:! )?(?:waitfor )?heroku ([a-z][a-z:0-9]*)`)
	own, all := 0, 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		script, _, _ := strings.Cut(string(text), "\n-- ")
		for _, found := range call.FindAllStringSubmatch(script, -1) {
			if standsAlone(found[1]) {
				continue
			}
			all++
			if getsOwn("script-"+strings.TrimSuffix(filepath.Base(file), ".txtar"), found[1], false) {
				own++
			}
		}
	}
	if own*100 < all*8 {
		t.Errorf("%d of %d commands that could share a process get their own, want a tenth", own, all)
	}
	t.Logf("%d of %d", own, all)
}
