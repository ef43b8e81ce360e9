package e2e_test

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"renga/e2e"
)

// kit is what all tests of the package run, built once by TestMain.
var kit *e2e.Kit

func TestMain(m *testing.M) {
	os.Exit(e2e.Main(m, func(k *e2e.Kit) { kit = k }))
}

// TestScripts runs testdata/*.txtar; `go test -run TestScripts/push` runs one.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, kit.Scripts("testdata", signing()))
}
