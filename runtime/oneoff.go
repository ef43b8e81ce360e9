package runtime

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"renga"
	"renga/runtime/engine"
	"renga/runtime/plan"
)

const (
	// maxOneOffs bounds the one-off dynos of one app.
	maxOneOffs = 50
	// hangUpGrace is how long a command has after its client has gone.
	hangUpGrace = 5 * time.Second
)

// RunOneOff runs a command in the release that serves. A detached one has been
// started when it returns. An attached one is ready, and starts when its session
// begins; whoever gets the session must close it. Either is written down among
// the app's dynos by then.
func (m *Manager) RunOneOff(ctx context.Context, app renga.AppID, asked renga.OneOff) (renga.Dyno, *Session, error) {
	d, err := m.db.Desired(ctx, app)
	if err != nil {
		return renga.Dyno{}, nil, err
	}
	in := plan.State{Desired: d}.RunsIn()
	if asked, err = complete(asked, d, in); err != nil {
		return renga.Dyno{}, nil, err
	}
	all, err := m.engine.List(ctx, app)
	if err != nil {
		return renga.Dyno{}, nil, fmt.Errorf("list dynos: %w", err)
	}
	if i := slices.IndexFunc(all, func(i engine.Instance) bool { return i.Dyno == asked.Dyno }); i >= 0 {
		return found(all[i])
	}
	name, giveBack, err := m.oneOffs.reserve(app, asked.As, asked.Dyno, oneOffNames(all))
	if err != nil {
		return renga.Dyno{}, nil, err
	}
	dyno, session, err := m.oneOff(ctx, d.App, *in, asked, name, giveBack)
	if err != nil {
		giveBack()
		return renga.Dyno{}, nil, err
	}
	m.written(ctx, app)
	return dyno, session, nil
}

// oneOff runs a command in a release, as a dyno of that name.
func (m *Manager) oneOff(
	ctx context.Context, app renga.App, in renga.ReleaseRecord, asked renga.OneOff, name string, giveBack func(),
) (renga.Dyno, *Session, error) {
	r, err := m.ledger.Release(ctx, app, in.Digest)
	if err != nil {
		return renga.Dyno{}, nil, fmt.Errorf("open %s: %w", renga.VersionName(in.Version), err)
	}
	spec, err := m.opts.oneOffSpec(app, r, asked, name)
	if err != nil {
		return renga.Dyno{}, nil, err
	}
	return m.launch(ctx, spec, newProgram(asked.Command, asked.Type, spec.Image), giveBack)
}

// complete fills in what was not asked for. In is the release to run in, or nil.
func complete(asked renga.OneOff, d renga.Desired, in *renga.ReleaseRecord) (renga.OneOff, error) {
	if d.App.Deleting {
		return asked, renga.Errorf(renga.NotFound, "%s is being deleted.", d.App.Name)
	}
	if in == nil {
		return asked, renga.Errorf(renga.Invalid, "%s has no release with an image that works yet; push one first.", d.App.Name)
	}
	asked.As, asked.Dyno = cmp.Or(asked.As, renga.Run), cmp.Or(asked.Dyno, uuid.NewString())
	if named, ok := typeIn(asked.Command, in.Images); ok {
		asked.Type = named
	}
	if asked.Type == "" {
		asked.Type = renga.Web
		if _, ok := in.Images[renga.Web]; !ok {
			asked.Type = slices.Sorted(maps.Keys(in.Images))[0]
		}
	}
	if _, ok := in.Images[asked.Type]; !ok {
		return asked, renga.Errorf(renga.Invalid, "The release that serves, %s, has no process type %q.",
			renga.VersionName(in.Version), asked.Type)
	}
	asked.Size = cmp.Or(asked.Size, d.Formation[asked.Type].Size, renga.DefaultSize)
	if asked.Lasts <= 0 || asked.Lasts > renga.MaxOneOff {
		asked.Lasts = renga.MaxOneOff
	}
	return asked, nil
}

// oneOffNames are the names that are taken.
func oneOffNames(all []engine.Instance) map[string]bool {
	taken := map[string]bool{}
	for _, i := range all {
		if i.OneOff() {
			taken[i.Name] = true
		}
	}
	return taken
}

// launch starts a one-off dyno, or readies it when it is attached. Its name
// is reserved until its session ends; without one, until it has been started.
func (m *Manager) launch(ctx context.Context, spec engine.Spec, p program, giveBack func()) (renga.Dyno, *Session, error) {
	s := &Session{m: m, app: spec.App, giveBack: giveBack, state: renga.Starting}
	start := m.engine.Start
	if spec.Attach != nil {
		start = func(ctx context.Context, spec engine.Spec) (i engine.Instance, err error) {
			attacher, ok := m.engine.(engine.Attacher)
			if !ok {
				return i, renga.Errorf(renga.Unavailable, "Attached dynos are more than this engine can do; run it detached.")
			}
			i, s.stream, err = attacher.Prepare(ctx, spec)
			return i, err
		}
	}
	m.say(spec.App, spec.Name, "Starting process with command `%s`", p.line)
	i, err := m.shell(ctx, spec, p, start)
	m.stats.step("start", err)
	if err != nil {
		return renga.Dyno{}, nil, err
	}
	s.instance = i
	d := plan.Seen{Instance: i}.OneOffDyno()
	if spec.Attach == nil {
		giveBack()
		return d, nil, nil
	}
	return d, s, nil
}

// launcher runs a command in an image that buildpacks made, with the environment
// that they left for it.
const launcher = "/cnb/lifecycle/launcher"

// shell starts a dyno that runs a program: by the image's shell; where that is
// missing or not needed, as words.
func (m *Manager) shell(
	ctx context.Context, spec engine.Spec, p program, start func(context.Context, engine.Spec) (engine.Instance, error),
) (engine.Instance, error) {
	words := p.words()
	switch image := spec.Image; {
	case p.plain(), m.shellless.has(image.Digest):
		spec.Image.Command = words
		return start(ctx, spec)
	case launched(image.Command):
		spec.Image.Command = []string{launcher, p.line}
		return start(ctx, spec)
	}
	spec.Image.Command = []string{"/bin/sh", "-c", p.line}
	i, err := start(ctx, spec)
	if renga.KindOf(err) != renga.Invalid {
		return i, err
	}
	digest := spec.Image.Digest
	spec.Image.Command = words
	if i, err = start(ctx, spec); err == nil {
		m.shellless.add(digest)
	}
	return i, err
}

// digests is a set of images. All methods may be called at once.
type digests struct{ sync.Map }

func (d *digests) add(digest string) { d.Store(digest, true) }

func (d *digests) has(digest string) bool {
	_, ok := d.Load(digest)
	return ok
}
