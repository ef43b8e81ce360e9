package docker_test

import (
	"os/exec"
	"testing"

	"github.com/google/uuid"

	"renga"
	"renga/docker"
	"renga/docker/dockertest"
)

// TestWhatOthersHaveOnThisDockerIsNeverTouched when all that the platform has there
// goes: containers, networks, volumes and images of people, also such as have the very
// labels of our app but not our platform's, and such as have names like ours.
func TestWhatOthersHaveOnThisDockerIsNeverTouched(t *testing.T) {
	platform, app := "test-"+uuid.NewString(), renga.AppID(uuid.NewString())
	client := newClient(t, docker.Options{Platform: platform, Registry: "127.0.0.1:1"})
	image := dockertest.Image(t, nil)
	tag := "renga/" + string(app) + ":mine"
	dockertest.Docker(t, "tag", image, tag)
	mine := []string{"--label", docker.LabelPlatform + "=" + platform, "--label", docker.LabelApp + "=" + string(app)}
	have := func(name string, labels ...string) {
		dockertest.Docker(t, append([]string{"network", "create", "--label", "a=b"}, append(labels, name)...)...)
		t.Cleanup(func() { _ = exec.Command("docker", "network", "rm", name).Run() }) // as far as it is there
		dockertest.Docker(t, append([]string{"volume", "create"}, append(labels, name)...)...)
		t.Cleanup(func() { _ = exec.Command("docker", "volume", "rm", name).Run() })
		dockertest.Docker(t, append(append([]string{"create", "--name", name}, labels...), image, "/none")...)
		t.Cleanup(func() { _ = exec.Command("docker", "rm", "-f", name).Run() })
	}
	const ours, theirs, similar = "ours-", "theirs-", "similar-"
	have(ours+platform, mine...)
	have(theirs + platform)
	have(similar+platform, "--label", docker.LabelPlatform+"=another", "--label", docker.LabelApp+"="+string(app),
		"--label", docker.LabelKind+"="+string(docker.Dyno))

	ctx := t.Context()
	for _, err := range []error{
		client.RemoveAll(ctx, docker.Dyno, docker.Label{Key: docker.LabelApp, Value: string(app)}),
		client.Forget(ctx, app),
		client.RemoveVolume(ctx, ours+platform),
		client.RemoveVolume(ctx, theirs+platform), // as if a record named it
		client.RemoveVolume(ctx, similar+platform),
		client.KeepImages(ctx, map[renga.AppID]map[string]bool{app: {}}),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	there := func(kind, name string) bool { return exec.Command("docker", kind, "inspect", name).Run() == nil }
	for _, kind := range []string{"container", "network", "volume"} {
		for name, stays := range map[string]bool{ours: false, theirs: true, similar: true} {
			if there(kind, name+platform) != stays {
				t.Errorf("%s %s is there: %t", kind, name, !stays)
			}
		}
	}
	if !there("image", image) || !there("image", tag) {
		t.Error("an image of somebody else's is gone")
	}
}
