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
	c := &cli{bin: bin, served: map[string][]*served{}, counts: map[string]*counts{}}
	p := kit.Scripts("testdata", c.words(), e2e.WithHosts(appNames...))
	setup := p.Setup
	p.Setup = func(env *testscript.Env) error {
		env.Defer(func() { env.T().Log(c.leave(env.WorkDir)) })
		return setup(env)
	}
	return p
}
