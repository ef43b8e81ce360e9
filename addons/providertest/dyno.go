package providertest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/uuid"

	"renga"
	"renga/addons/provider"
	"renga/docker"
)

// Client says how a client of a service is run in a dyno. Each function gives a
// program with its arguments.
type Client struct {
	Docker *docker.Client
	Image  string   // of the dyno, by the daemon's id or a name that it knows
	Idle   []string // what the dyno runs
	Set    func(vars renga.Vars, key, value string) []string
	Get    func(vars renga.Vars, key string) []string
	Hold   func(vars renga.Vars) []string // prints something once it is connected, and ends with its connection
}

// Dyno is an [App] whose dyno is a container.
type Dyno struct {
	*docker.Container
	app    provider.App
	client Client
}

// NewApp makes an app with a dyno, until the test's end.
func (c Client) NewApp(t *testing.T) App { return c.NewDyno(t) }

// NewDyno is NewApp for who wants to do more in the dyno.
func (c Client) NewDyno(t *testing.T) *Dyno {
	t.Helper()
	app := provider.App{ID: renga.AppID(uuid.NewString()), Name: "blog"}
	t.Cleanup(func() {
		ctx := context.Background()
		err := c.Docker.RemoveAll(ctx, docker.Dyno, docker.Label{Key: docker.LabelApp, Value: string(app.ID)})
		if err := errors.Join(err, c.Docker.Forget(ctx, app.ID)); err != nil {
			t.Error(err)
		}
	})
	network, err := c.Docker.Network(t.Context(), app.ID, app.Name)
	if err != nil {
		t.Fatal(err)
	}
	made, err := c.Docker.Create(t.Context(), docker.Spec{
		Kind: docker.Dyno, Image: c.Image, Command: c.Idle, Network: network, Labels: docker.OfApp(app.ID, app.Name),
	})
	if err == nil {
		err = made.Start(t.Context(), c.Idle[0])
	}
	if err != nil {
		t.Fatal(err)
	}
	return &Dyno{made, app, c}
}

// App implements [App].
func (d *Dyno) App() provider.App { return d.app }

// Prints runs a program in the dyno and gives what it printed.
func (d *Dyno) Prints(ctx context.Context, argv ...string) (string, error) {
	var out bytes.Buffer
	err := d.Run(ctx, docker.Program{Argv: argv, Output: &out})
	return strings.TrimSpace(out.String()), err
}

// Set implements [App].
func (d *Dyno) Set(ctx context.Context, vars renga.Vars, key, value string) error {
	_, err := d.Prints(ctx, d.client.Set(vars, key, value)...)
	return err
}

// Get implements [App].
func (d *Dyno) Get(ctx context.Context, vars renga.Vars, key string) (string, error) {
	return d.Prints(ctx, d.client.Get(vars, key)...)
}

// Hold implements [App].
func (d *Dyno) Hold(ctx context.Context, vars renga.Vars) (<-chan struct{}, error) {
	ended := make(chan struct{})
	printed, prints, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	failed := make(chan error, 1)
	go func() { // ends with the connection, or with the test
		defer close(ended)
		failed <- d.Run(ctx, docker.Program{Argv: d.client.Hold(vars), Output: prints})
		_ = prints.Close() // only written to
	}()
	if _, err := io.ReadFull(printed, make([]byte, 1)); err != nil {
		return nil, errors.Join(err, <-failed)
	}
	return ended, nil
}
