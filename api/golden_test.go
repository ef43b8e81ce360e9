package api_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var rewrite = flag.Bool("update", false, "write the golden files anew")

func TestAnswersAreAsRecorded(t *testing.T) {
	for name, url := range map[string]string{
		"account": "/account", "app": "/apps/hello", "config-vars": "/apps/hello/config-vars",
		"release": "/apps/hello/releases/4", "releases": "/apps/hello/releases", "diff": "/apps/hello/releases/4/diff",
		"formation": "/apps/hello/formation", "dynos": "/apps/hello/dynos", "dyno-sizes": "/dyno-sizes",
		"regions": "/regions", "stacks": "/stacks", "not-found": "/apps/nobody",
	} {
		t.Run(name, func(t *testing.T) {
			_, body := newFixture(nil).Ask("GET", url, "", nil)
			var got bytes.Buffer
			if err := json.Indent(&got, []byte(body), "", "  "); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", name+".json")
			writtenDown(t, file, got.String())
		})
	}
}

// writtenDown fails unless a file has that content. With -update it writes the
// file.
func writtenDown(t *testing.T, file, want string) {
	t.Helper()
	if *rewrite {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != want {
		t.Errorf("%s is stale; go test ./api -run %s -update writes it anew:\n%s", file, t.Name(), want)
	}
}
