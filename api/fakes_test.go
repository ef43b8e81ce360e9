package api_test

import (
	"cmp"
	"context"
	"io"
	"net/http"
	"time"

	"renga"
	"renga/api/addons"
	"renga/api/dynos"
	"renga/api/wire/wiretest"
	"renga/releaser"
	"renga/store"
)

// fake stands for what is behind the API beside the store and the releaser: the
// registry, certificates, what clients of dynos come to.
type fake struct {
	ordered  []string
	ran      []renga.OneOff
	creating func(context.Context) error // before an app is made, when set
	still    func(context.Context) error // what the last client was let in with
}

// fakeOf is the fake of a fixture.
func fakeOf(r *fixture) *fake { return r.Fakes[0].(*fake) }

// Find knows the image fresh only.
func (*fake) Find(
	_ context.Context, app string, t renga.ProcessType, ref string,
) (map[renga.ProcessType]renga.Image, error) {
	if ref != "fresh" {
		return nil, renga.Errorf(renga.Invalid, "No image %s was pushed to %s/%s.", ref, app, t)
	}
	return map[renga.ProcessType]renga.Image{t: wiretest.Image(t, 9)}, nil
}

func (*fake) RemoveApp(context.Context, string) error { return nil }
func (*fake) HostKey() string                         { return "ssh-ed25519 BBBB" }

func (f *fake) Order(host string) { f.ordered = append(f.ordered, host) }

func (f *fake) RunOneOff(
	_ context.Context, a renga.App, asked renga.OneOff, still func(context.Context) error,
) (renga.Dyno, string, error) {
	f.still, f.ran = still, append(f.ran, asked)
	return renga.Dyno{
		ID: "30000000-0000-4000-8000-000000000009", App: a.ID, Name: "run.1234", Type: renga.Run, Size: "eco", Release: 3,
		Command: []string{"/bin/sh", "-c", asked.Command}, State: renga.Starting, Since: wiretest.Born,
		Created: wiretest.Born,
	}, "s3cr3t", nil
}

func (f *fake) Exec(_ context.Context, _ renga.App, c dynos.Command) (string, error) {
	f.still = c.Still
	return c.Dyno + "-" + c.Line, nil
}

func (f *fake) Admit(_ renga.App, dyno, key string, still func(context.Context) error) (string, error) {
	f.still = still
	return "client of " + dyno + " with " + key, nil
}

// Reaches all.
func (*fake) Reaches(renga.AddOn) bool { return true }

func (f *fake) Open(_ string, t addons.Tunnel) (secret, key string, err error) {
	f.still = t.Still
	return "s3cr3t", "KEY", nil
}

func attached(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, "attached at "+r.URL.Path)
}

// creator is the releaser, which the fake may hold up.
type creator struct {
	*releaser.Releaser
	fake *fake
}

func (c creator) CreateApp(ctx context.Context, name string, by renga.AccountID) (renga.App, error) {
	if c.fake.creating != nil {
		if err := c.fake.creating(ctx); err != nil {
			return renga.App{}, err
		}
	}
	return c.Releaser.CreateApp(ctx, name, by)
}

// renamer renames in the store only.
type renamer struct{ *store.Store }

func (r renamer) Rename(ctx context.Context, id renga.AppID, name string) (renga.App, error) {
	if err := renga.ValidateAppName(name); err != nil {
		return renga.App{}, err
	}
	return r.RenameApp(ctx, id, name)
}

// sleeps know of no request.
type sleeps struct{ *store.Store }

func (sleeps) LastRequest(renga.AppID) time.Time { return time.Time{} }

// sent adds to the store what webhooks were sent.
type sent struct{ *store.Store }

func (sent) Events(context.Context, renga.AppID) ([]renga.Event, error) {
	return []renga.Event{wiretest.Event()}, nil
}

func (sent) Deliveries(context.Context, renga.AppID) ([]renga.Delivery, error) {
	return wiretest.Deliveries(), nil
}

// fakeLogs are logs to which nothing is added.
type fakeLogs struct{}

func (fakeLogs) Last(renga.AppID, int, renga.LogFilter) ([]renga.LogLine, uint64, error) {
	lines := wiretest.LogLines()
	return lines, uint64(len(lines)), nil
}

func (fakeLogs) Follow(ctx context.Context, _ renga.AppID, _ uint64, _ func([]renga.LogLine, uint64) error) error {
	<-ctx.Done()
	return ctx.Err()
}

// fakeOutputs are what release commands print. It comes at once; more never comes.
type fakeOutputs struct{}

func (fakeOutputs) Follow(
	ctx context.Context, _ renga.AppID, _ int, out io.Writer, over func(context.Context) (bool, error),
) error {
	if _, err := io.WriteString(out, "migrating\ndone\n"); err != nil {
		return err
	}
	if end, err := over(ctx); err != nil || end {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}

// noAddOns stands for the room of add-ons, of which no app here has any.
type noAddOns struct{}

func (noAddOns) RemoveOf(context.Context, renga.AppID) error { return nil }

// Collect would remove content of an app, and of one that is gone.
func (*fake) Collect(_ context.Context, dryRun bool) (renga.Collection, error) {
	return renga.Collection{
		DryRun: dryRun, StartedAt: wiretest.Born, Kept: 7, Removed: 5, Bytes: 300, LongestHold: 2 * time.Millisecond,
		Apps: []renga.AppCollection{{App: "hello", Images: 1, Bytes: 100, Expired: []int{2}}, {Bytes: 200}},
	}, nil
}

// Collections are one that ended early.
func (f *fake) Collections() []renga.Collection {
	one, _ := f.Collect(context.Background(), false)
	one.Marked, one.LongestWait, one.Fault = 6, time.Millisecond, "Redis was away."
	return []renga.Collection{one}
}

// Use has the app hello and a smaller one.
func (f *fake) Use(ctx context.Context) (renga.DiskUse, error) {
	hello, _ := f.AppUse(ctx, renga.App{ID: wiretest.Hello, Name: "hello"})
	return renga.DiskUse{
		At: wiretest.Born, Since: wiretest.Born, Level: renga.DiskLow, Total: 1000, Free: 400, Low: 500, Full: 100, Content: 30,
		Redis: 3, Audit: 2, Apps: []renga.AppDiskUse{{Name: "small", Logs: 1}, hello},
	}, nil
}

// AppUse has 99 bytes and, if the app has none, a quota of 5,000,000.
func (f *fake) AppUse(_ context.Context, a renga.App) (renga.AppDiskUse, error) {
	return renga.AppDiskUse{
		App: a.ID, Name: a.Name, Content: renga.ContentUse{Alone: 50, Shared: 20, Uploads: 9}, Logs: 8, Outputs: 7, AddOns: 3,
		Backups: 2, Quota: cmp.Or(a.DiskQuota, 5_000_000),
	}, nil
}
