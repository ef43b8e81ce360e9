package enginetest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"renga"
	"renga/runtime/engine"
)

// Program is what an instance in a [Memory] does. The zero Program listens at
// once, runs for ever and ends on SIGTERM at once.
type Program struct {
	// Pull is how long Start takes before there is an instance.
	Pull time.Duration
	// Listens is how long after its start it listens; negative for never.
	Listens time.Duration
	// Elsewhere is where it listens instead of 0.0.0.0:$PORT.
	Elsewhere string
	// Exits makes it end by itself, After its start, with Code.
	Exits bool
	After time.Duration
	Code  int
	OOM   bool
	// Stops is how long it needs to end after SIGTERM; negative to ignore it.
	Stops time.Duration
	// Echo makes an attached one print its input, and end with Code at its end.
	Echo bool
	// Lines are its output; $NAME in them stands for its environment's NAME.
	Lines []string
	// Memory is what it uses at all times; a MB when it is 0. It keeps one
	// processor busy.
	Memory int64
	// Starves makes Start tell that it had a child that was killed for lack of
	// memory.
	Starves bool
	// Fills is what it has on its disk a moment after its start.
	Fills int64
	// Keeps makes it append to the file of notes on its disk, and NOTES says what came
	// of that.
	Keeps bool
	// Bye is a line that it prints on SIGTERM, unless empty.
	Bye string
}

// Event is one thing that a [Memory] did or that happened in it.
type Event struct {
	At      time.Time
	Verb    string // start, stop, kill
	Name    string // web.1
	Release int
}

// String is for instance "start web.1 v2".
func (e Event) String() string {
	return e.Verb + " " + e.Name + " " + renga.VersionName(e.Release)
}

// Memory is an engine without containers. An instance does what the [Program]
// named by the first word of its command says. Time is that of Now, or of the
// bubble it runs in.
type Memory struct {
	now func() time.Time

	mu        sync.Mutex
	programs  map[string]Program
	refuse    func(engine.Spec) error
	instances map[string]*process
	specs     []engine.Spec
	events    []Event
	disks     map[string]int // how many notes are on each
	serial    int
	away      chan struct{}               // closed while the engine is away
	watchers  map[*int]func(engine.Event) // by anything that is theirs alone
	changed   chan struct{}               // closed when something happens
}

// process is one instance and its fate.
type process struct {
	engine.Instance
	program Program
	spec    engine.Spec
	bye     bool // it had a SIGTERM
}

var (
	_ engine.Engine       = (*Memory)(nil)
	_ engine.Tailer       = (*Memory)(nil)
	_ engine.OutputReader = (*Memory)(nil)
	_ engine.Ender        = (*Memory)(nil)
	_ engine.PortLister   = (*Memory)(nil)
	_ engine.Measurer     = (*Memory)(nil)
	_ engine.Forgetter    = (*Memory)(nil)
	_ engine.Attacher     = (*Memory)(nil)
	_ engine.DiskGuard    = (*Memory)(nil)
)

// NewMemory is an engine that knows the given programs. A nil now is time.Now.
func NewMemory(now func() time.Time, programs map[string]Program) *Memory {
	if now == nil {
		now = time.Now
	}
	return &Memory{
		now: now, programs: programs,
		refuse:    func(engine.Spec) error { return nil },
		instances: map[string]*process{}, disks: map[string]int{}, watchers: map[*int]func(engine.Event){},
		away: make(chan struct{}), changed: make(chan struct{}),
	}
}

// Refuse makes Start answer with what refuse says, unless that is nil.
func (m *Memory) Refuse(refuse func(engine.Spec) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refuse = refuse
}

// Leave puts an instance there that was made and never started.
func (m *Memory) Leave(s engine.Spec) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.addLocked(s, Program{}).State = engine.Created
}

// Away makes every call answer renga.Unavailable and breaks the watches, until
// Back.
func (m *Memory) Away() {
	m.mu.Lock()
	defer m.mu.Unlock()
	close(m.away)
}

// Back ends what Away began.
func (m *Memory) Back() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.away = make(chan struct{})
}

// End ends every running instance of that name with an exit code; all of them
// when name is empty.
func (m *Memory) End(name string, code int) {
	var apps []renga.AppID
	m.mu.Lock()
	for _, p := range m.instances {
		if m.seenLocked(p).State == engine.Running && (name == "" || p.Name == name) {
			m.endLocked(p, code)
			apps = append(apps, p.App)
		}
	}
	m.mu.Unlock()
	m.tell(apps...)
}

// GuardDisks is engine.DiskGuard's.
func (m *Memory) GuardDisks(ctx context.Context, over func(engine.Instance, int64)) error {
	for {
		m.mu.Lock()
		changed := m.changed
		err := m.awayLocked(ctx)
		var full []*process
		for _, p := range m.instances {
			if limit := p.spec.Size.DiskBytes; limit > 0 && p.program.Fills > limit && m.seenLocked(p).State == engine.Running {
				full = append(full, p)
			}
		}
		m.mu.Unlock()
		if err != nil {
			return err
		}
		for _, p := range full {
			over(p.Instance, p.program.Fills)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

// Starve has the engine tell of every running instance of that name that one of
// its processes was killed for lack of memory.
func (m *Memory) Starve(name string) {
	var events []engine.Event
	m.mu.Lock()
	for _, p := range m.instances {
		if m.seenLocked(p).State == engine.Running && p.Name == name {
			events = append(events, engine.Event{App: p.App, OutOfMemory: true, Instance: p.Instance})
		}
	}
	m.mu.Unlock()
	m.tellOf(events...)
}

// end ends a running instance with its program's code.
func (m *Memory) end(p *process) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p.State == engine.Running {
		m.endLocked(p, p.program.Code)
	}
}

// Events lists what was started, stopped and killed since the last call.
func (m *Memory) Events() []Event {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := m.events
	m.events = nil
	return all
}

// Specs lists every spec that was started.
func (m *Memory) Specs() []engine.Spec {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.specs)
}

// Probe is for runtime.Options: it tells whether an instance listens there.
func (m *Memory) Probe(_ context.Context, addr string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.instances {
		if p.Addr == addr && m.listensLocked(p) && p.program.Elsewhere == "" {
			return nil
		}
	}
	return fmt.Errorf("connect to %s: connection refused", addr)
}

// List is engine.Engine's.
func (m *Memory) List(ctx context.Context, app renga.AppID) ([]engine.Instance, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.awayLocked(ctx); err != nil {
		return nil, err
	}
	var all []engine.Instance
	for _, p := range m.instances {
		if app == "" || p.App == app {
			all = append(all, m.seenLocked(p))
		}
	}
	slices.SortFunc(all, func(a, b engine.Instance) int { return cmp.Compare(a.ID, b.ID) })
	return all, nil
}

// Start is engine.Engine's.
func (m *Memory) Start(ctx context.Context, s engine.Spec) (engine.Instance, error) {
	program, err := m.check(ctx, s)
	if err != nil {
		return engine.Instance{}, err
	}
	if err := sleep(ctx, program.Pull); err != nil {
		return engine.Instance{}, err
	}
	m.mu.Lock()
	if program.Keeps {
		s.Env = renga.Merge(s.Env, renga.Vars{"NOTES": m.noteLocked(s)})
	}
	p := m.addLocked(s, program)
	p.State, p.StartedAt = engine.Running, p.CreatedAt
	m.specs = append(m.specs, s)
	m.recordLocked("start", p)
	seen := p.Instance
	m.mu.Unlock()

	m.tell(s.App)
	if program.Starves {
		m.Starve(s.Name)
	}
	if program.Exits {
		time.AfterFunc(program.After, func() { m.tell(s.App) })
	}
	return seen, nil
}

func (m *Memory) check(ctx context.Context, s engine.Spec) (Program, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.awayLocked(ctx); err != nil {
		return Program{}, err
	}
	if err := m.refuse(s); err != nil {
		return Program{}, err
	}
	for _, mount := range s.Mounts {
		if _, ok := m.disks[mount.Volume]; !ok {
			return Program{}, renga.Errorf(renga.Unavailable, "there is no volume %s", mount.Volume)
		}
	}
	program, ok := m.programs[s.Image.Command[0]]
	if !ok {
		return Program{}, renga.Errorf(renga.Invalid, "The image has no program %q.", s.Image.Command[0])
	}
	return program, nil
}

// Stop is engine.Engine's.
func (m *Memory) Stop(ctx context.Context, id string, grace time.Duration) error {
	m.mu.Lock()
	p, ok := m.instances[id]
	err := m.awayLocked(ctx)
	if err != nil || !ok {
		m.mu.Unlock()
		return err
	}
	needs, _ := m.needsLocked(p, grace)
	m.mu.Unlock()

	if err := sleep(ctx, needs); err != nil {
		return err
	}
	m.mu.Lock()
	m.recordLocked("stop", p)
	delete(m.instances, id)
	m.mu.Unlock()
	m.tell(p.App)
	return nil
}

// needsLocked is how long an instance takes to end within a grace, and whether
// it has to be killed then.
func (m *Memory) needsLocked(p *process, grace time.Duration) (needs time.Duration, killed bool) {
	switch needs = p.program.Stops; {
	case m.seenLocked(p).State != engine.Running:
		return 0, false
	case needs < 0 || needs > grace:
		return grace, true
	}
	return needs, false
}

// Terminate is engine.Ender's.
func (m *Memory) Terminate(ctx context.Context, id string, grace time.Duration) (killed bool, err error) {
	m.mu.Lock()
	p, ok := m.instances[id]
	err = m.awayLocked(ctx)
	if err != nil || !ok || m.seenLocked(p).State != engine.Running {
		m.mu.Unlock()
		return false, err
	}
	needs, killed := m.needsLocked(p, grace)
	p.bye = p.program.Stops >= 0
	m.mu.Unlock()

	if err := sleep(ctx, needs); err != nil {
		return false, err
	}
	m.mu.Lock()
	if code := 143; m.seenLocked(p).State == engine.Running {
		if killed {
			code = 137
		}
		m.endLocked(p, code)
	}
	m.mu.Unlock()
	m.tell(p.App)
	return killed, nil
}

// Kill is engine.Engine's.
func (m *Memory) Kill(ctx context.Context, id string) error {
	m.mu.Lock()
	p, ok := m.instances[id]
	err := m.awayLocked(ctx)
	if err != nil || !ok || m.seenLocked(p).State != engine.Running {
		m.mu.Unlock()
		return err
	}
	m.recordLocked("kill", p)
	m.endLocked(p, 137)
	m.mu.Unlock()
	m.tell(p.App)
	return nil
}

// Watch is engine.Engine's.
func (m *Memory) Watch(ctx context.Context, tell func(engine.Event)) error {
	m.mu.Lock()
	if err := m.awayLocked(ctx); err != nil {
		m.mu.Unlock()
		return err
	}
	key, away := new(int), m.away
	m.watchers[key] = tell
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		delete(m.watchers, key)
		m.mu.Unlock()
	}()

	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-away:
		return errAway()
	}
}

// Tail is engine.Tailer's.
func (m *Memory) Tail(ctx context.Context, id string, n int) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.awayLocked(ctx); err != nil {
		return nil, err
	}
	p, ok := m.instances[id]
	if !ok {
		return nil, renga.Errorf(renga.NotFound, "No instance %q.", id)
	}
	var lines []string
	for _, line := range m.outputLocked(p) {
		lines = append(lines, line.Text)
	}
	return lines[max(0, len(lines)-n):], nil
}

// outputLocked is all that an instance has printed.
func (m *Memory) outputLocked(p *process) []engine.Printed {
	var all []engine.Printed
	for _, line := range p.program.Lines {
		text := os.Expand(line, func(name string) string { return p.spec.Env[name] })
		all = append(all, engine.Printed{Time: p.StartedAt, Text: text})
	}
	if p.bye && p.program.Bye != "" {
		all = append(all, engine.Printed{Time: m.now(), Text: p.program.Bye})
	}
	return all
}

// ReadOutput is engine.OutputReader's.
func (m *Memory) ReadOutput(ctx context.Context, id string, since time.Time, tell func(engine.Printed)) error {
	for told := 0; ; {
		m.mu.Lock()
		err := m.awayLocked(ctx)
		p, ok := m.instances[id]
		if err != nil || !ok {
			m.mu.Unlock()
			return err
		}
		lines, over, changed, away := m.outputLocked(p), m.seenLocked(p).State == engine.Exited, m.changed, m.away
		m.mu.Unlock()
		for ; told < len(lines); told++ {
			if !lines[told].Time.Before(since) {
				tell(lines[told])
			}
		}
		if over {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-away:
			return errAway()
		case <-changed:
		}
	}
}

// Ports is engine.PortLister's.
func (m *Memory) Ports(ctx context.Context, id string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.awayLocked(ctx); err != nil {
		return nil, err
	}
	p, ok := m.instances[id]
	if !ok || !m.listensLocked(p) {
		return nil, nil
	}
	return []string{cmp.Or(p.program.Elsewhere, net.JoinHostPort("0.0.0.0", strconv.Itoa(p.spec.Port)))}, nil
}

// Measure is engine.Measurer's.
func (m *Memory) Measure(ctx context.Context, id string) (renga.Usage, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.awayLocked(ctx); err != nil {
		return renga.Usage{}, err
	}
	p, ok := m.instances[id]
	if !ok || p.State != engine.Running {
		return renga.Usage{}, renga.Errorf(renga.NotFound, "No instance %q runs.", id)
	}
	return renga.Usage{RSS: cmp.Or(p.program.Memory, 1<<20), CPU: max(1, m.now().Sub(p.StartedAt))}, nil
}

// Forget is engine.Forgetter's. There is nothing to forget here.
func (m *Memory) Forget(ctx context.Context, _ renga.AppID) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.awayLocked(ctx)
}

// awayLocked is the error of a call that cannot be answered.
func (m *Memory) awayLocked(ctx context.Context) error {
	select {
	case <-m.away:
		return errAway()
	default:
		return ctx.Err()
	}
}

func errAway() error { return renga.Errorf(renga.Unavailable, "The engine is away.") }

func (m *Memory) addLocked(s engine.Spec, program Program) *process {
	m.serial++
	p := &process{program: program, spec: s, Instance: engine.Instance{
		ID:  fmt.Sprintf("i%06d", m.serial),
		App: s.App, Dyno: s.Dyno, Name: s.Name, Type: s.Type, Size: s.Size.Name,
		Release: s.Release, Command: s.Image.Command, Crashes: s.Crashes,
		CreatedAt: m.now(), Until: s.Until, Attached: s.Attach != nil, Alone: s.Alone(),
	}}
	if s.Port > 0 {
		p.Addr = fmt.Sprintf("%s:%d", p.ID, s.Port)
	}
	m.instances[p.ID] = p
	return p
}

// seenLocked is an instance as it is now: its program may have ended meanwhile.
func (m *Memory) seenLocked(p *process) engine.Instance {
	end := p.StartedAt.Add(p.program.After)
	if p.State == engine.Running && p.program.Exits && !m.now().Before(end) {
		m.endLocked(p, p.program.Code)
		p.FinishedAt, p.OOMKilled = end, p.program.OOM
	}
	return p.Instance
}

func (m *Memory) endLocked(p *process, code int) {
	p.State, p.ExitCode, p.FinishedAt, p.Addr = engine.Exited, code, m.now(), ""
}

func (m *Memory) listensLocked(p *process) bool {
	return m.seenLocked(p).State == engine.Running && p.program.Listens >= 0 &&
		!m.now().Before(p.StartedAt.Add(p.program.Listens))
}

func (m *Memory) recordLocked(verb string, p *process) {
	m.events = append(m.events, Event{At: m.now(), Verb: verb, Name: p.Name, Release: p.Release})
}

// tell tells the watchers that something happened to apps.
func (m *Memory) tell(apps ...renga.AppID) {
	events := make([]engine.Event, 0, len(apps))
	for _, app := range apps {
		events = append(events, engine.Event{App: app})
	}
	m.tellOf(events...)
}

// tellOf tells the watchers; without the lock, for they may call back.
func (m *Memory) tellOf(events ...engine.Event) {
	m.mu.Lock()
	close(m.changed)
	m.changed = make(chan struct{})
	watchers := slices.Collect(maps.Values(m.watchers))
	m.mu.Unlock()
	for _, ev := range events {
		for _, tell := range watchers {
			tell(ev)
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
