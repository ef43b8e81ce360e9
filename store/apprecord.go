package store

import (
	"time"

	"renga"
)

type appRecord struct {
	ID          renga.AppID     `json:"id"`
	Name        string          `json:"name"`
	Owner       renga.AccountID `json:"owner,omitempty"`
	Maintenance bool            `json:"maintenance,omitempty"`
	ACM         bool            `json:"acm,omitempty"`
	Features    map[string]bool `json:"features,omitempty"`
	Buildpacks  []string        `json:"buildpacks,omitempty"`
	HealthCheck *healthRecord   `json:"health_check,omitempty"`
	SleepAfter  time.Duration   `json:"sleep_after,omitempty"` // in nanoseconds
	Canary      *canaryRecord   `json:"canary,omitempty"`
	Retention   *keepRecord     `json:"retention,omitempty"`
	DiskQuota   int64           `json:"disk_quota,omitempty"` // in bytes
	Registry    *rulesRecord    `json:"registry,omitempty"`
	Deleting    bool            `json:"deleting,omitempty"`
	CreatedAt   time.Time       `json:"created_at,omitzero"`
	UpdatedAt   time.Time       `json:"updated_at,omitzero"`

	Collaborators map[renga.AccountID]collaboratorRecord `json:"collaborators,omitempty"`
}

// healthRecord is an app's health check; times are in nanoseconds.
type healthRecord struct {
	Path      string        `json:"path"`
	Interval  time.Duration `json:"interval"`
	Timeout   time.Duration `json:"timeout"`
	Threshold int           `json:"threshold"`
}

// canaryRecord is a canary; its time is in nanoseconds.
type canaryRecord struct {
	Percent int           `json:"percent"`
	For     time.Duration `json:"for"`
}

// keepRecord is how many releases keep their images; its time is in nanoseconds.
type keepRecord struct {
	Releases int           `json:"releases"`
	For      time.Duration `json:"for"`
}

// rulesRecord is what the registry goes by with an app's images.
type rulesRecord struct {
	AnonymousPull bool     `json:"anonymous_pull,omitempty"`
	ImmutableTags []string `json:"immutable_tags,omitempty"`

	Keys         []string          `json:"keys,omitempty"` // public ones
	Repositories []string          `json:"repositories,omitempty"`
	Labels       map[string]string `json:"labels,omitempty"`
}

// listing is an app's entry in the index of all apps.
type listing struct {
	Name     string `json:"name"`
	Removing bool   `json:"removing,omitempty"` // its keys are being removed
}

func newAppRecord(a renga.App) appRecord {
	return appRecord{
		ID: a.ID, Name: a.Name, Owner: a.Owner, Maintenance: a.Maintenance, ACM: a.ACM, Features: a.Features,
		Buildpacks: a.Buildpacks, HealthCheck: newHealthRecord(a.HealthCheck), Canary: newCanaryRecord(a.Canary),
		SleepAfter: a.SleepAfter, Retention: newKeepRecord(a.Retention), DiskQuota: a.DiskQuota,
		Registry: newRulesRecord(a.Registry), Deleting: a.Deleting,
		CreatedAt: a.CreatedAt.UTC(), UpdatedAt: a.UpdatedAt.UTC(),
		Collaborators: newCollaboratorRecords(a.Collaborators),
	}
}

func (r appRecord) app() renga.App {
	return renga.App{
		ID: r.ID, Name: r.Name, Owner: r.Owner, Maintenance: r.Maintenance, ACM: r.ACM, Features: r.Features,
		Buildpacks: r.Buildpacks, HealthCheck: r.HealthCheck.check(), Canary: r.Canary.canary(), SleepAfter: r.SleepAfter,
		Retention: r.Retention.retention(), DiskQuota: r.DiskQuota, Registry: r.Registry.rules(), Deleting: r.Deleting,
		CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
		Collaborators: r.collaborators(),
	}
}

func newHealthRecord(c renga.HealthCheck) *healthRecord {
	if !c.On() {
		return nil
	}
	r := healthRecord(c)
	return &r
}

func (r *healthRecord) check() renga.HealthCheck {
	if r == nil {
		return renga.HealthCheck{}
	}
	return renga.HealthCheck(*r)
}

func newCanaryRecord(c renga.Canary) *canaryRecord {
	if !c.On() {
		return nil
	}
	r := canaryRecord(c)
	return &r
}

func (r *canaryRecord) canary() renga.Canary {
	if r == nil {
		return renga.Canary{}
	}
	return renga.Canary(*r)
}

func newKeepRecord(k renga.Retention) *keepRecord {
	if k == (renga.Retention{}) {
		return nil
	}
	r := keepRecord(k)
	return &r
}

func (r *keepRecord) retention() renga.Retention {
	if r == nil {
		return renga.Retention{}
	}
	return renga.Retention(*r)
}

func newRulesRecord(rules renga.RegistryRules) *rulesRecord {
	if p := rules.Provenance; rules.AnonymousPull || len(rules.ImmutableTags) > 0 || p.On() {
		return &rulesRecord{
			AnonymousPull: rules.AnonymousPull, ImmutableTags: rules.ImmutableTags,
			Keys: p.Keys, Repositories: p.Repositories, Labels: p.Labels,
		}
	}
	return nil
}

func (r *rulesRecord) rules() renga.RegistryRules {
	if r == nil {
		return renga.RegistryRules{}
	}
	return renga.RegistryRules{
		AnonymousPull: r.AnonymousPull, ImmutableTags: r.ImmutableTags,
		Provenance: renga.Provenance{Keys: r.Keys, Repositories: r.Repositories, Labels: r.Labels},
	}
}

// appEvents says what an update of an app means: its own change, its end, and
// whom it is shared with.
func appEvents(before, after renga.App) []event {
	all := collaboratorEvents(before, after)
	unchanged := before
	unchanged.Collaborators, unchanged.UpdatedAt = after.Collaborators, after.UpdatedAt
	h := event{kind: renga.AppEvent, action: renga.Update, subject: appSubject(after), before: appSubject(before)}
	switch {
	case after.Deleting && !before.Deleting:
		h.action, h.before = renga.Destroy, subjectRecord{}
	case encode(newAppRecord(unchanged)) == encode(newAppRecord(after)):
		return all
	}
	return append(all, h)
}
