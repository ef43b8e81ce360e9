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

// listing is an app's entry in the index of all apps.
type listing struct {
	Name     string `json:"name"`
	Removing bool   `json:"removing,omitempty"` // its keys are being removed
}

func newAppRecord(a renga.App) appRecord {
	return appRecord{
		ID: a.ID, Name: a.Name, Owner: a.Owner, Maintenance: a.Maintenance, ACM: a.ACM, Features: a.Features,
		Buildpacks: a.Buildpacks, HealthCheck: newHealthRecord(a.HealthCheck), Canary: newCanaryRecord(a.Canary),
		SleepAfter: a.SleepAfter, Deleting: a.Deleting,
		CreatedAt: a.CreatedAt.UTC(), UpdatedAt: a.UpdatedAt.UTC(),
		Collaborators: newCollaboratorRecords(a.Collaborators),
	}
}

func (r appRecord) app() renga.App {
	return renga.App{
		ID: r.ID, Name: r.Name, Owner: r.Owner, Maintenance: r.Maintenance, ACM: r.ACM, Features: r.Features,
		Buildpacks: r.Buildpacks, HealthCheck: r.HealthCheck.check(), Canary: r.Canary.canary(), SleepAfter: r.SleepAfter,
		Deleting:  r.Deleting,
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
