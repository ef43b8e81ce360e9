package releases_test

import (
	"context"
	"io"
	"os"
	"testing"

	"renga"
	"renga/api/releases"
	"renga/api/wire"
	"renga/api/wire/wiretest"
	"renga/store/storetest"
)

type (
	fixture  = wiretest.Fixture
	scenario = wiretest.Scenario
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

// newFixture serves the family over the store.
func newFixture(changes ...func(*wiretest.Seed)) *fixture {
	r := wiretest.New(changes...)
	return r.Mount(func(d *wire.Door) []wire.Route {
		return releases.New(d, releases.Parts{
			Apps: r.DB, Releases: r.DB, Outputs: fake{}, Releaser: r.Releaser, Rollouts: r.DB, Images: fake{}, Stored: fake{},
			Deployer: r.Releaser, AddOnName: addOnName,
		}).Routes()
	})
}

// fake stands for the registry and the output of release commands.
type fake struct{}

// Follow writes the output at once.
func (fake) Follow(
	ctx context.Context, _ renga.AppID, _ int, out io.Writer, over func(context.Context) (bool, error),
) error {
	if _, err := io.WriteString(out, "migrating\ndone\n"); err != nil {
		return err
	}
	_, err := over(ctx)
	return err
}

// Find knows the images of three digests and the tag fresh.
func (fake) Find(
	_ context.Context, app string, t renga.ProcessType, ref string,
) (map[renga.ProcessType]renga.Image, error) {
	for _, n := range []int{2, 4, 9} {
		if img := wiretest.Image(t, n); ref == img.Digest || ref == "fresh" && n == 9 {
			return map[renga.ProcessType]renga.Image{t: img}, nil
		}
	}
	return nil, renga.Errorf(renga.Invalid, "No image %s was pushed to %s/%s.", ref, app, t)
}

func run(t *testing.T, scenarios []scenario) {
	t.Helper()
	wiretest.Run(t, newFixture, scenarios)
}

// addOnName knows one add-on.
func addOnName(_ context.Context, id renga.AddOnID) (string, error) {
	if id == wiretest.Database {
		return "postgresql-curved-12345", nil
	}
	return "", nil
}
