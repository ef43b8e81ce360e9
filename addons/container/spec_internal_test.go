package container

import (
	"testing"

	"renga"
	"renga/addons/catalogue"
	"renga/addons/provider"
)

// TestWhateverAContainerIsMadeOfMakesAnotherOne: its hash follows from all of it, and
// from nothing else.
func TestWhateverAContainerIsMadeOfMakesAnotherOne(t *testing.T) {
	text := func(s string) catalogue.Template {
		made, err := catalogue.NewTemplate(s)
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	made := func(change func(*provider.Instance)) string {
		i := provider.Instance{
			AddOn: renga.AddOn{ID: "1", Name: "db", Host: "db.internal", Admin: "secret"},
			Service: catalogue.Service{
				Name: "test", Image: "test:1", Volume: "/data",
				Environment: map[string]catalogue.Template{"LEVEL": text("one")},
				Arguments:   []catalogue.Template{text("--quiet")},
				Files:       map[string]catalogue.File{"/etc/test": {Content: text("{{.Admin}}")}},
			},
			Plan: catalogue.Plan{Memory: 1 << 20, CPU: 1, Disk: 1 << 30, Connections: 1},
		}
		change(&i)
		m, err := wanted(i)
		if err != nil {
			t.Fatal(err)
		}
		return m.hash
	}
	first := made(func(*provider.Instance) {})
	for what, change := range map[string]func(*provider.Instance){
		"the image":       func(i *provider.Instance) { i.Service.Image = "test:2" },
		"the environment": func(i *provider.Instance) { i.Service.Environment["LEVEL"] = text("two") },
		"the arguments":   func(i *provider.Instance) { i.Service.Arguments[0] = text("--loud") },
		"a file":          func(i *provider.Instance) { i.AddOn.Admin = "another" },
		"the volume":      func(i *provider.Instance) { i.Service.Volume = "/var" },
		"the memory":      func(i *provider.Instance) { i.Plan.Memory *= 2 },
		"the processors":  func(i *provider.Instance) { i.Plan.CPU = 2 },
		"the disk":        func(i *provider.Instance) { i.Plan.Disk *= 2 },
		"the connections": func(i *provider.Instance) { i.Plan.Connections = 2 },
	} {
		if made(change) == first {
			t.Errorf("another one for %s is taken for the same", what)
		}
	}
	for what, change := range map[string]func(*provider.Instance){
		"the name":       func(i *provider.Instance) { i.AddOn.Name = "renamed" },
		"the apps":       func(i *provider.Instance) { i.Apps = []provider.App{{ID: "1"}} },
		"the credential": func(i *provider.Instance) { i.AddOn.Credentials = []renga.Credential{{User: "u"}} },
	} {
		if made(change) != first {
			t.Errorf("%s makes another container", what)
		}
	}
}

// TestOptionsThatAreNoneAreRefused: whoever mistypes one must not get another thing.
func TestOptionsThatAreNoneAreRefused(t *testing.T) {
	service := catalogue.Service{Name: "test", Image: "test:1", Version: "1", Versions: map[string]string{"1": "test:1"}}
	for option, want := range map[string]string{
		"variant": `test has no option "variant"; it has version.`,
		"version": `test does not come in version "9"; choose one of 1.`,
	} {
		i := provider.Instance{Service: service, AddOn: renga.AddOn{Options: map[string]string{option: "9"}}}
		if err := New(Options{}).Check(i); renga.KindOf(err) != renga.Invalid || err.Error() != want {
			t.Errorf("%s: %v, want %s", option, err, want)
		}
	}
}
