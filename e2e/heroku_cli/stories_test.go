package herokucli_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"renga/e2e"
	herokucli "renga/e2e/heroku_cli"
	"renga/e2e/services"
)

var (
	kit *e2e.Kit
	bin string // where the CLI is
)

func TestMain(m *testing.M) {
	heroku, err := e2e.InstallCLI(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	bin = filepath.Dir(heroku)
	os.Exit(e2e.Main(m, func(k *e2e.Kit) { kit = k }))
}

// TestStories runs testdata/*.txtar; `go test -run TestStories/apps` runs one.
func TestStories(t *testing.T) {
	buildServices(t)
	testscript.Run(t, herokucli.Stories(kit, bin))
}

// buildServices builds the images of add-ons.
func buildServices(t *testing.T) {
	t.Helper()
	for _, image := range []string{services.Redis7, services.Postgres15, services.Postgres17} {
		if _, err := services.Build(t.Context(), image); err != nil {
			t.Fatal(err)
		}
	}
}

// wanted is how many different commands the stories must run.
const wanted = 90

// TestStoriesRunEnoughCommands counts the different commands in the stories.
func TestStoriesRunEnoughCommands(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	call := regexp.MustCompile(`(?m)^(?:! )?(?:waitfor )?heroku (?:< \S+ )?([a-z][a-z:0-9]*)`)
	commands := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		script, _, _ := strings.Cut(string(text), "\n-- ")
		for _, found := range call.FindAllStringSubmatch(script, -1) {
			commands[found[1]] = true
		}
	}
	if len(commands) < wanted {
		t.Errorf("the stories run %d different commands of the CLI, want at least %d", len(commands), wanted)
	}
}
