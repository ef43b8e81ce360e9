package container_test

import (
	"strings"
	"testing"
	"time"

	"renga"
	"renga/addons/catalogue"
	"renga/addons/providertest"
	"renga/docker/dockertest"
)

// TestWhatCannotBeMadeSaysWhy tries each until it is said that it will never go
// well, as whoever waits for a new add-on does.
func TestWhatCannotBeMadeSaysWhy(t *testing.T) {
	f := newFixture(t)
	missing := f.service()
	missing.Image = "127.0.0.1:1/none:1"
	unknown := catalogue.Plan{Name: "tiny", Memory: 1 << 20}
	for _, c := range []struct {
		what    string
		service catalogue.Service
		plan    catalogue.Plan
		kind    renga.Kind
		says    []string
	}{
		{"a service that ends", f.service("crash"), small, renga.Invalid, []string{"ended with status 1", "I do not want to"}},
		{"one that needs more memory", f.service("eat"), small, renga.Invalid, []string{"ran out of memory", "64M", "larger plan"}},
		{"a full volume", f.service("full"), small, renga.Invalid, []string{"its disk is full", "Make room"}},
		{
			"one that does not answer", f.service("hang"), small, renga.Unavailable,
			[]string{"does not answer on port 7000 after 2s", "serving for d"},
		},
		{"an image that is away", missing, small, renga.Unavailable, []string{"127.0.0.1:1/none:1", "docker load"}},
		{"a plan that Docker refuses", f.service(), unknown, renga.Invalid, []string{"limits"}},
	} {
		p := f.restarted()
		p.AnswerLimit = 2 * time.Second
		i := providertest.NewInstance(c.service, c.plan)
		f.removeAtEnd(i)
		var err error
		for tries := 0; tries < 60; tries++ {
			err = p.Ensure(t.Context(), i, func(string) {})
			if c.kind != renga.Invalid || renga.KindOf(err) == renga.Invalid {
				break
			}
			time.Sleep(100 * time.Millisecond) // between two tries, as the room does
		}
		if renga.KindOf(err) != c.kind {
			t.Errorf("%s: %q, %v; want %q", c.what, renga.KindOf(err), err, c.kind)
		}
		for _, piece := range c.says {
			if !strings.Contains(renga.MessageOf(err, ""), piece) {
				t.Errorf("%s: %q does not say %q", c.what, err, piece)
			}
		}
		if text := renga.MessageOf(err, ""); strings.Contains(text, string(i.AddOn.Admin)) {
			t.Errorf("%s: the password is in %q", c.what, text)
		}
		if err := p.Remove(t.Context(), i); err != nil {
			t.Error(err)
		}
		if left := f.left(t, i); len(left) > 0 {
			t.Errorf("%s leaves %q", c.what, left)
		}
	}
}

func TestARengaThatStartsAdoptsWhatRuns(t *testing.T) {
	f := newFixture(t)
	app := f.client.NewApp(t)
	i := f.made(f.service(), app.App())
	before := f.container(i)
	p := f.restarted()
	if err := p.Ensure(t.Context(), i, func(step string) { t.Errorf("it does %q", step) }); err != nil {
		t.Fatal(err)
	}
	if now := f.container(i); now.ID != before.ID || !now.StartedAt.Equal(before.StartedAt) {
		t.Errorf("it has container %s of %s; want %s of %s", now.ID, now.StartedAt, before.ID, before.StartedAt)
	}
}

// TestWhatEndsIsSaidOnceAndStartedAgainLater each time.
func TestWhatEndsIsSaidOnceAndStartedAgainLater(t *testing.T) {
	f := newFixture(t)
	now := time.Now()
	f.Now = func() time.Time { return now }
	i := f.made(f.service())
	for n, pause := range []time.Duration{0, time.Second, 2 * time.Second, 4 * time.Second} {
		f.kill(t, i)
		if pause > 0 {
			now = now.Add(pause - time.Millisecond)
			for range 2 {
				if err := f.ensure(i); renga.KindOf(err) != renga.Unavailable || !strings.Contains(err.Error(), "status 137") {
					t.Errorf("end %d, before the pause of %s is over: %v", n, pause, err)
				}
			}
			now = now.Add(time.Millisecond)
		}
		if err := f.ensure(i); err != nil {
			t.Fatalf("end %d, after a pause of %s: %v", n, pause, err)
		}
	}
	said := "heroku[test-service]: " + i.AddOn.Name + " ended with status 137. Its last lines: serving for"
	if n := f.logs.count(said); n != 4 {
		t.Errorf("%d lines say %q; want 4:\n%s", n, said, strings.Join(f.logs.all(), "\n"))
	}
	if n := f.logs.count("heroku[test-service]: Starting it again"); n != 4 {
		t.Errorf("%d lines say that it is started again; want 4", n)
	}
}

// TestARengaThatDiesWhileAContainerIsMadeLeavesNothingHalf: it has no files yet.
func TestARengaThatDiesWhileAContainerIsMadeLeavesNothingHalf(t *testing.T) {
	f := newFixture(t)
	i := f.made(f.service())
	whole := f.container(i)
	spec := []string{"create", "--name", "renga-half-" + f.platform}
	for name, value := range whole.Labels {
		spec = append(spec, "--label", name+"="+value)
	}
	if err := whole.Remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	dockertest.Docker(t, append(spec, f.image)...)
	if err := f.ensure(i); err != nil {
		t.Fatal(err)
	}
}

func TestDataThatSomebodyRemovedAreMissed(t *testing.T) {
	f := newFixture(t)
	i := f.made(f.service())
	if n := f.logs.count("are gone"); n != 0 {
		t.Errorf("the data of a new add-on are missed %d times", n)
	}
	if err := f.container(i).Remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	volume := "renga-addon-" + string(i.AddOn.ID)
	dockertest.Docker(t, "volume", "rm", volume)
	for range 2 {
		if err := f.ensure(i); err != nil {
			t.Fatal(err)
		}
	}
	if n := f.logs.count("heroku[test-service]: The data of "+i.AddOn.Name+" are gone", volume); n != 1 {
		t.Errorf("it is said %d times that data are gone; want once:\n%s", n, strings.Join(f.logs.all(), "\n"))
	}
}
