package docker_test

import (
	"strings"
	"testing"

	"renga/runtime/engine"
	"renga/runtime/enginetest"
)

func TestEngineKeepsTheContract(t *testing.T) {
	w := newFixture(t)
	program := func(verb string) engine.Spec {
		s := w.spec(verb)
		return engine.Spec{Image: s.Image, Size: s.Size}
	}
	filling := func(how string) engine.Spec {
		s := program("fill")
		s.Image.Command = append(s.Image.Command, how)
		return s
	}
	absent := program("serve")
	absent.Image.Digest = "sha256:" + strings.Repeat("0", 64)
	absent.Image.Config = ""
	enginetest.Suite(t, enginetest.Fixture{
		Engine: w.engine, Absent: absent,
		Serve: program("serve"), Exit: program("exit"), Stubborn: program("stubborn"), Chatty: program("chatty"),
		Echo: program("echo"), Starving: program("starving"), Keeper: program("keep"), Disk: w.disk,
		Filling: []engine.Spec{
			filling("file"), filling("volume"), filling("unlinked"), filling("mapped"), filling("many"), filling("deep"),
		},
	})
	if left := w.volumes(w.options.Platform); len(left) != 0 {
		t.Errorf("%d volumes are left", len(left))
	}
	if left := w.containers(w.options.Platform); len(left) != 0 {
		t.Errorf("%d containers are left", len(left))
	}
	if left := w.networks(w.options.Platform); len(left) != 0 {
		t.Errorf("%d networks are left", len(left))
	}
}
