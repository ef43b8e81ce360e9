package docker_test

import (
	"io"
	"log"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/uuid"

	"renga"
	"renga/docker"
	"renga/docker/dockertest"
)

// TestOnlyPulledImagesOfOldReleasesAreRemoved and none that somebody has a name for,
// that a container uses, or that was never pulled for an app.
func TestOnlyPulledImagesOfOldReleasesAreRemoved(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	client := newClient(t, docker.Options{Platform: "test-" + uuid.NewString(), Registry: host})
	app := renga.AppID(uuid.NewString())
	ids, digests := map[string]string{}, map[string]string{}
	for _, what := range []string{"kept", "old", "named", "used"} {
		digests[what] = pushed(t, host+"/hello/releases:"+what)
		id, err := client.Image(t.Context(), docker.ReleaseImage{
			App: app, AppName: "hello", Release: 1, Image: renga.Image{Digest: digests[what]},
		})
		if err != nil {
			t.Fatal(err)
		}
		ids[what] = id
		t.Cleanup(func() { _ = exec.Command("docker", "rmi", "-f", id).Run() }) // as far as it is there
	}
	ids["stranger's"] = dockertest.Image(t, nil)
	dockertest.Docker(t, "tag", ids["named"], "renga-test/"+string(app)+":mine")
	user := "renga-test-" + string(app)
	dockertest.Docker(t, "create", "--name", user, ids["used"], "/none")
	t.Cleanup(func() { dockertest.Docker(t, "rm", user) })

	keep := map[renga.AppID]map[string]bool{app: {digests["kept"]: true}}
	for range 2 { // the second time there is nothing to do
		if err := client.KeepImages(t.Context(), keep); err != nil {
			t.Fatal(err)
		}
	}
	for what, id := range ids {
		there := exec.Command("docker", "image", "inspect", id).Run() == nil
		if there != (what != "old") {
			t.Errorf("the image %s is there: %t", what, there)
		}
	}
}

// pushed pushes a random image and gives its digest.
func pushed(t *testing.T, where string) string {
	t.Helper()
	img, err := random.Image(1<<10, 1)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.NewTag(where, name.Insecure)
	if err == nil {
		err = remote.Write(ref, img, remote.WithContext(t.Context()))
	}
	if err != nil {
		t.Fatal(err)
	}
	dgst, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return dgst.String()
}
