package docker

import (
	"testing"

	"github.com/docker/docker/api/types/container"
)

// TestAContainerEndsNoEarlierThanItStarts, whatever the daemon's clocks say: these
// times are of a command that ended at once, on a busy machine.
func TestAContainerEndsNoEarlierThanItStarts(t *testing.T) {
	const started, finished = "2026-11-26T12:10:30.592142545Z", "2026-11-26T12:10:30.58654778Z"
	for _, c := range []struct {
		state container.State
		ends  string
	}{
		{container.State{Status: container.StateExited, StartedAt: started, FinishedAt: finished}, started},
		{container.State{Status: container.StateExited, StartedAt: finished, FinishedAt: started}, started},
		{container.State{Status: container.StateCreated, StartedAt: "0001-01-01T00:00:00Z", FinishedAt: ""}, ""},
	} {
		one := testClient(t).container(container.InspectResponse{
			ContainerJSONBase: &container.ContainerJSONBase{State: &c.state}, Config: &container.Config{},
		})
		if want := timestamp(c.ends); !one.FinishedAt.Equal(want) {
			t.Errorf("%+v: it ended at %v; want %v", c.state, one.FinishedAt, want)
		}
	}
}
