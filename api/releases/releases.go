package releases

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/gorilla/mux"

	"renga"
	"renga/api/wire"
)

// Releases gives the records of releases.
type Releases interface {
	// Release is NotFound for a version that the app does not have.
	Release(ctx context.Context, app renga.AppID, version int) (renga.ReleaseRecord, error)
	Releases(ctx context.Context, app renga.AppID, q renga.ReleaseQuery) ([]renga.ReleaseRecord, error)
}

// Releaser makes releases and opens them.
type Releaser interface {
	// Rollback makes a new release of an old one. Invalid, with the reason, if that
	// is impossible.
	Rollback(
		ctx context.Context, app renga.AppID, version int, part renga.RollbackPart, canary renga.Canary,
		by renga.AccountID,
	) (renga.ReleaseRecord, error)
	// Rerelease makes a new release with the inputs of the newest one.
	Rerelease(
		ctx context.Context, app renga.AppID, description string, canary renga.Canary, by renga.AccountID,
	) (renga.ReleaseRecord, error)
	// Eligible is nil if the app can be rolled back to the release; else the error
	// says why not.
	Eligible(ctx context.Context, app renga.App, r renga.ReleaseRecord) error
	// Open gives the whole release, with its secrets.
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

// release is a release as JSON. Heroku's schema does not have the last four fields.
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

	// EligibleForRollback is true for the live release as well, as on Heroku.
	EligibleForRollback bool `json:"eligible_for_rollback"`

	// Reason says why the release failed, or else why it cannot be rolled back
	// to.
	Reason *string `json:"reason"`
	// Log has the last lines of the dyno that made the release fail. It is null in
	// lists.
	Log    []string          `json:"log"`
	Images map[string]string `json:"images"` // process type to digest
	Canary *canary           `json:"canary"` // null if the release takes over at once
}

// newRelease makes JSON of a record. Ineligible says why the app cannot be rolled
// back to it; nil if it can. Current is the live release, as on Heroku; while a
// deploy is under way and after a failed one it is not the newest.
func newRelease(a renga.App, rec renga.ReleaseRecord, by wire.Person, ineligible error) release {
	shown := release{
		AddonPlanNames: append([]string{}, rec.Plans...), App: wire.AppRef(a), Artifacts: artifacts(rec.Images),
		CreatedAt: wire.Stamp(rec.CreatedAt), Current: rec.Live,
		Description: rec.Description, ID: wire.ReleaseID(
			rec.App, rec.Version,
		), Status: wire.ReleaseStatus(rec.Outcome.Status),
		UpdatedAt: wire.Stamp(rec.CreatedAt), User: by, Version: rec.Version,
		EligibleForRollback: ineligible == nil, Images: digests(rec.Images), Canary: newCanary(rec),
	}
	if !rec.Outcome.At.IsZero() {
		shown.UpdatedAt = wire.Stamp(rec.Outcome.At)
	}
	if imagesGone(ineligible) {
		shown.Status = "expired"
	}
	shown.Reason = wire.OrNull(reasonOf(rec, ineligible))
	return shown
}

// imagesGone tells whether a release cannot be rolled back to because an image of
// it is no longer there.
func imagesGone(ineligible error) bool {
	var inner *renga.Error
	return errors.As(errors.Unwrap(ineligible), &inner) && inner.Kind == renga.NotFound
}

// artifact is an image of a release in Heroku's form.
type artifact struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

// artifacts gives the images of a release, each once.
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

func reasonOf(rec renga.ReleaseRecord, ineligible error) string {
	if rec.Outcome.Reason != "" || ineligible == nil || rec.Outcome.Status == renga.Pending {
		return rec.Outcome.Reason
	}
	return renga.MessageOf(ineligible, "Whether this release can be rolled back to could not be found out; try again.")
}

func digests(images map[renga.ProcessType]renga.Image) map[string]string {
	byType := map[string]string{}
	for t, img := range images {
		byType[string(t)] = img.Digest
	}
	return byType
}

// showRelease makes JSON of a record.
func (s *Server) showRelease(
	ctx context.Context, a renga.App, rec renga.ReleaseRecord, known *wire.People,
) (release, error) {
	by, err := known.Find(ctx, rec.By)
	if err != nil {
		return release{}, err
	}
	ineligible := s.parts.Releaser.Eligible(ctx, a, rec)
	if kind := renga.KindOf(ineligible); ineligible != nil && kind != renga.Invalid && kind != renga.NotFound {
		s.Log.Warn(
			"eligibility of a release is not known", "app", a.Name, "release", renga.VersionName(rec.Version), "err",
			ineligible,
		)
	}
	shown := newRelease(a, rec, by, ineligible)
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

// replyRelease answers with a release as it is now, with the log of its failure.
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

// releaseOf gives the app and the version of the path.
func (s *Server) releaseOf(r *http.Request) (renga.App, int, error) {
	a, err := s.AppOf(r)
	if err != nil {
		return renga.App{}, 0, err
	}
	version, err := s.VersionOf(r.Context(), a.ID, mux.Vars(r)["release"])
	return a, version, err
}

// VersionOf gives the version for a release's identity: "7", "v7" or an id.
// NotFound if it is neither, or an id that no release of the app has.
func (s *Server) VersionOf(ctx context.Context, app renga.AppID, identity string) (int, error) {
	if wire.IsUUID(identity) {
		return s.versionByID(ctx, app, strings.ToLower(identity))
	}
	if version, ok := parseVersion(identity); ok {
		return version, nil
	}
	return 0, wire.NotFound("release")
}

// versionByID tries the app's versions, the newest first. Ids are made of versions,
// so this reads nothing and takes a fraction of a millisecond per thousand.
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

// identity is a name or a number in a body.
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

// releaseAsked is the body of a request for a new release: of an old release or a
// part of it, of an image, or, with a description alone, of what the newest release
// has.
type releaseAsked struct {
	Release     identity           `json:"release"`
	Part        renga.RollbackPart `json:"part"`
	Slug        identity           `json:"slug"`
	OCIImage    string             `json:"oci_image"`
	Image       string             `json:"image"`        // of another registry
	Process     renga.ProcessType  `json:"process_type"` // that the image is for
	Description string             `json:"description"`
	Canary      *wire.CanaryAsked  `json:"canary"`
}

func (a releaseAsked) check() error {
	switch {
	case a.Slug != "":
		return wire.Invalid("Releasing a slug is not supported; push an image instead.")
	case a.Image != "" && (a.OCIImage != "" || a.Release != "" || a.Description != "" || a.Canary != nil):
		return wire.Invalid("An \"image\" of another registry is released alone, as a push is; leave the other fields out.")
	case a.Image == "" && a.Process != "":
		return wire.Invalid("Field \"process_type\" goes with an \"image\" of another registry.")
	case a.Image != "":
		return nil
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

// createRelease takes an app back to an old release, or makes a release of an image
// or of what the newest one has. It answers once the new release is recorded; its
// dynos are started afterwards.
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
	if asked.Image != "" {
		if err := s.AlsoRequire(r, wire.Pushing); err != nil {
			return err
		}
		return s.importImage(w, r, a, asked)
	}
	if asked.Part == renga.RollbackConfig { // only config vars change
		if err := s.AlsoRequire(r, wire.SettingSecrets); err != nil {
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
	if renga.KindOf(err) == renga.NotFound { // the path is right, the body is not
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
