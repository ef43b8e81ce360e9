package runtime

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"renga"
)

const (
	// maxOneOffs bounds the one-off dynos of one app.
	maxOneOffs = 50
	// hangUpGrace is how long a command has after its client has gone.
	hangUpGrace = 5 * time.Second
)

// keepOneOffs holds on to the one-off dynos that may go on. An attached one
// ends with its client, and so with the process that had it: it is found here
// without anybody who holds it.
func (p *planner) keepOneOffs() {
	if p.Gone {
		return
	}
	for _, i := range p.Instances {
		if i.Type != renga.Run || p.askedToStop(i) || !i.Until.IsZero() && p.due(i.Until) {
			continue
		}
		if i.Held || i.State == Running && !i.Attached {
			p.keep[i.ID] = true
		}
	}
}

// oneOffs lists the one-off dynos that have not ended.
func (w World) oneOffs() []renga.Dyno {
	var all []renga.Dyno
	for _, i := range w.Instances {
		if i.Type != renga.Run || i.State == Exited || i.Stopping {
			continue
		}
		d := i.dyno()
		d.State, d.Since, d.Reason = renga.Starting, i.CreatedAt, ""
		if i.State == Running {
			d.State, d.Since = renga.Up, i.StartedAt
		}
		all = append(all, d)
	}
	return all
}

// holders are the one-off dynos that somebody in this process sees to, by the
// dyno's id.
type holders struct {
	mu   sync.Mutex
	held map[string]bool
}

func (h *holders) holds(dyno string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.held[dyno]
}

func (h *holders) hold(dyno string) (release func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.held[dyno] = true
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.held, dyno)
	}
}

// RunOneOff runs a command in the release that serves. A detached one has been
// started when it returns. An attached one is ready, and starts when its session
// begins; whoever gets the session must close it.
func (m *Manager) RunOneOff(ctx context.Context, app renga.AppID, asked renga.OneOff) (renga.Dyno, *Session, error) {
	d, err := m.db.Desired(ctx, app)
	if err != nil {
		return renga.Dyno{}, nil, err
	}
	if d.Live == nil || len(d.Live.Images) == 0 {
		return renga.Dyno{}, nil, renga.Errorf(renga.Invalid, "%s has no release with an image that works yet; push one first.", d.App.Name)
	}
	asked, err = complete(asked, d)
	if err != nil {
		return renga.Dyno{}, nil, err
	}
	name, err := m.oneOffName(ctx, app)
	if err != nil {
		return renga.Dyno{}, nil, err
	}
	r, err := m.ledger.Release(ctx, d.App, d.Live.Digest)
	if err != nil {
		return renga.Dyno{}, nil, fmt.Errorf("open %s: %w", renga.VersionName(d.Live.Version), err)
	}
	spec, err := m.opts.oneOffSpec(d.App, r, asked, name, uuid.NewString())
	if err != nil {
		return renga.Dyno{}, nil, err
	}
	return m.launch(ctx, spec, asked.Command)
}

// complete fills in what was not asked for.
func complete(asked renga.OneOff, d renga.Desired) (renga.OneOff, error) {
	if asked.Type == "" {
		asked.Type = renga.Web
		if _, ok := d.Live.Images[renga.Web]; !ok {
			asked.Type = slices.Sorted(maps.Keys(d.Live.Images))[0]
		}
	}
	if _, ok := d.Live.Images[asked.Type]; !ok {
		return asked, renga.Errorf(renga.Invalid, "The release that serves, %s, has no process type %q.", renga.VersionName(d.Live.Version), asked.Type)
	}
	asked.Size = cmp.Or(asked.Size, d.Formation[asked.Type].Size, renga.DefaultSize)
	if asked.Lasts <= 0 || asked.Lasts > renga.MaxOneOff {
		asked.Lasts = renga.MaxOneOff
	}
	return asked, nil
}

// oneOffName finds a name that no dyno of the app has.
func (m *Manager) oneOffName(ctx context.Context, app renga.AppID) (string, error) {
	all, err := m.engine.List(ctx, app)
	if err != nil {
		return "", fmt.Errorf("list dynos: %w", err)
	}
	taken := map[string]bool{}
	for _, i := range all {
		if i.Type == renga.Run {
			taken[i.Name] = true
		}
	}
	if len(taken) >= maxOneOffs {
		return "", renga.Errorf(renga.Invalid, "The app has %d one-off dynos already; wait until one has ended, or stop one.", len(taken))
	}
	for {
		if name := renga.DynoName(renga.Run, 1000+rand.IntN(9000)); !taken[name] {
			return name, nil
		}
	}
}

// launch starts a one-off dyno, or readies it when it is attached.
func (m *Manager) launch(ctx context.Context, spec Spec, line string) (renga.Dyno, *Session, error) {
	release := m.oneOffs.hold(spec.Dyno)
	s := &Session{m: m, app: spec.App, release: release}
	start := m.engine.Start
	if spec.Attach != nil {
		start = func(ctx context.Context, spec Spec) (i Instance, err error) {
			attacher, ok := m.engine.(Attacher)
			if !ok {
				return i, renga.Errorf(renga.Unavailable, "Attached dynos are more than this engine can do; run it detached.")
			}
			i, s.stream, err = attacher.Prepare(ctx, spec)
			return i, err
		}
	}
	m.say(spec.App, spec.Name, "Starting process with command `%s`", line)
	i, err := m.shell(ctx, spec, line, start)
	m.stats.step("start", err)
	if err != nil {
		release()
		return renga.Dyno{}, nil, err
	}
	s.instance = i
	d := World{Instances: []Seen{{Instance: i}}}.oneOffs()
	if spec.Attach == nil {
		release()
		m.Wake(spec.App)
		return d[0], nil, nil
	}
	return d[0], s, nil
}

// launcher runs a command in an image that buildpacks made, with the environment
// that they left for it.
const launcher = "/cnb/lifecycle/launcher"

// shell starts a dyno that runs a line: by the image's shell; where that is
// missing, as words.
func (m *Manager) shell(ctx context.Context, spec Spec, line string, start func(context.Context, Spec) (Instance, error)) (Instance, error) {
	words := strings.Fields(line)
	switch image := spec.Image; {
	case len(image.Command) > 0 && strings.HasPrefix(image.Command[0], "/cnb/process/"):
		spec.Image.Command = []string{launcher, line}
		return start(ctx, spec)
	case m.shellless.has(image.Digest):
		spec.Image.Command = words
		return start(ctx, spec)
	}
	spec.Image.Command = []string{"/bin/sh", "-c", line}
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

// Session is an attached one-off dyno. Reading and writing are its Stream's.
type Session struct {
	m        *Manager
	app      renga.AppID
	instance Instance
	stream   Stream
	release  func()
	code     atomic.Pointer[int] // once the dyno has ended
	once     sync.Once
	err      error
}

// Begin starts the dyno.
func (s *Session) Begin(ctx context.Context) (Stream, error) {
	if err := s.stream.Begin(ctx); err != nil {
		return nil, err
	}
	s.m.say(s.app, s.instance.Name, "State changed from starting to up")
	return attended{s.stream, s}, nil
}

// attended is a stream whose session learns how the dyno ended.
type attended struct {
	Stream
	s *Session
}

// Wait waits for the end.
func (a attended) Wait(ctx context.Context) (int, error) {
	code, err := a.Stream.Wait(ctx)
	if err == nil {
		a.s.code.Store(&code)
	}
	return code, err
}

// Close ends the dyno if it has not ended, and leaves nothing of it.
func (s *Session) Close(ctx context.Context) error {
	s.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), hangUpGrace+stopSlack)
		defer cancel()
		defer s.m.Wake(s.app)
		defer s.release()    // if it is still there, the next look stops it
		_ = s.stream.Close() // all was read, or nobody reads it any more
		s.err = s.m.engine.Stop(ctx, s.instance.ID, hangUpGrace)
		s.m.stats.step("stop", s.err)
		s.tellEnd()
	})
	if s.err != nil {
		return fmt.Errorf("end %s: %w", s.instance.Name, s.err)
	}
	return nil
}

// tellEnd has the log say how the dyno ended.
func (s *Session) tellEnd() {
	if code := s.code.Load(); code != nil {
		s.m.say(s.app, s.instance.Name, "Process exited with status %d", *code)
	} else {
		s.m.say(s.app, s.instance.Name, "Client connection closed. All processes are stopped.")
	}
	s.m.say(s.app, s.instance.Name, "State changed from up to complete")
}
