// Package provider says what a provider of add-ons is: who makes services,
// changes them and removes them. Providers are packages beside this one; the
// suite of addons/providertest is run by all of them.
package provider

import (
	"context"
	"errors"
	"io"
	"net"
	"time"

	"renga"
	"renga/addons/catalogue"
)

// Instance is an add-on as its provider sees it: what is wanted of it.
type Instance struct {
	AddOn   renga.AddOn
	Service catalogue.Service
	Plan    catalogue.Plan
	// Apps are those that may reach it. Nobody else may.
	Apps []App
}

// App is an app that may reach an add-on.
type App struct {
	ID   renga.AppID
	Name string
}

// Provider makes services and keeps them as they are wanted. It keeps nothing of
// its own: every call may be the first after a crash, finds what earlier ones
// have made, and may be repeated. Errors that a user may read are *renga.Error;
// one of kind renga.Invalid says that the same will never go well.
type Provider interface {
	// Ensure makes what is missing, changes what differs from what is wanted (the
	// plan, the apps that may reach it), and returns once the service answers. Its
	// data stay. tell is told which step is under way.
	Ensure(ctx context.Context, i Instance, tell func(step string)) error
	// Grant makes the service know a credential.
	Grant(ctx context.Context, i Instance, c renga.Credential) error
	// Revoke ends a credential and the connections that have it. One that the service
	// does not know is no error.
	Revoke(ctx context.Context, i Instance, c renga.Credential) error
	// Config gives the config vars with which an app uses the credential: by what
	// follows the attachment's name and an underscore, for instance URL.
	Config(i Instance, c renga.Credential) (renga.Vars, error)
	// Remove removes all of it, its data too. What is gone is no error.
	Remove(ctx context.Context, i Instance) error
}

// Checker is a provider that knows which options its add-ons take.
type Checker interface {
	// Check is an error if the add-on that is wanted can never be made as it is asked
	// for, before anything of it is.
	Check(i Instance) error
}

// Mounter is a provider whose add-ons are disks of their apps' dynos.
type Mounter interface {
	Mounts(i Instance) ([]renga.Mount, error)
}

// ErrPending says that a partner provides the service later, and tells so then.
var ErrPending = errors.New("the partner provides it later")

// ErrAway says that a service does not run now.
var ErrAway = errors.New("the service does not run")

// Watcher is a provider that notices what becomes of its services.
type Watcher interface {
	// Watch tells which add-ons are to be looked at, for something happened to them.
	// It returns when ctx ends, or when it has lost sight of them: whoever watches
	// anew looks at all.
	Watch(ctx context.Context, look func(renga.AddOnID)) error
}

// Sharer is a provider whose add-ons are together in services of another's. What
// happens to such a service happens to all of them.
type Sharer interface {
	// Shares are the add-ons that are in a service; none when there is no such one.
	Shares(ctx context.Context, service renga.AddOnID) ([]renga.AddOnID, error)
}

// Connector is a provider whose services can be reached from the platform itself,
// for tunnels.
type Connector interface {
	Connect(ctx context.Context, i Instance) (net.Conn, error)
}

// Archiver is a provider that copies a service's data out and in.
type Archiver interface {
	// Dump writes all data in the service's own format. What was written is whole
	// only if the error is nil.
	Dump(ctx context.Context, i Instance, to io.Writer) error
	// Restore replaces all data by those of a dump.
	Restore(ctx context.Context, i Instance, from io.Reader) error
}

// Upgrader is a provider that can have a service in two places, each of its own version
// and with data of its own: that of the add-on's Home, and another.
type Upgrader interface {
	Archiver
	// Do runs one of the catalogue's commands for upgrades, named in an error by what.
	Do(ctx context.Context, i Instance, what string, c catalogue.Command, from io.Reader, to io.Writer) error
	// Rest stops a service that only keeps its data, until Ensure. It may be repeated.
	Rest(ctx context.Context, i Instance) error
}

// Usage is what a service uses.
type Usage struct {
	At          time.Time
	MemoryBytes int64
	DataBytes   int64 // of its data on disk
	Connections int   // that clients have open; -1 where that is not known
}

// Meter is a provider that measures its services.
type Meter interface {
	Measure(ctx context.Context, i Instance) (Usage, error)
}

// Runner is a provider that runs commands beside a service, as whoever maintains
// it would. What they print is the answer; input goes to them.
type Runner interface {
	Run(ctx context.Context, i Instance, argv []string, input io.Reader, output io.Writer) error
}
