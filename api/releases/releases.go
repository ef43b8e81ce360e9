package releases

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/gorilla/mux"

	"renga"
	"renga/api/wire"
)

// Releases knows the records of releases.
type Releases interface {
	// Release is NotFound for a version that the app has not.
	Release(ctx context.Context, app renga.AppID, version int) (renga.ReleaseRecord, error)
	Releases(ctx context.Context, app renga.AppID, q renga.ReleaseQuery) ([]renga.ReleaseRecord, error)
}

// Releaser makes releases and opens them.
type Releaser interface {
	// Rollback makes a new release of an old one; Invalid, with the reason,
	// where that cannot be.
	Rollback(
		ctx context.Context, app renga.AppID, version int, part renga.RollbackPart, canary renga.Canary,
		by renga.AccountID,
	) (renga.ReleaseRecord, error)
	// Rerelease makes a new release of what the newest one holds.
	Rerelease(
		ctx context.Context, app renga.AppID, description string, canary renga.Canary, by renga.AccountID,
	) (renga.ReleaseRecord, error)
	// Eligible is nil when the app can be rolled back to the release; else the
	// error says why not.
	Eligible(ctx context.Context, app renga.App, r renga.ReleaseRecord) error
	// Open gives the whole release, secrets included.
	Open(ctx context.Context, app renga.App, version int) (renga.Release, error)
}

func (s *Server) releaseRoutes() []wire.Route {
	return []wire.Route{
		wire.Get("/apps/{app}/releases", wire.Looking, s.listReleases),
		wire.Post("/apps/{app}/releases", wire.Deploying, s.createRelease),
		wire.Get("/apps/{app}/releases/{release}", wire.Looking, s.releaseInfo),
		wire.Get("/apps/{app}/releases/{release}/config-vars", wire.ReadingSecrets, s.releaseConfigVars),
		wire.Get("/apps/{app}/releases/{release}/diff", wire.Looking, s.diffReleases),
	}
}

// release is a release on the wire. Heroku leaves the last four fields out of
// its schema.
type release struct {
	AddonPlanNames  []string    `json:"addon_plan_names"`
	App             wire.Ref    `json:"app"`
	Artifacts       []artifact  `json:"artifacts"`
	CreatedAt       string      `json:"created_at"`
	Current         bool        `json:"current"`
	Description     string      `json:"description"`
	ID              string      `json:"id"`
	OutputStreamURL *string     `json:"output_stream_url"`
	Slug            *wire.Ref   `json:"slug"`
	Status          string      `json:"status"`
	UpdatedAt       string      `json:"updated_at"`
	User            wire.Person `json:"user"`
	Version         int         `json:"version"`

	// EligibleForRollback holds for the release that serves as well, as on Heroku.
	EligibleForRollback bool `json:"eligible_for_rollback"`

	// Reason says why the release failed, or else why it cannot be rolled back
	// to.
	Reason *string `json:"reason"`
	// Log holds the last lines of the dyno that made it fail. Lists leave it
	// null.
	Log    []string          `json:"log"`
	Images map[string]string `json:"images"` // process type to digest
	Canary *canary           `json:"canary"` // null when it takes over at once
}

// newRelease maps a release; barred is why it cannot be rolled back to, nil
// when it can. Current is the release that serves, as on Heroku: while a deploy
// is under way, and after a failed one, it is not the newest.
func newRelease(a renga.App, rec renga.ReleaseRecord, by wire.Person, barred error) release {
	shown := release{
		AddonPlanNames: []string{}, App: wire.AppRef(a), Artifacts: artifacts(rec.Images),
		CreatedAt: wire.Stamp(rec.CreatedAt), Current: rec.Live,
		Description: rec.Description, ID: wire.ReleaseID(
			rec.App, rec.Version,
		), Status: wire.StatusOnWire(rec.Outcome.Status),
		UpdatedAt: wire.Stamp(rec.CreatedAt), User: by, Version: rec.Version,
		EligibleForRollback: barred == nil, Images: digests(rec.Images), Canary: newCanary(rec),
	}
	if !rec.Outcome.At.IsZero() {
		shown.UpdatedAt = wire.Stamp(rec.Outcome.At)
	}
	if reason := reasonOf(rec, barred); reason != "" {
		shown.Reason = &reason
	}
	return shown
}

// artifact is an image of a release as Heroku names it.
type artifact struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

// artifacts are the images of a release, each once.
func artifacts(images map[renga.ProcessType]renga.Image) []artifact {
	all := []artifact{}
	for _, t := range slices.Sorted(maps.Keys(images)) {
		one := artifact{"oci-image", imageID(images[t].Digest)}
		if !slices.Contains(all, one) {
			all = append(all, one)
		}
	}
	return all
}

func reasonOf(rec renga.ReleaseRecord, barred error) string {
	if rec.Outcome.Reason != "" || barred == nil || rec.Outcome.Status == renga.Pending {
		return rec.Outcome.Reason
	}
	return renga.MessageOf(barred, "Whether this release can be rolled back to could not be found out; try again.")
}

func digests(images map[renga.ProcessType]renga.Image) map[string]string {
	byType := map[string]string{}
	for t, img := range images {
		byType[string(t)] = img.Digest
	}
	return byType
}

// showRelease completes a record for the wire.
func (s *Server) showRelease(
	ctx context.Context, a renga.App, rec renga.ReleaseRecord, known *wire.People,
) (release, error) {
	by, err := known.Find(ctx, rec.By)
	if err != nil {
		return release{}, err
	}
	barred := s.parts.Releaser.Eligible(ctx, a, rec)
	if kind := renga.KindOf(barred); barred != nil && kind != renga.Invalid && kind != renga.NotFound {
		s.Log.Warn(
			"eligibility of a release is not known", "app", a.Name, "release", renga.VersionName(rec.Version), "err",
			barred,
		)
	}
	shown := newRelease(a, rec, by, barred)
	if rec.HasPhase() {
		url := s.outputURL(ctx, a.ID, rec.Version)
		shown.OutputStreamURL = &url
	}
	return shown, nil
}

func (s *Server) releaseInfo(w http.ResponseWriter, r *http.Request) error {
	a, version, err := s.releaseOf(r)
	if err != nil {
		return err
	}
	return s.replyRelease(w, r, a, version)
}

// replyRelease answers a release as it is now, with the log of its failure.
func (s *Server) replyRelease(w http.ResponseWriter, r *http.Request, a renga.App, version int) error {
	rec, err := s.parts.Releases.Release(r.Context(), a.ID, version)
	if err != nil {
		return wire.OrNotFound(err, "release")
	}
	shown, err := s.showRelease(r.Context(), a, rec, s.People())
	if err != nil {
		return err
	}
	shown.Log = append([]string{}, rec.Outcome.Log...)
	return wire.Answer(w, http.StatusOK, shown)
}

// releaseOf finds the app of the path and the version that its release means.
func (s *Server) releaseOf(r *http.Request) (renga.App, int, error) {
	a, err := s.AppOf(r)
	if err != nil {
		return renga.App{}, 0, err
	}
	version, err := s.VersionOf(r.Context(), a.ID, mux.Vars(r)["release"])
	return a, version, err
}

// VersionOf reads a release's identity: "7", "v7" or an id. NotFound when it is
// none, or an id that the app has not.
func (s *Server) VersionOf(ctx context.Context, app renga.AppID, identity string) (int, error) {
	if wire.IsUUID(identity) {
		return s.versionByID(ctx, app, strings.ToLower(identity))
	}
	if version, ok := parseVersion(identity); ok {
		return version, nil
	}
	return 0, wire.NotFound("release")
}

// versionByID tries the app's versions, newest first: ids are made of them, so
// this asks nobody and takes a fraction of a millisecond per thousand.
func (s *Server) versionByID(ctx context.Context, app renga.AppID, id string) (int, error) {
	newest, err := s.NewestOf(ctx, app)
	if err != nil {
		return 0, err
	}
	if newest != nil {
		for version := newest.Version; version > 0; version-- {
			if wire.ReleaseID(app, version) == id {
				return version, nil
			}
		}
	}
	return 0, wire.NotFound("release")
}

// parseVersion reads "7" or "v7".
func parseVersion(s string) (int, bool) {
	n, err := strconv.ParseUint(strings.TrimPrefix(s, "v"), 10, 31)
	return int(n), err == nil && n > 0
}

// identity is the name or number of a resource in a body.
type identity string

// UnmarshalJSON takes a string or a whole number.
func (i *identity) UnmarshalJSON(b []byte) error {
	var text string
	if json.Unmarshal(b, &text) == nil {
		*i = identity(text)
		return nil
	}
	var number json.Number
	if json.Unmarshal(b, &number) != nil {
		return wire.Invalid("A release is named by its id or its version.")
	}
	*i = identity(number)
	return nil
}

// releaseAsked is what a new release is to be made of: an old one, whole or in
// part, or, where only a description is given, what the newest one holds.
type releaseAsked struct {
	Release     identity           `json:"release"`
	Part        renga.RollbackPart `json:"part"`
	Slug        identity           `json:"slug"`
	OCIImage    string             `json:"oci_image"`
	Description string             `json:"description"`
	Canary      *wire.CanaryAsked  `json:"canary"`
}

func (a releaseAsked) check() error {
	switch {
	case a.Slug != "":
		return wire.Invalid("Releasing a slug is not supported; push an image instead.")
	case a.OCIImage != "" && a.Release != "":
		return wire.Invalid("Fields \"oci_image\" and \"release\" ask for two releases; leave one of them out.")
	case a.Release == "" && a.Description == "" && a.OCIImage == "":
		return wire.Invalid("Name the release to roll back to in the field \"release\", its id or its version; or " +
			"give a \"description\" to release the current one again.")
	case a.Part != renga.RollbackAll && a.Part != renga.RollbackCode && a.Part != renga.RollbackConfig:
		return wire.Invalid("Part must be %q or %q, or be left out for both.", renga.RollbackCode, renga.RollbackConfig)
	}
	return nil
}

// createRelease takes an app back to an old release, or releases the current
// one again. It answers as soon as the new one is recorded; dynos move
// afterwards.
func (s *Server) createRelease(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	var asked releaseAsked
	if err := wire.Decode(r, &asked); err != nil {
		return err
	}
	if err := asked.check(); err != nil {
		return err
	}
	if asked.Part == renga.RollbackConfig { // it is a change of config vars and nothing else
		if err := s.Also(r, wire.SettingSecrets); err != nil {
			return err
		}
	}
	rec, err := s.makeRelease(r, a, asked)
	if err != nil {
		return err
	}
	shown, err := s.showRelease(r.Context(), a, rec, s.People())
	if err != nil {
		return err
	}
	return wire.Answer(w, http.StatusCreated, shown)
}

func (s *Server) makeRelease(r *http.Request, a renga.App, asked releaseAsked) (renga.ReleaseRecord, error) {
	canary, err := wire.CanaryOf(a, asked.Canary)
	if err != nil {
		return renga.ReleaseRecord{}, err
	}
	if asked.OCIImage != "" {
		return s.releaseImage(r, a, asked.OCIImage, asked.Description, canary)
	}
	if asked.Release == "" {
		rec, err := s.parts.Releaser.Rerelease(r.Context(), a.ID, asked.Description, canary, wire.Caller(r).ID)
		if err == nil {
			s.Audit(r, "released again", a.Name, "release", renga.VersionName(rec.Version))
		}
		return rec, err
	}
	version, err := s.VersionOf(r.Context(), a.ID, string(asked.Release))
	if renga.KindOf(err) == renga.NotFound { // the path is right; what the body says is not
		err = wire.Invalid("%s has no release %s.", a.Name, wire.Clip(string(asked.Release)))
	}
	if err != nil {
		return renga.ReleaseRecord{}, err
	}
	rec, err := s.parts.Releaser.Rollback(r.Context(), a.ID, version, asked.Part, canary, wire.Caller(r).ID)
	if err == nil {
		s.Audit(
			r, "rolled back", a.Name, "release", renga.VersionName(rec.Version), "to", renga.VersionName(version),
			"part", string(asked.Part),
		)
	}
	return rec, err
}
