package container_test

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"renga"
	"renga/addons/catalogue"
	"renga/addons/container"
	"renga/addons/provider"
	"renga/addons/providertest"
	"renga/docker"
	"renga/docker/dockertest"
)

// fixture is a provider on the real daemon, with a platform of its own.
type fixture struct {
	*testing.T
	*container.Provider
	docker   *docker.Client
	platform string
	image    string
	logs     *fakeLogs
	client   providertest.Client
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := newBareFixture(t)
	// Its labels would have it be something else.
	f.image = dockertest.Image(t, []string{"data/"}, "LABEL renga.kind=dyno renga.platform=another renga.app=victim "+
		"renga.addon=another renga.addon-app="+f.platform, `ENTRYPOINT ["/service", "serve"]`, "CMD []", "ENV OF=image")
	f.client = providertest.Client{
		Docker: f.docker, Image: f.image, Idle: []string{"/service", "wait"},
		Set: func(vars renga.Vars, key, value string) []string {
			return []string{"/service", "ask", vars["URL"], "SET", key, value}
		},
		Get: func(vars renga.Vars, key string) []string {
			return []string{"/service", "ask", vars["URL"], "GET", key}
		},
		Hold: func(vars renga.Vars) []string { return []string{"/service", "hold", vars["URL"]} },
	}
	return f
}

// newBareFixture is newFixture without the test's service.
func newBareFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{T: t, platform: "test-" + uuid.NewString(), logs: &fakeLogs{marks: map[string]renga.LogMark{}}}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	var err error
	if f.docker, err = docker.New(docker.Options{Platform: f.platform, Log: log}); err != nil {
		t.Fatal(err)
	}
	f.Provider = f.restarted()
	return f
}

// restarted is the provider of a Renga that was started anew.
func (f *fixture) restarted() *container.Provider {
	return container.New(container.Options{
		Docker: f.docker, Logs: f.logs, Log: slog.New(slog.NewTextHandler(f.Output(), nil)), Now: time.Now, AnswerLimit: 20 * time.Second,
	})
}

var (
	small = catalogue.Plan{Name: "small", Memory: 64 << 20, CPU: 0.5, Disk: 1 << 30, Connections: 10}
	large = catalogue.Plan{Name: "large", Memory: 128 << 20, CPU: 1, Disk: 2 << 30, Connections: 20}
)

// service is the entry of the catalogue for the test's service. args go to it.
func (f *fixture) service(args ...string) catalogue.Service {
	text := func(s string) catalogue.Template {
		t, err := catalogue.NewTemplate(s)
		if err != nil {
			f.Fatal(err)
		}
		return t
	}
	run := func(input string, argv ...string) catalogue.Command {
		c := catalogue.Command{Input: text(input)}
		for _, a := range argv {
			c.Run = append(c.Run, text(a))
		}
		return c
	}
	s := catalogue.Service{
		Name: "test-service", HumanName: "Test", Provider: catalogue.Container, Attachment: "TEST", Prefix: "test",
		Image: f.image, Port: 7000, Volume: "/data",
		Environment: map[string]catalogue.Template{"NAME": text("{{.Database}}")},
		Files:       map[string]catalogue.File{"/etc/service/conf": {Content: text("{{.Admin}}"), Owner: 1000}},
		Ready:       run("PING\n", "/service", "admin"),
		Config:      map[string]catalogue.Template{"URL": text("test://{{.User}}:{{.Password}}@{{.Host}}:{{.Port}}")},
		Grant:       run("GRANT {{.User}} {{.Password}}\n", "/service", "admin"),
		Revoke:      run("REVOKE {{.User}}\n", "/service", "admin"),
		Dump:        run("", "/service", "dump"),
		Restore:     run("", "/service", "admin"),
		Usage:       map[string]catalogue.Command{"connections": run("COUNT\n", "/service", "admin")},
		Plans:       []catalogue.Plan{small, large},
	}
	for _, a := range args {
		s.Arguments = append(s.Arguments, text(a))
	}
	return s
}

// bench is what the suite of all providers needs.
func (f *fixture) bench() *providertest.Bench {
	return &providertest.Bench{
		Provider: f.Provider, Service: f.service(), Plan: small, Larger: large, NewApp: f.client.NewApp, Kill: f.kill, Left: f.left,
	}
}

// kill kills the first process of an add-on's container.
func (f *fixture) kill(t *testing.T, i provider.Instance) {
	t.Helper()
	if err := f.container(i).Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// container is that of an add-on.
func (f *fixture) container(i provider.Instance) *docker.Container {
	f.Helper()
	all, err := f.docker.List(f.Context(), "addon", docker.Label{Key: "renga.addon", Value: string(i.AddOn.ID)})
	if err != nil || len(all) != 1 {
		f.Fatalf("containers of %s: %v, %v; want one", i.AddOn.Name, all, err)
	}
	return &all[0]
}

// left is what Docker has of an add-on, or could only be of one.
func (f *fixture) left(t *testing.T, _ provider.Instance) []string {
	t.Helper()
	var all []string
	for what, args := range map[string][]string{
		"container": {"ps", "--all", "--quiet", "--filter", "label=renga.kind=addon"},
		"volume":    {"volume", "ls", "--quiet"},
	} {
		out := dockertest.Docker(t, append(args, "--filter", "label=renga.platform="+f.platform)...)
		for _, name := range strings.Fields(out) {
			all = append(all, what+" "+name)
		}
	}
	return all
}

// made ensures an add-on until the test's end.
func (f *fixture) made(s catalogue.Service, apps ...provider.App) provider.Instance {
	f.Helper()
	i := providertest.NewInstance(s, small, apps...)
	f.removeAtEnd(i)
	if err := f.ensure(i); err != nil {
		f.Fatal(err)
	}
	if err := f.Grant(f.Context(), i, i.AddOn.Credentials[0]); err != nil {
		f.Fatal(err)
	}
	i.AddOn.Credentials[0].State, i.AddOn.State = renga.CredentialActive, renga.Provisioned
	return i
}

func (f *fixture) ensure(i provider.Instance) error {
	return f.Ensure(f.Context(), i, func(string) {})
}

func (f *fixture) removeAtEnd(i provider.Instance) {
	f.Cleanup(func() {
		if err := f.Remove(context.Background(), i); err != nil {
			f.Error(err)
		}
	})
}

func (f *fixture) vars(i provider.Instance) renga.Vars {
	f.Helper()
	vars, err := f.Config(i, i.AddOn.Credentials[0])
	if err != nil {
		f.Fatal(err)
	}
	return vars
}

// fakeLogs are the apps' logs.
type fakeLogs struct {
	mu    sync.Mutex
	lines []renga.LogLine
	marks map[string]renga.LogMark
}

func (l *fakeLogs) Line(_ renga.AppID, source, dyno, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, renga.LogLine{Source: source, Dyno: dyno, Text: text})
}

func (l *fakeLogs) Keep(app renga.AppID, id string, lines []renga.LogLine, mark renga.LogMark) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, lines...)
	l.marks[string(app)+id] = mark
}

func (l *fakeLogs) Mark(app renga.AppID, id string) renga.LogMark {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.marks[string(app)+id]
}

func (l *fakeLogs) Forget(app renga.AppID, id string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.marks, string(app)+id)
	return nil
}

// all are the lines as people read them, without their times.
func (l *fakeLogs) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []string
	for _, line := range l.lines {
		all = append(all, line.Source+"["+line.Dyno+"]: "+line.Text)
	}
	return all
}

// count is how many lines have all that in them.
func (l *fakeLogs) count(pieces ...string) int {
	n := 0
	for _, line := range l.all() {
		if !slices.ContainsFunc(pieces, func(piece string) bool { return !strings.Contains(line, piece) }) {
			n++
		}
	}
	return n
}

// eventually waits until something is so.
func (f *fixture) eventually(what string, is func() bool) {
	f.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); !is(); <-tick.C {
		if time.Now().After(deadline) {
			f.Fatalf("not so after a minute: %s; the log is\n%s", what, strings.Join(f.logs.all(), "\n"))
		}
	}
}
