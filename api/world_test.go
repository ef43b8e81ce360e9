package api_test

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"renga"
	"renga/api"
)

// world stands in for the rooms behind the API. It keeps everything in memory
// and is as strict as they are.
type world struct {
	mu        sync.Mutex
	apps      map[renga.AppID]renga.App
	releases  map[renga.AppID][]renga.Release
	outcomes  map[int]renga.Outcome // of the first app's releases
	canaries  map[int]renga.Canary  // likewise
	formation renga.Formation
	dynos     []renga.Dyno
	restarts  []string
	woken     []renga.AppID
	did       []string      // the lines in apps' logs
	owners    []string      // what the ledger was told
	late      time.Duration // how much later it is than usual
	asleep    time.Time     // since when the first app sleeps
	requested time.Time     // its last request
	journal   journal
	ordered   []string // hosts that are to get certificates
	asked     []renga.ReleaseQuery
	read      int // how many apps were read for lists
	outputs   map[int]string
	ran       []renga.OneOff
	creating  func(context.Context) error // before an app is made, when set
	broken    error                       // what a look at a token ends in, when set
	blind     error                       // what a look at images ends in, when set
	still     func(context.Context) error // what the last visitor was let in with
}

var (
	born  = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	ada   = renga.Account{ID: "10000000-0000-4000-8000-000000000001", Email: "ada@example.com", CreatedAt: born, UpdatedAt: born}
	bob   = renga.Account{ID: "10000000-0000-4000-8000-000000000002", Email: "bob@example.com", CreatedAt: born, UpdatedAt: born}
	carol = renga.Account{ID: "10000000-0000-4000-8000-000000000003", Email: "carol@example.com", CreatedAt: born, UpdatedAt: born}
	hello = renga.AppID("20000000-0000-4000-8000-000000000001")
	other = renga.AppID("20000000-0000-4000-8000-000000000002")

	shared = renga.AppID("20000000-0000-4000-8000-000000000003")
)

func image(t renga.ProcessType, n int) renga.Image {
	return renga.Image{Repository: "hello/" + string(t), Digest: fmt.Sprintf("sha256:%064d", n), Command: []string{"/bin/app", "--say", "it is"}, Size: 1000}
}

const sharingID = "40000000-0000-4000-8000-000000000001"

// with shares an app with an account.
func with(a renga.Account, may ...renga.Permission) map[renga.AccountID]renga.Collaborator {
	may, err := renga.SharedPermissions(may)
	if err != nil {
		panic(err) // a mistake of the test
	}
	return map[renga.AccountID]renga.Collaborator{a.ID: {ID: sharingID, Account: a.ID, Permissions: may, CreatedAt: born, UpdatedAt: born}}
}

// share adds an app of Bob's that is shared with Ada.
func share(w *world) {
	w.apps[shared] = renga.App{ID: shared, Name: "shared", Owner: bob.ID, CreatedAt: born, UpdatedAt: born,
		Collaborators: with(ada)}
	w.add(shared, "Initial release", renga.Inputs{})
}

// newWorld has the app hello of Ada's with four releases, which Carol has access
// to, and one of Bob's.
func newWorld() *world {
	w := &world{apps: map[renga.AppID]renga.App{}, releases: map[renga.AppID][]renga.Release{}}
	w.apps[hello] = renga.App{ID: hello, Name: "hello", Owner: ada.ID, ACM: true, Collaborators: with(carol), CreatedAt: born, UpdatedAt: born}
	w.apps[other] = renga.App{ID: other, Name: "other", Owner: bob.ID, CreatedAt: born, UpdatedAt: born}
	in := renga.Inputs{}.Clone()
	w.add(hello, "Initial release", in)
	in.Images[renga.Web] = image(renga.Web, 2)
	w.add(hello, "Deploy 222222222222", in)
	in.Vars["COLOR"], in.Vars["SECRET"] = "red", marker
	w.add(hello, "Set COLOR, SECRET config vars", in)
	in.Images[renga.Web], in.Images["worker"], in.Vars["COLOR"] = image(renga.Web, 4), image("worker", 4), "blue"
	w.add(hello, "Deploy 444444444444", in)
	w.canaries = map[int]renga.Canary{}
	w.outcomes = map[int]renga.Outcome{4: {Status: renga.Failed, Reason: "web.1 exited with status 1.", Log: []string{"boom"}, At: born.Add(time.Hour)}}
	w.formation = renga.Formation{renga.Web: {Quantity: 1, Size: "standard-1x", CreatedAt: born, UpdatedAt: born}}
	w.dynos = []renga.Dyno{
		{ID: "30000000-0000-4000-8000-000000000002", App: hello, Name: "web.2", Type: renga.Web, Size: "standard-1x", Release: 3, Command: []string{"/bin/app", "it's"}, State: renga.Starting, Since: born, Created: born},
		{ID: "30000000-0000-4000-8000-000000000001", App: hello, Name: "web.1", Type: renga.Web, Size: "standard-1x", Release: 3, Command: []string{"/bin/app"}, State: renga.Up, Since: born, Created: born},
	}
	return w
}

func (w *world) add(app renga.AppID, description string, in renga.Inputs) renga.Release {
	n := len(w.releases[app]) + 1
	rel := renga.Release{App: app, Version: n, Inputs: in.Clone(), Description: description, By: ada.ID, CreatedAt: born.Add(time.Duration(n) * time.Minute)}
	w.releases[app] = append(w.releases[app], rel)
	return rel
}

func (w *world) App(_ context.Context, id renga.AppID) (renga.App, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if a, ok := w.apps[id]; ok {
		return a, nil
	}
	return renga.App{}, renga.Errorf(renga.NotFound, "no such app")
}

func (w *world) AppByName(_ context.Context, name string) (renga.App, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range w.apps {
		if a.Name == name {
			return a, nil
		}
	}
	return renga.App{}, renga.Errorf(renga.NotFound, "no such app")
}

func (w *world) AppIDs(context.Context) ([]renga.AppID, error) {
	return slices.Sorted(maps.Keys(w.apps)), nil
}

func (w *world) SomeApps(_ context.Context, ids []renga.AppID) ([]renga.App, error) {
	w.read += len(ids)
	var apps []renga.App
	for _, id := range ids {
		if a, ok := w.apps[id]; ok {
			apps = append(apps, a)
		}
	}
	return apps, nil
}

func (w *world) UpdateApp(_ context.Context, id renga.AppID, edit func(*renga.App) error) (renga.App, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a := w.apps[id]
	a.Collaborators = maps.Clone(a.Collaborators) // streams still read the one before
	if err := edit(&a); err != nil {
		return renga.App{}, err
	}
	a.UpdatedAt = born.Add(24 * time.Hour)
	w.apps[id] = a
	return a, nil
}

func (w *world) CreateApp(ctx context.Context, name string, by renga.AccountID) (renga.App, error) {
	if w.creating != nil {
		if err := w.creating(ctx); err != nil {
			return renga.App{}, err
		}
	}
	if name == "" {
		name = "silent-pond-1"
	}
	if _, err := w.AppByName(ctx, name); err == nil {
		return renga.App{}, renga.Errorf(renga.Conflict, "Name %s is already taken.", name)
	}
	if err := renga.ValidateAppName(name); err != nil {
		return renga.App{}, err
	}
	a := renga.App{ID: renga.AppID(fmt.Sprintf("20000000-0000-4000-8000-%012d", 100+len(w.releases))), Name: name, Owner: by, CreatedAt: born, UpdatedAt: born}
	w.apps[a.ID] = a
	w.add(a.ID, "Initial release", renga.Inputs{})
	return a, nil
}

func (w *world) Rename(ctx context.Context, id renga.AppID, name string) (renga.App, error) {
	if _, err := w.AppByName(ctx, name); err == nil {
		return renga.App{}, renga.Errorf(renga.Conflict, "Name %s is already taken.", name)
	}
	if err := renga.ValidateAppName(name); err != nil {
		return renga.App{}, err
	}
	a := w.apps[id]
	a.Name = name
	w.apps[id] = a
	return a, nil
}

func (w *world) DeleteApp(_ context.Context, id renga.AppID) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.apps, id)
	return nil
}

func (w *world) record(app renga.AppID, n int) renga.ReleaseRecord {
	rec := w.releases[app][n-1].Record()
	rec.Outcome = renga.Outcome{Status: renga.Succeeded, At: rec.CreatedAt}
	if o, ok := w.outcomes[n]; ok {
		rec.Outcome = o
	}
	if app == hello {
		rec.Canary = w.canaries[n]
	}
	rec.Current, rec.Live = n == len(w.releases[app]), n == 3
	return rec
}

func (w *world) Release(_ context.Context, app renga.AppID, n int) (renga.ReleaseRecord, error) {
	if n < 1 || n > len(w.releases[app]) {
		return renga.ReleaseRecord{}, renga.Errorf(renga.NotFound, "no such release")
	}
	return w.record(app, n), nil
}

func (w *world) Releases(_ context.Context, app renga.AppID, q renga.ReleaseQuery) ([]renga.ReleaseRecord, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, q)
	if len(w.releases[app]) == 0 {
		return nil, renga.Errorf(renga.NotFound, "no such app")
	}
	var all []renga.ReleaseRecord
	for n := range len(w.releases[app]) {
		if n++; n >= q.From && (q.To == 0 || n <= q.To) {
			all = append(all, w.record(app, n))
		}
	}
	if q.Descending {
		slices.Reverse(all)
	}
	if q.Max > 0 && len(all) > q.Max {
		all = all[:q.Max]
	}
	return all, nil
}

func (w *world) Newest(_ context.Context, apps []renga.AppID) (map[renga.AppID]renga.ReleaseRecord, error) {
	all := map[renga.AppID]renga.ReleaseRecord{}
	for _, app := range apps {
		if n := len(w.releases[app]); n > 0 {
			all[app] = w.record(app, n)
		}
	}
	return all, nil
}

func (w *world) Rollback(ctx context.Context, app renga.AppID, n int, part renga.RollbackPart, canary renga.Canary, by renga.AccountID) (renga.ReleaseRecord, error) {
	rec, err := w.Release(ctx, app, n)
	if err == nil {
		err = w.Eligible(ctx, w.apps[app], rec)
	}
	if err != nil {
		return renga.ReleaseRecord{}, renga.Errorf(renga.Invalid, "%w", err)
	}
	rel := w.add(app, fmt.Sprintf("Rollback to v%d %s", n, part), w.releases[app][n-1].Inputs)
	w.canaries[rel.Version] = canary
	return w.record(app, rel.Version), nil
}

func (w *world) Rerelease(_ context.Context, app renga.AppID, description string, canary renga.Canary, _ renga.AccountID) (renga.ReleaseRecord, error) {
	rel := w.add(app, description, w.releases[app][len(w.releases[app])-1].Inputs)
	w.canaries[rel.Version] = canary
	return w.record(app, rel.Version), nil
}

func (w *world) CancelRelease(_ context.Context, app renga.AppID, n int, reason string) error {
	if n > len(w.releases[app]) {
		return renga.Errorf(renga.NotFound, "no such release")
	}
	o := w.outcomes[n]
	if app != hello || o.Status != renga.Pending {
		return renga.Errorf(renga.Conflict, "Release v%d has %s already, so it cannot be canceled.", n, o.Status)
	}
	o.Status, o.Reason = renga.Failed, reason
	w.outcomes[n] = o
	return nil
}

func (w *world) EndCanary(_ context.Context, _ renga.AppID, n int) error {
	o := w.outcomes[n]
	if o.Status != renga.Pending || o.CanaryUntil.IsZero() {
		return renga.Errorf(renga.Conflict, "Release v%d is no canary.", n)
	}
	o.CanaryUntil = born
	w.outcomes[n] = o
	return nil
}

func (w *world) RunOneOff(_ context.Context, a renga.App, asked renga.OneOff, still func(context.Context) error) (renga.Dyno, string, error) {
	w.still = still
	d := renga.Dyno{
		ID: "30000000-0000-4000-8000-000000000009", App: a.ID, Name: "run.1234", Type: renga.Run, Size: "eco", Release: 3,
		Command: []string{"/bin/sh", "-c", asked.Command}, State: renga.Starting, Since: born, Created: born,
	}
	if asked.Type == "clock" {
		return d, "", renga.Errorf(renga.Invalid, "There is no clock.")
	}
	w.ran = append(w.ran, asked)
	if asked.Attach {
		return d, "s3cr3t", nil
	}
	return d, "", nil
}

// Follow writes the output at once; more never comes.
func (w *world) Follow(ctx context.Context, _ renga.AppID, version int, out io.Writer, over func(context.Context) (bool, error)) error {
	if _, err := io.WriteString(out, w.outputs[version]); err != nil {
		return err
	}
	if end, err := over(ctx); err != nil || end {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}

// Find knows one image besides those that are released: "fresh".
func (w *world) Find(_ context.Context, app string, t renga.ProcessType, ref string) (map[renga.ProcessType]renga.Image, error) {
	if ref == "fresh" {
		return map[renga.ProcessType]renga.Image{t: image(t, 9)}, nil
	}
	for _, img := range w.releases[hello][len(w.releases[hello])-1].Inputs.Images {
		if ref == img.Digest {
			return map[renga.ProcessType]renga.Image{t: image(t, 4)}, nil
		}
	}
	return nil, renga.Errorf(renga.Invalid, "No image %s was pushed to %s/%s.", ref, app, t)
}

func (w *world) Deploy(_ context.Context, app renga.AppID, d renga.Deploy, _ renga.AccountID) (renga.Release, error) {
	newest := w.releases[app][len(w.releases[app])-1]
	in := newest.Inputs.Clone()
	for _, images := range d.Images {
		maps.Copy(in.Images, images)
	}
	for _, t := range d.Remove {
		delete(in.Images, t)
	}
	if in.Equal(newest.Inputs) {
		return newest, nil
	}
	rel := w.add(app, cmp.Or(d.Description, "Deployed"), in)
	w.canaries[rel.Version] = d.Canary
	return rel, nil
}

func (w *world) Eligible(_ context.Context, _ renga.App, rec renga.ReleaseRecord) error {
	if w.blind != nil {
		return w.blind
	}
	if rec.Outcome.Status != renga.Succeeded || len(rec.Images) == 0 {
		return renga.Errorf(renga.Invalid, "v%d cannot be rolled back to.", rec.Version)
	}
	return nil
}

func (w *world) Open(_ context.Context, app renga.App, n int) (renga.Release, error) {
	if n < 1 || n > len(w.releases[app.ID]) {
		return renga.Release{}, renga.Errorf(renga.NotFound, "no such release")
	}
	return w.releases[app.ID][n-1], nil
}

func (w *world) Vars(_ context.Context, app renga.AppID) (renga.Vars, error) {
	return w.releases[app][len(w.releases[app])-1].Env(), nil
}

func (w *world) SetVars(_ context.Context, app renga.AppID, changes map[string]*string, _ renga.AccountID) (renga.Vars, error) {
	in := w.releases[app][len(w.releases[app])-1].Inputs.Clone()
	for name, value := range changes {
		if value == nil {
			delete(in.Vars, name)
			continue
		}
		in.Vars[name] = *value
	}
	if err := renga.ValidateVars(in.Vars); err != nil {
		return nil, err
	}
	return w.add(app, "Set config vars", in).Env(), nil
}

func (w *world) Formation(context.Context, renga.AppID) (renga.Formation, error) {
	return maps.Clone(w.formation), nil
}

func (w *world) SetFormation(_ context.Context, _ renga.AppID, edit func(renga.Formation) error) (renga.Formation, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := maps.Clone(w.formation)
	if err := edit(f); err != nil {
		return nil, fmt.Errorf("set formation: %w", err)
	}
	w.formation = f
	return maps.Clone(f), nil
}

func (w *world) Dynos(context.Context, renga.AppID) ([]renga.Dyno, error) {
	return slices.Clone(w.dynos), nil
}

func (w *world) Minutes(context.Context, renga.AppID) ([]renga.Minute, error) {
	at := born.Truncate(time.Minute)
	return []renga.Minute{
		{At: at, Type: renga.Web, Dynos: 2, Memory: 1000, MaxMemory: 2000, Quota: 4000, CPU: .5, Requests: 10, Errors: 1, Service: 1500 * time.Microsecond},
		{At: at.Add(time.Minute), Type: "worker", Dynos: 1, Memory: 500},
	}, nil
}

func (w *world) Admit(_ renga.App, dyno, key string, still func(context.Context) error) (string, error) {
	w.still = still
	return "visitor of " + dyno + " with " + key, nil
}

func (w *world) Exec(_ context.Context, _ renga.App, c api.Command) (string, error) {
	w.still = c.Still
	if c.Terminal != nil {
		c.Line += fmt.Sprintf("-%dx%d", c.Terminal.Columns, c.Terminal.Rows)
	}
	return c.Dyno + "-" + c.Line, nil
}

func (w *world) HostKey() string { return "ssh-ed25519 BBBB" }

func (w *world) Restart(_ context.Context, _ renga.AppID, key string) error {
	w.restarts = append(w.restarts, key)
	return nil
}

func (w *world) Wake(app renga.AppID) { w.woken = append(w.woken, app) }

func (w *world) Desired(_ context.Context, app renga.AppID) (renga.Desired, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return renga.Desired{App: w.apps[app], Formation: w.formation, AsleepSince: w.asleep}, nil
}

func (w *world) LastRequest(renga.AppID) time.Time { return w.requested }

func (w *world) Order(host string) { w.ordered = append(w.ordered, host) }

func (w *world) Did(_ context.Context, _ renga.AppID, by renga.AccountID, what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.did = append(w.did, fmt.Sprintf("%s by %s", what, by))
}

// journal is the log of every app.
type journal struct {
	lines []renga.LogLine
	more  chan renga.LogLine // what is said while somebody follows
}

func (j *journal) Last(_ renga.AppID, n int, f renga.LogFilter) (lines []renga.LogLine, end uint64, err error) {
	for _, line := range j.lines {
		if f.Matches(line) {
			lines = append(lines, line)
		}
	}
	if n >= 0 {
		lines = lines[max(0, len(lines)-n):]
	}
	return lines, uint64(len(j.lines)), nil
}

// Follow tells a line more than the newest, with three lines missing before it,
// and then what comes.
func (j *journal) Follow(ctx context.Context, _ renga.AppID, after uint64, tell func([]renga.LogLine, uint64) error) error {
	err := tell([]renga.LogLine{{ID: after + 4, Time: born, Source: "app", Dyno: "web.1", Text: "late"}}, 3)
	for err == nil {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case line := <-j.more:
			err = tell([]renga.LogLine{line}, 0)
		}
	}
	return err
}

// KeepOwner notes what a recovery would know.
func (w *world) KeepOwner(_ context.Context, app renga.App) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.owners = append(w.owners, app.Name+" of "+string(app.Owner))
	return nil
}
