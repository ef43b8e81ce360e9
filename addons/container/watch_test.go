package container_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"renga"
	"renga/addons/container"
)

// watched watches with a provider until stop is called, and gives the add-ons that
// are to be looked at.
func (f *fixture) watched(p *container.Provider) (looked <-chan renga.AddOnID, stop func()) {
	ctx, cancel := context.WithCancel(f.Context())
	ended, looks := make(chan error, 1), make(chan renga.AddOnID, 1000)
	go func() {
		ended <- p.Watch(ctx, func(id renga.AddOnID) { looks <- id })
	}()
	return looks, func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			f.Errorf("watching ends with %v", err)
		}
	}
}

// TestWhatAServicePrintsIsKeptOnce over restarts of the service and of Renga.
func TestWhatAServicePrintsIsKeptOnce(t *testing.T) {
	f := newFixture(t)
	looked, stop := f.watched(f.Provider)
	i := f.made(f.service())
	serving := "app[test-service]: serving for d"
	f.eventually("its first line is kept", func() bool { return f.logs.count(serving) == 1 })
	for len(looked) > 0 {
		<-looked
	}
	f.kill(t, i)
	select {
	case id := <-looked:
		if id != i.AddOn.ID {
			t.Errorf("add-on %s is to be looked at; want %s", id, i.AddOn.ID)
		}
	case <-time.After(time.Minute):
		t.Fatal("nobody is told that it has ended")
	}
	if err := f.ensure(i); err != nil {
		t.Fatal(err)
	}
	f.eventually("the first line of its second run is kept", func() bool { return f.logs.count(serving) == 2 })
	stop()

	f.Provider = f.restarted()
	_, stop = f.watched(f.Provider)
	defer func() { stop() }()
	i.Plan = large // another container
	f.eventually("it is there", func() bool { return f.ensure(i) == nil })
	f.eventually("the first line of its third run is kept", func() bool { return f.logs.count(serving) == 3 })
	if n := f.logs.count("app[test-service]: ending in order"); n != 1 {
		t.Errorf("its last words before another plan are kept %d times; want once", n)
	}
	if err := f.Remove(t.Context(), i); err != nil {
		t.Fatal(err)
	}
	stop()
	stop = func() {}
	if len(f.logs.marks) != 0 {
		t.Errorf("marks of containers that are gone: %v", f.logs.marks)
	}
	if n := f.logs.count(serving); n != 3 {
		t.Errorf("it said %d times that it serves; want 3:\n%s", n, strings.Join(f.logs.all(), "\n"))
	}
}

func TestAServiceThatPrintsMuchDoesNotFillTheLog(t *testing.T) {
	f := newFixture(t)
	_, stop := f.watched(f.Provider)
	defer stop()
	began := time.Now()
	f.made(f.service("flood"))
	f.eventually("it is told", func() bool { return f.logs.count("heroku[test-service]: Error L10 (output buffer overflow)") == 1 })
	if n, most := f.logs.count("app[test-service]: flood"), 1000+100*int(time.Since(began).Seconds()+1); n == 0 || n > most {
		t.Errorf("%d lines are kept; want %d at most", n, most)
	}
}

// TestAServiceWithoutMemoryIsSaidSo while it runs on, too: who dies is a child.
func TestAServiceWithoutMemoryIsSaidSo(t *testing.T) {
	f := newFixture(t)
	_, stop := f.watched(f.Provider)
	defer stop()
	i := f.made(f.service())
	var out strings.Builder
	if err := f.Provider.Run(t.Context(), i, []string{"/service", "eat"}, nil, &out); err == nil {
		t.Error("it has more memory than its plan gives it")
	}
	want := "heroku[test-service]: A process of " + i.AddOn.Name + " was killed: it ran out of memory, of which its plan gives it 64M"
	f.eventually(want, func() bool { return f.logs.count(want) == 1 })
}
