package wiretest

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
)

// FakeRooms stands in for the rooms behind the API. It keeps everything in memory
// and is as strict as they are.
type FakeRooms struct {
	Mu        sync.Mutex
	Apps      map[renga.AppID]renga.App
	History   map[renga.AppID][]renga.Release
	Outcomes  map[int]renga.Outcome // of the first app's releases
	Canaries  map[int]renga.Canary  // likewise
	Scaled    renga.Formation
	Running   []renga.Dyno
	Restarts  []string
	Woken     []renga.AppID
	Said      []string      // the lines in apps' logs
	Owners    []string      // what the ledger was told
	Late      time.Duration // how much later it is than usual
	Asleep    time.Time     // since when the first app sleeps
	Requested time.Time     // its last request
	Journal   journal
	Ordered   []string // hosts that are to get certificates
	Asked     []renga.ReleaseQuery
	Read      int // how many apps were read for lists
	Outputs   map[int]string
	Ran       []renga.OneOff
	Creating  func(context.Context) error // before an app is made, when set
	Broken    error                       // what a look at a token ends in, when set
	Blind     error                       // what a look at images ends in, when set
	Still     func(context.Context) error // what the last visitor was let in with
}

var (
	Born = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	Ada  = renga.Account{
		ID: "10000000-0000-4000-8000-000000000001", Email: "ada@example.com", CreatedAt: Born, UpdatedAt: Born,
	}
	Bob = renga.Account{
		ID: "10000000-0000-4000-8000-000000000002", Email: "bob@example.com", CreatedAt: Born, UpdatedAt: Born,
	}
	Carol = renga.Account{
		ID: "10000000-0000-4000-8000-000000000003", Email: "carol@example.com", CreatedAt: Born, UpdatedAt: Born,
	}
	Hello = renga.AppID("20000000-0000-4000-8000-000000000001")
	Other = renga.AppID("20000000-0000-4000-8000-000000000002")

	Shared = renga.AppID("20000000-0000-4000-8000-000000000003")
)

func Image(t renga.ProcessType, n int) renga.Image {
	return renga.Image{
		Repository: "hello/" + string(t), Digest: fmt.Sprintf("sha256:%064d", n),
		Command: []string{"/bin/app", "--say", "it is"}, Size: 1000,
	}
}

const SharingID = "40000000-0000-4000-8000-000000000001"

// With shares an app with an account.
func With(a renga.Account, may ...renga.Permission) map[renga.AccountID]renga.Collaborator {
	may, err := renga.SharedPermissions(may)
	if err != nil {
		panic(err) // a mistake of the test
	}
	return map[renga.AccountID]renga.Collaborator{
		a.ID: {ID: SharingID, Account: a.ID, Permissions: may, CreatedAt: Born, UpdatedAt: Born},
	}
}

// Share adds an app of Bob's that is shared with Ada.
func Share(w *FakeRooms) {
	w.Apps[Shared] = renga.App{ID: Shared, Name: "shared", Owner: Bob.ID, CreatedAt: Born, UpdatedAt: Born,
		Collaborators: With(Ada)}
	w.Add(Shared, "Initial release", renga.Inputs{})
}

// NewFakeRooms has the app hello of Ada's with four releases, which Carol has access
// to, and one of Bob's.
func NewFakeRooms() *FakeRooms {
	w := &FakeRooms{Apps: map[renga.AppID]renga.App{}, History: map[renga.AppID][]renga.Release{}}
	w.Apps[Hello] = renga.App{
		ID: Hello, Name: "hello", Owner: Ada.ID, ACM: true, Collaborators: With(Carol), CreatedAt: Born,
		UpdatedAt: Born,
	}
	w.Apps[Other] = renga.App{ID: Other, Name: "other", Owner: Bob.ID, CreatedAt: Born, UpdatedAt: Born}
	in := renga.Inputs{}.Clone()
	w.Add(Hello, "Initial release", in)
	in.Images[renga.Web] = Image(renga.Web, 2)
	w.Add(Hello, "Deploy 222222222222", in)
	in.Vars["COLOR"], in.Vars["SECRET"] = "red", Marker
	w.Add(Hello, "Set COLOR, SECRET config vars", in)
	in.Images[renga.Web], in.Images["worker"], in.Vars["COLOR"] = Image(renga.Web, 4), Image("worker", 4), "blue"
	w.Add(Hello, "Deploy 444444444444", in)
	w.Canaries = map[int]renga.Canary{}
	w.Outcomes = map[int]renga.Outcome{
		4: {
			Status: renga.Failed, Reason: "web.1 exited with status 1.", Log: []string{"boom"},
			At: Born.Add(time.Hour),
		},
	}
	w.Scaled = renga.Formation{renga.Web: {Quantity: 1, Size: "standard-1x", CreatedAt: Born, UpdatedAt: Born}}
	w.Running = []renga.Dyno{
		{
			ID: "30000000-0000-4000-8000-000000000002", App: Hello, Name: "web.2", Type: renga.Web,
			Size: "standard-1x", Release: 3, Command: []string{"/bin/app", "it's"}, State: renga.Starting,
			Since: Born, Created: Born,
		},
		{
			ID: "30000000-0000-4000-8000-000000000001", App: Hello, Name: "web.1", Type: renga.Web,
			Size: "standard-1x", Release: 3, Command: []string{"/bin/app"}, State: renga.Up, Since: Born,
			Created: Born,
		},
	}
	return w
}

func (w *FakeRooms) Add(app renga.AppID, description string, in renga.Inputs) renga.Release {
	n := len(w.History[app]) + 1
	rel := renga.Release{
		App: app, Version: n, Inputs: in.Clone(), Description: description, By: Ada.ID,
		CreatedAt: Born.Add(time.Duration(n) * time.Minute),
	}
	w.History[app] = append(w.History[app], rel)
	return rel
}

func (w *FakeRooms) App(_ context.Context, id renga.AppID) (renga.App, error) {
	w.Mu.Lock()
	defer w.Mu.Unlock()
	if a, ok := w.Apps[id]; ok {
		return a, nil
	}
	return renga.App{}, renga.Errorf(renga.NotFound, "no such app")
}

// SwitchOff switches a feature of hello off.
func (w *FakeRooms) SwitchOff(feature string) {
	a := w.Apps[Hello]
	a.Features = map[string]bool{feature: false}
	w.Apps[Hello] = a
}

func (w *FakeRooms) AppByName(_ context.Context, name string) (renga.App, error) {
	w.Mu.Lock()
	defer w.Mu.Unlock()
	for _, a := range w.Apps {
		if a.Name == name {
			return a, nil
		}
	}
	return renga.App{}, renga.Errorf(renga.NotFound, "no such app")
}

func (w *FakeRooms) AppIDs(context.Context) ([]renga.AppID, error) {
	return slices.Sorted(maps.Keys(w.Apps)), nil
}

func (w *FakeRooms) SomeApps(_ context.Context, ids []renga.AppID) ([]renga.App, error) {
	w.Read += len(ids)
	var apps []renga.App
	for _, id := range ids {
		if a, ok := w.Apps[id]; ok {
			apps = append(apps, a)
		}
	}
	return apps, nil
}

func (w *FakeRooms) UpdateApp(_ context.Context, id renga.AppID, edit func(*renga.App) error) (renga.App, error) {
	w.Mu.Lock()
	defer w.Mu.Unlock()
	a := w.Apps[id]
	a.Collaborators = maps.Clone(a.Collaborators) // streams still read the one before
	if err := edit(&a); err != nil {
		return renga.App{}, err
	}
	a.UpdatedAt = Born.Add(24 * time.Hour)
	w.Apps[id] = a
	return a, nil
}

func (w *FakeRooms) CreateApp(ctx context.Context, name string, by renga.AccountID) (renga.App, error) {
	if w.Creating != nil {
		if err := w.Creating(ctx); err != nil {
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
	a := renga.App{
		ID: renga.AppID(fmt.Sprintf("20000000-0000-4000-8000-%012d", 100+len(w.History))), Name: name, Owner: by,
		CreatedAt: Born, UpdatedAt: Born,
	}
	w.Apps[a.ID] = a
	w.Add(a.ID, "Initial release", renga.Inputs{})
	return a, nil
}

func (w *FakeRooms) Rename(ctx context.Context, id renga.AppID, name string) (renga.App, error) {
	if _, err := w.AppByName(ctx, name); err == nil {
		return renga.App{}, renga.Errorf(renga.Conflict, "Name %s is already taken.", name)
	}
	if err := renga.ValidateAppName(name); err != nil {
		return renga.App{}, err
	}
	a := w.Apps[id]
	a.Name = name
	w.Apps[id] = a
	return a, nil
}

func (w *FakeRooms) DeleteApp(_ context.Context, id renga.AppID) error {
	w.Mu.Lock()
	defer w.Mu.Unlock()
	delete(w.Apps, id)
	return nil
}

func (w *FakeRooms) Record(app renga.AppID, n int) renga.ReleaseRecord {
	rec := w.History[app][n-1].Record()
	rec.Outcome = renga.Outcome{Status: renga.Succeeded, At: rec.CreatedAt}
	if o, ok := w.Outcomes[n]; ok {
		rec.Outcome = o
	}
	if app == Hello {
		rec.Canary = w.Canaries[n]
	}
	rec.Current, rec.Live = n == len(w.History[app]), n == 3
	return rec
}

func (w *FakeRooms) Release(_ context.Context, app renga.AppID, n int) (renga.ReleaseRecord, error) {
	if n < 1 || n > len(w.History[app]) {
		return renga.ReleaseRecord{}, renga.Errorf(renga.NotFound, "no such release")
	}
	return w.Record(app, n), nil
}

func (w *FakeRooms) Releases(_ context.Context, app renga.AppID, q renga.ReleaseQuery) ([]renga.ReleaseRecord, error) {
	w.Mu.Lock()
	defer w.Mu.Unlock()
	w.Asked = append(w.Asked, q)
	if len(w.History[app]) == 0 {
		return nil, renga.Errorf(renga.NotFound, "no such app")
	}
	var all []renga.ReleaseRecord
	for n := range len(w.History[app]) {
		if n++; n >= q.From && (q.To == 0 || n <= q.To) {
			all = append(all, w.Record(app, n))
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

func (w *FakeRooms) Newest(_ context.Context, apps []renga.AppID) (map[renga.AppID]renga.ReleaseRecord, error) {
	all := map[renga.AppID]renga.ReleaseRecord{}
	for _, app := range apps {
		if n := len(w.History[app]); n > 0 {
			all[app] = w.Record(app, n)
		}
	}
	return all, nil
}

func (w *FakeRooms) Rollback(
	ctx context.Context, app renga.AppID, n int, part renga.RollbackPart, canary renga.Canary, by renga.AccountID,
) (renga.ReleaseRecord, error) {
	rec, err := w.Release(ctx, app, n)
	if err == nil {
		err = w.Eligible(ctx, w.Apps[app], rec)
	}
	if err != nil {
		return renga.ReleaseRecord{}, renga.Errorf(renga.Invalid, "%w", err)
	}
	rel := w.Add(app, fmt.Sprintf("Rollback to v%d %s", n, part), w.History[app][n-1].Inputs)
	w.Canaries[rel.Version] = canary
	return w.Record(app, rel.Version), nil
}

func (w *FakeRooms) Rerelease(
	_ context.Context, app renga.AppID, description string, canary renga.Canary, _ renga.AccountID,
) (renga.ReleaseRecord, error) {
	rel := w.Add(app, description, w.History[app][len(w.History[app])-1].Inputs)
	w.Canaries[rel.Version] = canary
	return w.Record(app, rel.Version), nil
}

func (w *FakeRooms) CancelRelease(_ context.Context, app renga.AppID, n int, reason string) error {
	if n > len(w.History[app]) {
		return renga.Errorf(renga.NotFound, "no such release")
	}
	o := w.Outcomes[n]
	if app != Hello || o.Status != renga.Pending {
		return renga.Errorf(renga.Conflict, "Release v%d has %s already, so it cannot be canceled.", n, o.Status)
	}
	o.Status, o.Reason = renga.Failed, reason
	w.Outcomes[n] = o
	return nil
}

func (w *FakeRooms) EndCanary(_ context.Context, _ renga.AppID, n int) error {
	o := w.Outcomes[n]
	if o.Status != renga.Pending || o.CanaryUntil.IsZero() {
		return renga.Errorf(renga.Conflict, "Release v%d is no canary.", n)
	}
	o.CanaryUntil = Born
	w.Outcomes[n] = o
	return nil
}

func (w *FakeRooms) RunOneOff(
	_ context.Context, a renga.App, asked renga.OneOff, still func(context.Context) error,
) (renga.Dyno, string, error) {
	w.Still = still
	d := renga.Dyno{
		ID: "30000000-0000-4000-8000-000000000009", App: a.ID, Name: "run.1234", Type: renga.Run, Size: "eco",
		Release: 3,
		Command: []string{"/bin/sh", "-c", asked.Command}, State: renga.Starting, Since: Born, Created: Born,
	}
	if asked.Type == "clock" {
		return d, "", renga.Errorf(renga.Invalid, "There is no clock.")
	}
	w.Ran = append(w.Ran, asked)
	if asked.Attach {
		return d, "s3cr3t", nil
	}
	return d, "", nil
}

// Follow writes the output at once; more never comes.
func (w *FakeRooms) Follow(
	ctx context.Context, _ renga.AppID, version int, out io.Writer, over func(context.Context) (bool, error),
) error {
	if _, err := io.WriteString(out, w.Outputs[version]); err != nil {
		return err
	}
	if end, err := over(ctx); err != nil || end {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}

// Find knows one image besides those that are released: "fresh".
func (w *FakeRooms) Find(
	_ context.Context, app string, t renga.ProcessType, ref string,
) (map[renga.ProcessType]renga.Image, error) {
	if ref == "fresh" {
		return map[renga.ProcessType]renga.Image{t: Image(t, 9)}, nil
	}
	for _, img := range w.History[Hello][len(w.History[Hello])-1].Inputs.Images {
		if ref == img.Digest {
			return map[renga.ProcessType]renga.Image{t: Image(t, 4)}, nil
		}
	}
	return nil, renga.Errorf(renga.Invalid, "No image %s was pushed to %s/%s.", ref, app, t)
}

func (w *FakeRooms) Deploy(_ context.Context, app renga.AppID, d renga.Deploy, _ renga.AccountID) (renga.Release, error) {
	newest := w.History[app][len(w.History[app])-1]
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
	rel := w.Add(app, cmp.Or(d.Description, "Deployed"), in)
	w.Canaries[rel.Version] = d.Canary
	return rel, nil
}

func (w *FakeRooms) Eligible(_ context.Context, _ renga.App, rec renga.ReleaseRecord) error {
	if w.Blind != nil {
		return w.Blind
	}
	if rec.Outcome.Status != renga.Succeeded || len(rec.Images) == 0 {
		return renga.Errorf(renga.Invalid, "v%d cannot be rolled back to.", rec.Version)
	}
	return nil
}

func (w *FakeRooms) Open(_ context.Context, app renga.App, n int) (renga.Release, error) {
	if n < 1 || n > len(w.History[app.ID]) {
		return renga.Release{}, renga.Errorf(renga.NotFound, "no such release")
	}
	return w.History[app.ID][n-1], nil
}

func (w *FakeRooms) Vars(_ context.Context, app renga.AppID) (renga.Vars, error) {
	return w.History[app][len(w.History[app])-1].Env(), nil
}

func (w *FakeRooms) SetVars(
	_ context.Context, app renga.AppID, changes map[string]*string, _ renga.AccountID,
) (renga.Vars, error) {
	in := w.History[app][len(w.History[app])-1].Inputs.Clone()
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
	return w.Add(app, "Set config vars", in).Env(), nil
}

func (w *FakeRooms) Formation(context.Context, renga.AppID) (renga.Formation, error) {
	return maps.Clone(w.Scaled), nil
}

func (w *FakeRooms) SetFormation(
	_ context.Context, _ renga.AppID, edit func(renga.Formation) error,
) (renga.Formation, error) {
	w.Mu.Lock()
	defer w.Mu.Unlock()
	f := maps.Clone(w.Scaled)
	if err := edit(f); err != nil {
		return nil, fmt.Errorf("set formation: %w", err)
	}
	w.Scaled = f
	return maps.Clone(f), nil
}

func (w *FakeRooms) Dynos(context.Context, renga.AppID) ([]renga.Dyno, error) {
	return slices.Clone(w.Running), nil
}

func (w *FakeRooms) Minutes(context.Context, renga.AppID) ([]renga.Minute, error) {
	at := Born.Truncate(time.Minute)
	return []renga.Minute{
		{
			At: at, Type: renga.Web, Dynos: 2, Memory: 1000, MaxMemory: 2000, Quota: 4000, CPU: .5, Requests: 10,
			Errors: 1, Service: 1500 * time.Microsecond,
		},
		{At: at.Add(time.Minute), Type: "worker", Dynos: 1, Memory: 500},
	}, nil
}

func (w *FakeRooms) Admit(_ renga.App, dyno, key string, still func(context.Context) error) (string, error) {
	w.Still = still
	return "visitor of " + dyno + " with " + key, nil
}

func (w *FakeRooms) HostKey() string { return "ssh-ed25519 BBBB" }

func (w *FakeRooms) Restart(_ context.Context, _ renga.AppID, key string) error {
	w.Restarts = append(w.Restarts, key)
	return nil
}

func (w *FakeRooms) Reconcile(app renga.AppID) { w.Woken = append(w.Woken, app) }

func (w *FakeRooms) Desired(_ context.Context, app renga.AppID) (renga.Desired, error) {
	w.Mu.Lock()
	defer w.Mu.Unlock()
	return renga.Desired{App: w.Apps[app], Formation: w.Scaled, AsleepSince: w.Asleep}, nil
}

func (w *FakeRooms) LastRequest(renga.AppID) time.Time { return w.Requested }

func (w *FakeRooms) Order(host string) { w.Ordered = append(w.Ordered, host) }

func (w *FakeRooms) Note(_ context.Context, _ renga.AppID, by renga.AccountID, what string) {
	w.Mu.Lock()
	defer w.Mu.Unlock()
	w.Said = append(w.Said, fmt.Sprintf("%s by %s", what, by))
}

// journal is the log of every app.
type journal struct {
	Lines []renga.LogLine
	More  chan renga.LogLine // what is said while somebody follows
}

func (j *journal) Last(_ renga.AppID, n int, f renga.LogFilter) (lines []renga.LogLine, end uint64, err error) {
	for _, line := range j.Lines {
		if f.Matches(line) {
			lines = append(lines, line)
		}
	}
	if n >= 0 {
		lines = lines[max(0, len(lines)-n):]
	}
	return lines, uint64(len(j.Lines)), nil
}

// Follow tells a line more than the newest, with three lines missing before it,
// and then what comes.
func (j *journal) Follow(
	ctx context.Context, _ renga.AppID, after uint64, tell func([]renga.LogLine, uint64) error,
) error {
	err := tell([]renga.LogLine{{ID: after + 4, Time: Born, Source: "app", Dyno: "web.1", Text: "late"}}, 3)
	for err == nil {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case line := <-j.More:
			err = tell([]renga.LogLine{line}, 0)
		}
	}
	return err
}

// KeepOwner notes what a recovery would know.
func (w *FakeRooms) KeepOwner(_ context.Context, app renga.App) error {
	w.Mu.Lock()
	defer w.Mu.Unlock()
	w.Owners = append(w.Owners, app.Name+" of "+string(app.Owner))
	return nil
}
