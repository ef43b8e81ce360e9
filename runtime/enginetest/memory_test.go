package enginetest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"renga"
	"renga/runtime/engine"
	"renga/runtime/enginetest"
)

func TestMemoryKeepsTheContract(t *testing.T) {
	lines := []string{}
	for n := range 100 {
		lines = append(lines, fmt.Sprintf("line %d", n+1))
	}
	e := enginetest.NewMemory(nil, map[string]enginetest.Program{
		"serve":    {Listens: 20 * time.Millisecond},
		"exit":     {Exits: true, Code: 3},
		"stubborn": {Stops: -1},
		"chatty":   {Lines: append(lines, "GREETING=$GREETING"), Bye: "bye"},
		"filling":  {Fills: 1 << 40},
		"starving": {Starves: true},
		"keeper":   {Keeps: true, Lines: []string{"notes: $NOTES"}},
		"echo":     {Echo: true, Code: 5, Lines: []string{"ready"}},
	})
	e.Refuse(func(s engine.Spec) error {
		if strings.HasSuffix(s.Image.Digest, "0") {
			return renga.Errorf(renga.Invalid, "No image %s.", s.Image.Digest)
		}
		return nil
	})
	spec := func(verb, digest string) engine.Spec {
		return engine.Spec{Image: renga.Image{Command: []string{verb}, Digest: digest}, Size: renga.Size{Name: "eco"}}
	}
	enginetest.Suite(t, enginetest.Fixture{
		Engine: e, Probe: e.Probe,
		Serve: spec("serve", "1"), Exit: spec("exit", "1"), Stubborn: spec("stubborn", "1"),
		Chatty: spec("chatty", "1"), Echo: spec("echo", "1"), Starving: spec("starving",
			"1"), Filling: []engine.Spec{spec("filling", "1")}, Absent: spec("serve", "0"),
		Keeper: spec("keeper", "1"), Disk: func(_ *testing.T, name string) { e.MakeDisk(name) },
	})
}
