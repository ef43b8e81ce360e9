package disk_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"renga"
	"renga/addons/catalogue"
	"renga/addons/disk"
	"renga/addons/provider"
	"renga/addons/providertest"
	"renga/docker"
)

// fixture is the provider on the real daemon, for a platform of its own.
type fixture struct {
	*testing.T
	*disk.Provider
	client   *docker.Client
	platform string
	service  catalogue.Service
	plan     catalogue.Plan
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{T: t, platform: "test-" + uuid.NewString()}
	var err error
	f.client, err = docker.New(docker.Options{Platform: f.platform, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	f.restart()
	offered, err := catalogue.Load("")
	if err != nil {
		t.Fatal(err)
	}
	if f.service, f.plan, err = offered.Plan("disk"); err != nil {
		t.Fatal(err)
	}
	return f
}

// restart is what a Renga that was killed is followed by.
func (f *fixture) restart() {
	f.Provider = disk.New(disk.Options{Docker: f.client, Now: time.Now})
}

// add is an add-on that is to be made; it is removed at the end.
func (f *fixture) add(options map[string]string) provider.Instance {
	i := providertest.NewInstance(f.service, f.plan, provider.App{ID: renga.AppID(uuid.NewString()), Name: "blog"})
	i.AddOn.Options = options
	f.Cleanup(func() {
		if err := f.Remove(context.Background(), i); err != nil {
			f.Error(err)
		}
		if left := f.left(i); left != "" {
			f.Errorf("there is left: %s", left)
		}
	})
	return i
}

// made is one that is made.
func (f *fixture) made(options map[string]string) provider.Instance {
	f.Helper()
	i := f.add(options)
	f.ensure(i)
	i.AddOn.State = renga.Provisioned
	return i
}

func (f *fixture) ensure(i provider.Instance) (steps []string) {
	f.Helper()
	if err := f.Ensure(f.Context(), i, func(step string) { steps = append(steps, step) }); err != nil {
		f.Fatal(err)
	}
	return steps
}

// left is what Docker has of an add-on.
func (f *fixture) left(i provider.Instance) string {
	f.Helper()
	return f.docker("volume", "ls", "--quiet", "--filter", "name=renga-disk-"+string(i.AddOn.ID)) +
		f.docker("ps", "--all", "--quiet", "--filter", "label=renga.platform="+f.platform)
}

func (f *fixture) docker(args ...string) string {
	f.Helper()
	out, err := exec.Command("docker", args...).CombinedOutput()
	if err != nil {
		f.Fatalf("docker %q: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// mount is what dynos have of it.
func (f *fixture) mount(i provider.Instance) renga.Mount {
	f.Helper()
	all, err := f.Mounts(i)
	if err != nil || len(all) != 1 {
		f.Fatalf("disks %+v, %v", all, err)
	}
	return all[0]
}

// file is the path of a file on a disk, on this machine.
func (f *fixture) file(i provider.Instance, name string) string {
	f.Helper()
	d, err := f.client.FindDisk(f.Context(), f.mount(i).Volume)
	if err != nil {
		f.Fatal(err)
	}
	return filepath.Join(d.Dir, name)
}

func (f *fixture) write(i provider.Instance, name, content string) {
	f.Helper()
	if err := os.WriteFile(f.file(i, name), []byte(content), 0o600); err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) reads(i provider.Instance, name, want string) {
	f.Helper()
	if got, err := os.ReadFile(f.file(i, name)); err != nil || string(got) != want {
		f.Errorf("%s is %q, %v; want %q", name, got, err, want)
	}
}

func TestADiskIsWhereItWasAskedFor(t *testing.T) {
	f := newFixture(t)
	for _, c := range []struct {
		options map[string]string
		want    renga.Mount
	}{
		{nil, renga.Mount{Path: "/data", Types: []renga.ProcessType{"web"}}},
		{
			map[string]string{"path": "/app/db", "process": "worker", "shared": "false"},
			renga.Mount{Path: "/app/db", Types: []renga.ProcessType{"worker"}},
		},
		{
			map[string]string{"process": "web, worker,web", "shared": "true"},
			renga.Mount{Path: "/data", Types: []renga.ProcessType{"web", "worker"}, Shared: true},
		},
	} {
		i := providertest.NewInstance(f.service, f.plan)
		i.AddOn.Options = c.options
		c.want.Volume = "renga-disk-" + string(i.AddOn.ID)
		if got := f.mount(i); !got.Equal(c.want) || f.Check(i) != nil {
			t.Errorf("%v: %+v, %v; want %+v", c.options, got, f.Check(i), c.want)
		}
		vars, err := f.Config(i, i.AddOn.Credentials[0])
		if err != nil || len(vars) != 1 || vars["PATH"] != c.want.Path {
			t.Errorf("config vars %v, %v", vars.Names(), err)
		}
	}
}

func TestADiskThatCannotBeIsRefused(t *testing.T) {
	f := newFixture(t)
	for says, options := range map[string]map[string]string{
		"absolute path":        {"path": "data"},
		"image's system":       {"path": "/etc/data"},
		"a folder of its own":  {"path": "/app"},
		"no option":            {"size": "10G"},
		"true or false":        {"shared": "yes"},
		"Name one process":     {"process": "web,worker"},
		"release command runs": {"process": "release"},
		"is reserved":          {"process": "run"},
		"is invalid":           {"process": ","},
	} {
		i := providertest.NewInstance(f.service, f.plan)
		i.AddOn.Options = options
		if err := f.Check(i); renga.KindOf(err) != renga.Invalid || !strings.Contains(err.Error(), says) {
			t.Errorf("%v: %v", options, err)
		}
	}
	i := providertest.NewInstance(f.service, f.plan)
	i.AddOn.Attachments = []renga.Attachment{{App: "a"}, {App: "b", Leaving: true}, {App: "a"}}
	if err := f.Check(i); err != nil {
		t.Errorf("attached to one app: %v", err)
	}
	i.AddOn.Attachments = append(i.AddOn.Attachments, renga.Attachment{App: "c"})
	if err := f.Check(i); renga.KindOf(err) != renga.Invalid || !strings.Contains(err.Error(), "two apps") {
		t.Errorf("attached to two apps: %v", err)
	}
	i.AddOn.Options = map[string]string{"shared": "true"}
	if err := f.Check(i); err != nil {
		t.Errorf("shared by two apps: %v", err)
	}
}

func TestADiskStaysUntilItIsRemoved(t *testing.T) {
	f := newFixture(t)
	i := f.made(nil)
	f.write(i, "notes", "one")
	for range 2 {
		if steps := f.ensure(i); len(steps) > 0 {
			t.Errorf("ensuring again does %q", steps)
		}
	}
	f.reads(i, "notes", "one")
	i.Plan, i.Apps = f.service.Plans[1], nil
	f.ensure(i)
	f.reads(i, "notes", "one")

	volume := f.mount(i).Volume
	dyno := f.docker("create", "--label", "renga.platform="+f.platform, "--mount", "type=volume,volume-nocopy=true,dst=/data,src="+volume,
		"renga/empty:1", "/never")
	err := f.Remove(t.Context(), i)
	if renga.KindOf(err) != renga.Unavailable || !strings.Contains(err.Error(), "Dynos still have the disk") {
		t.Errorf("removed from under a dyno: %v", err)
	}
	f.reads(i, "notes", "one")
	f.docker("rm", dyno)
	for range 2 { // what is gone is no error
		if err := f.Remove(t.Context(), i); err != nil {
			t.Fatal(err)
		}
	}
	if left := f.left(i); left != "" {
		t.Errorf("there is left: %s", left)
	}
}

// TestALostDiskIsNoEmptyOne: an app would begin anew, and nobody would know.
func TestALostDiskIsNoEmptyOne(t *testing.T) {
	f := newFixture(t)
	i := f.made(nil)
	f.write(i, "notes", "one")
	var dump bytes.Buffer
	if err := f.Dump(t.Context(), i, &dump); err != nil {
		t.Fatal(err)
	}
	f.docker("volume", "rm", f.mount(i).Volume)
	err := f.Ensure(t.Context(), i, func(string) {})
	if renga.KindOf(err) != renga.Unavailable || !strings.Contains(err.Error(), "is gone") {
		t.Errorf("it is made anew: %v", err)
	}
	if err := f.Restore(t.Context(), i, &dump); err != nil {
		t.Fatal(err)
	}
	f.ensure(i)
	f.reads(i, "notes", "one")
}

func TestADiskIsBackedUpAndRestored(t *testing.T) {
	f := newFixture(t)
	i := f.made(nil)
	f.write(i, "notes", "one")
	f.write(i, "more", strings.Repeat("x", 1<<20))
	used, err := f.Measure(t.Context(), i)
	if err != nil || used.DataBytes < 1<<20 || used.DataBytes > 2<<20 || used.Connections != -1 || used.At.IsZero() {
		t.Errorf("it uses %+v, %v", used, err)
	}
	var dump bytes.Buffer
	if err := f.Dump(t.Context(), i, &dump); err != nil {
		t.Fatal(err)
	}
	f.write(i, "notes", "two")
	if err := f.Restore(t.Context(), i, strings.NewReader("no dump")); renga.KindOf(err) != renga.Invalid {
		t.Errorf("restored from anything: %v", err)
	}
	f.reads(i, "notes", "two")
	if err := f.Restore(t.Context(), i, bytes.NewReader(dump.Bytes())); err != nil {
		t.Fatal(err)
	}
	f.reads(i, "notes", "one")
	f.ensure(i)
	f.reads(i, "notes", "one")

	another := f.made(nil) // the same data in a new add-on
	if err := f.Restore(t.Context(), another, bytes.NewReader(dump.Bytes())); err != nil {
		t.Fatal(err)
	}
	f.reads(another, "notes", "one")
}

// TestWhatIsCutShortIsDoneByTheNextCall ends each call at a later moment, until one
// goes well.
func TestWhatIsCutShortIsDoneByTheNextCall(t *testing.T) {
	f := newFixture(t)
	i := f.add(nil)
	untilItGoesWell := func(what string, do func(context.Context) error) {
		t.Helper()
		for limit := time.Millisecond; ; limit *= 2 {
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			err := do(ctx)
			cancel()
			f.restart()
			if err == nil {
				return
			}
			if limit > time.Minute || renga.KindOf(err) == renga.Invalid {
				t.Fatalf("%s: %v", what, err)
			}
		}
	}
	untilItGoesWell("ensure", func(ctx context.Context) error { return f.Ensure(ctx, i, func(string) {}) })
	if info, err := os.Stat(f.file(i, ".")); err != nil || info.Mode().Perm() != 0o777 {
		t.Errorf("its folder is %v, %v", info.Mode(), err)
	}
	i.AddOn.State = renga.Provisioned
	f.write(i, "notes", "one")
	var dump bytes.Buffer
	untilItGoesWell("dump", func(ctx context.Context) error { dump.Reset(); return f.Dump(ctx, i, &dump) })
	f.write(i, "notes", "two")
	untilItGoesWell("restore", func(ctx context.Context) error {
		err := f.Restore(ctx, i, bytes.NewReader(dump.Bytes()))
		if err != nil && !errors.Is(err, context.DeadlineExceeded) && renga.KindOf(err) != renga.Unavailable {
			t.Errorf("restore says %v", err)
		}
		return err
	})
	f.reads(i, "notes", "one")
	f.ensure(i)
	if left := strings.Fields(f.left(i)); len(left) != 2 { // its volume, and the one that says it is whole
		t.Errorf("there is %q", left)
	}
	untilItGoesWell("remove", func(ctx context.Context) error { return f.Remove(ctx, i) })
}
