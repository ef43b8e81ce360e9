// Package container is the provider of add-ons that have a container of their own,
// with a volume for their data.
//
// The container is in the networks of the apps that have the add-on attached, and
// in no others; none of its ports is published. A hash of all that it was made of
// is on its label: whoever wants something else, be it another plan, gets another
// container with the same volume; and a Renga that starts leaves alone what runs as
// it is wanted.
package container

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"renga"
	"renga/addons/catalogue"
	"renga/addons/provider"
	"renga/docker"
)

// Logs keep what services print, and what is to be said of them, in the log of the
// app that an add-on was made for.
type Logs interface {
	// Line adds a line of now.
	Line(app renga.AppID, source, dyno, text string)
	// Keep adds what a container printed, and how far that is, in one piece.
	Keep(app renga.AppID, container string, lines []renga.LogLine, mark renga.LogMark)
	// Mark is how far a container's output has been kept; zero for not at all.
	Mark(app renga.AppID, container string) renga.LogMark
	// Forget drops the mark of a container that is gone.
	Forget(app renga.AppID, container string) error
}

// Options are what a Provider works with.
type Options struct {
	Docker *docker.Client
	Logs   Logs
	Log    *slog.Logger
	Now    func() time.Time
	// AnswerLimit is how long a service may take until it answers after its start. 0
	// means DefaultAnswerLimit.
	AnswerLimit time.Duration
}

// DefaultAnswerLimit is that of [Options]. A database that was killed repairs its
// files before it answers.
const DefaultAnswerLimit = 5 * time.Minute

// Provider makes services in containers. Its methods may be called at once from
// several goroutines; those that change an add-on, for one add-on after the other.
type Provider struct {
	Options
	mu sync.Mutex
	// granted are the containers, by their last start, that know the credentials that
	// live. It is found out anew after a start of Renga.
	granted map[place]start
	ends    map[place]ends
	// follows are the containers whose output is being kept, and follower does that
	// as long as somebody watches.
	follows  map[string]*follow
	follower func(docker.Container)
}

// place is one of those that an add-on may be in. It has a container, and a volume.
type place struct {
	id   renga.AddOnID
	home string
}

func placeOf(a renga.AddOn) place { return place{a.ID, a.Home} }

// name is unique, and never changes.
func (p place) name() string { return cmp.Or(p.home, string(p.id)) }

// start is one start of one container.
type start struct {
	container string
	at        time.Time
}

var (
	_ provider.Provider  = (*Provider)(nil)
	_ provider.Checker   = (*Provider)(nil)
	_ provider.Watcher   = (*Provider)(nil)
	_ provider.Connector = (*Provider)(nil)
	_ provider.Upgrader  = (*Provider)(nil)
	_ provider.Meter     = (*Provider)(nil)
	_ provider.Runner    = (*Provider)(nil)
)

// New makes a Provider. Nothing is started.
func New(o Options) *Provider {
	if o.AnswerLimit == 0 {
		o.AnswerLimit = DefaultAnswerLimit
	}
	return &Provider{
		Options: o, granted: map[place]start{}, ends: map[place]ends{}, follows: map[string]*follow{},
	}
}

// Check implements [provider.Checker].
func (p *Provider) Check(i provider.Instance) error {
	for _, name := range slices.Sorted(maps.Keys(i.AddOn.Options)) {
		if name != "version" {
			return renga.Errorf(renga.Invalid, "%s has no option %q; it has version.", i.Service.Name, renga.Clip(name, 40))
		}
	}
	_, err := i.Service.ImageOf(i.AddOn.Options["version"])
	return err
}

// Ensure implements [provider.Provider].
func (p *Provider) Ensure(ctx context.Context, i provider.Instance, tell func(step string)) error {
	w, err := wanted(i)
	if err != nil {
		return err
	}
	networks, err := p.networks(ctx, i)
	if err != nil {
		return err
	}
	c, err := p.find(ctx, i.AddOn)
	if err != nil {
		return err
	}
	if c != nil && !w.is(c, networks) {
		if err := p.discard(ctx, i, c); err != nil {
			return err
		}
		c = nil
	}
	if c == nil {
		if c, err = p.make(ctx, i, w, networks, tell); err != nil {
			return err
		}
	}
	return p.run(ctx, i, c, networks, tell)
}

// run brings a container of the right making to where it answers: it is in the
// networks, it runs, and it knows the credentials that live.
func (p *Provider) run(
	ctx context.Context, i provider.Instance, c *docker.Container, networks []string, tell func(string),
) error {
	if err := connect(ctx, c, networks, i.AddOn.Host); err != nil {
		return err
	}
	if c.State != docker.Running {
		if err := p.start(ctx, i, c, tell); err != nil {
			return err
		}
	}
	p.keepOutput(c)
	if err := p.awaitAnswer(ctx, i, c.ID, tell); err != nil {
		return err
	}
	return p.grantLiving(ctx, i, c.ID)
}

// find finds the container of an add-on's place; nil when there is none. Two of one name
// there cannot be.
func (p *Provider) find(ctx context.Context, a renga.AddOn) (*docker.Container, error) {
	all, err := p.Docker.List(ctx, kind, docker.Label{Key: labelAddOn, Value: string(a.ID)})
	if err != nil {
		return nil, err
	}
	for i, c := range all {
		if c.Labels[labelHome] == a.Home {
			return &all[i], nil
		}
	}
	return nil, nil
}

// running finds the container of an add-on, to do something in it.
func (p *Provider) running(ctx context.Context, i provider.Instance) (*docker.Container, error) {
	c, err := p.find(ctx, i.AddOn)
	if err != nil {
		return nil, err
	}
	if c == nil || c.State != docker.Running {
		return nil, notRunning(i)
	}
	return c, nil
}

func notRunning(i provider.Instance) error {
	return &renga.Error{Kind: renga.Unavailable, Err: provider.ErrAway, Message: fmt.Sprintf(
		"The add-on %s does not run now; it is being started. Try again in a moment.", i.AddOn.Name)}
}

// Config implements [provider.Provider].
func (p *Provider) Config(i provider.Instance, c renga.Credential) (renga.Vars, error) {
	return i.Service.RenderConfig(data(i).With(c))
}

// data are what the templates of the add-on's service may use.
func data(i provider.Instance) catalogue.Data { return i.Service.Data(i.AddOn, i.Plan) }
