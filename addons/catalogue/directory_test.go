package catalogue_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"renga"
	"renga/addons/catalogue"
)

// TestAServiceIsAddedByAFile that nobody ships.
func TestAServiceIsAddedByAFile(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "queue.yaml", queue(t))
	put(t, dir, "README", "This is no service.")
	put(t, dir, ".queue.yaml.swp", "nor is this")
	c := load(t, dir)
	if got, want := len(c.Services()), len(load(t, "").Services())+1; got != want {
		t.Errorf("there are %d services, want %d", got, want)
	}
	s, p, err := c.Plan("jobs:tiny")
	filled := p.HumanName == "Small" && p.Provider == catalogue.Container && s.Alternative == "QUEUE"
	filled = filled && s.Image == s.Versions["2"]
	if err != nil || s.Name != "queue" || p.Name != "small" || !filled {
		t.Errorf("jobs:tiny is %s:%s of %s, %v", s.Name, p.Name, p.Provider, err)
	}
	d := s.Data(renga.AddOn{ID: "01234567-89ab-cdef-0123-456789abcdef", Host: "queue-1.internal", Admin: "root"}, p).
		With(renga.Credential{User: "u1", Password: "secret"})
	vars, err := s.RenderConfig(d)
	if want := "queue://u1:secret@queue-1.internal:4000"; err != nil || len(vars) != 1 || vars["URL"] != want {
		t.Errorf("config vars %v, URL %s, %v; want %s", vars.Names(), vars["URL"], err, want)
	}
	environment, err := s.RenderEnvironment(d)
	if err != nil || environment["QUEUE_LIMIT"] != "10" {
		t.Errorf("the environment has %s, %v", environment["QUEUE_LIMIT"], err)
	}
	if arguments, err := s.RenderArguments(d); err != nil || fmt.Sprint(arguments) != "[--memory=32]" {
		t.Errorf("the arguments are %v, %v", arguments, err)
	}
	files, err := s.RenderFiles(d)
	want := catalogue.RenderedFile{
		Path: "/etc/queue.conf", Content: "# The password of the platform.\nadmin = root\n", Owner: 999,
	}
	if err != nil || len(files) != 1 || files[0] != want {
		t.Errorf("the files are %d, %v; want %s", len(files), err, want.Path)
	}
	argv, input, err := s.Grant.Render(d)
	if err != nil || fmt.Sprint(argv) != "[queue add u1]" || input != "secret" {
		t.Errorf("the command to grant is %v, %v", argv, err)
	}
}

func TestAFileTakesTheShippedOnesPlace(t *testing.T) {
	dir := t.TempDir()
	ours := strings.NewReplacer("service: queue", "service: heroku-redis", "[jobs]", "[redis-of-ours]")
	put(t, dir, "any-name.yml", ours.Replace(queue(t)))
	c := load(t, dir)
	if got, want := len(c.Services()), len(load(t, "").Services()); got != want {
		t.Errorf("there are %d services, want %d", got, want)
	}
	if s, p, err := c.Plan("heroku-redis"); err != nil || s.HumanName != "Queue" || p.Name != "small" {
		t.Errorf("heroku-redis is %s:%s, %v; want the operator's", s.HumanName, p.Name, err)
	}
	if _, err := c.Service("redis"); renga.KindOf(err) != renga.NotFound {
		t.Errorf("an alias of the shipped one is left: %v", err)
	}
}

// TestNamesAreOneServices: who asks for a name must not get another service because
// of a file that was added.
func TestNamesAreOneServices(t *testing.T) {
	aliased := func(alias string) string { return strings.Replace(queue(t), "[jobs]", "["+alias+"]", 1) }
	other := strings.Replace(aliased("jobs"), "service: queue", "service: other", 1)

	dir := t.TempDir()
	put(t, dir, "queue.yaml", aliased("redis"))
	if s, err := load(t, dir).Service("redis"); err != nil || s.Name != "queue" {
		t.Errorf("the operator's alias redis is %s, %v", s.Name, err)
	}
	for name, c := range map[string]struct{ second, want string }{
		"the name of a shipped one": {aliased("heroku-redis"),
			"b.yaml:1: the alias heroku-redis names the service of shipped heroku-redis.yaml, too: leave it out"},
		"the alias of another": {strings.Replace(other, "service: other", "service: another", 1),
			"a.yaml:1: the alias jobs names the service of "},
		"the same service": {other, "b.yaml:1: there is a service other already, in "},
	} {
		dir := t.TempDir()
		put(t, dir, "a.yaml", other)
		put(t, dir, "b.yaml", c.second)
		if _, err := catalogue.Load(dir); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %s", name, err, c.want)
		}
	}
}

func TestOnlyPlainFilesAreRead(t *testing.T) {
	elsewhere := put(t, t.TempDir(), "secret", queue(t))
	for want, place := range map[string]func(file string) error{
		"it is no regular file: put the file itself here, not a link": func(file string) error {
			return os.Symlink(elsewhere, file)
		},
		"it is no regular file": func(file string) error { return syscall.Mkfifo(file, 0o600) },
		"it is no regular":      func(file string) error { return os.Mkdir(file, 0o700) },
		"everyone may write it: run `chmod o-w` on it": func(file string) error {
			put(t, filepath.Dir(file), filepath.Base(file), queue(t))
			return os.Chmod(file, 0o666)
		},
	} {
		dir := t.TempDir()
		file := filepath.Join(dir, "queue.yaml")
		if err := place(file); err != nil {
			t.Fatal(err)
		}
		for _, read := range []func() error{
			func() error { _, err := catalogue.Load(dir); return err },
			func() error { _, err := catalogue.Check(file); return err },
		} {
			if err := read(); err == nil || !strings.HasPrefix(err.Error(), file+":1: "+want) {
				t.Errorf("read: %v; want %s", err, want)
			}
		}
	}
}

func TestADirectoryIsBounded(t *testing.T) {
	dir := t.TempDir()
	for i := range 201 {
		names := strings.NewReplacer("service: queue", fmt.Sprintf("service: queue-%d", i), "jobs", fmt.Sprintf("jobs-%d", i))
		put(t, dir, fmt.Sprintf("%03d.yaml", i), names.Replace(queue(t)))
	}
	if _, err := catalogue.Load(dir); err == nil || !strings.Contains(err.Error(), "more than 200 files") {
		t.Errorf("very many files: %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "000.yaml")); err != nil {
		t.Fatal(err)
	}
	load(t, dir)
	missing := filepath.Join(dir, "missing")
	if _, err := catalogue.Load(missing); err == nil || !strings.HasSuffix(err.Error(), ": make it, or name another one") {
		t.Errorf("a missing directory: %v", err)
	}
}
