package herokucli

import (
	"github.com/rogpeppe/go-internal/testscript"

	"renga/e2e"
)

// appNames are those that stories give to apps whose addresses other programs
// than curl must find.
var appNames = []string{"hello"}

// Stories says how the stories in testdata are run, with the CLI in bin.
func Stories(kit *e2e.Kit, bin string) testscript.Params {
	return kit.Scripts("testdata", words(bin), e2e.WithHosts(appNames...))
}
