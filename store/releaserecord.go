package store

import (
	"fmt"
	"strconv"
	"time"

	"renga"
)

type imageRecord struct {
	Repository string   `json:"repo"`
	Digest     string   `json:"digest"`
	Pushed     string   `json:"pushed,omitempty"`
	Config     string   `json:"config,omitempty"`
	Command    []string `json:"command,omitempty"`
	Size       int64    `json:"size,omitempty"`
}

type releaseRecord struct {
	Version     int                               `json:"version"`
	Digest      string                            `json:"digest"`
	Images      map[renga.ProcessType]imageRecord `json:"images,omitempty"`
	Description string                            `json:"description,omitempty"`
	By          renga.AccountID                   `json:"by,omitempty"`
	CreatedAt   time.Time                         `json:"created_at,omitzero"`
	Push        string                            `json:"push,omitempty"` // so that its key can be found
	ErrorPage   string                            `json:"error_page,omitempty"`
	Maintenance string                            `json:"maintenance_page,omitempty"`
	Canary      *canaryRecord                     `json:"canary,omitempty"`
	Plans       []string                          `json:"plans,omitempty"`
	Mounts      []mountRecord                     `json:"mounts,omitempty"`
}

type mountRecord struct {
	Volume string              `json:"volume"`
	Path   string              `json:"path"`
	Types  []renga.ProcessType `json:"types"`
	Shared bool                `json:"shared,omitempty"`
}

func newMountRecords(all []renga.Mount) []mountRecord {
	var records []mountRecord
	for _, m := range all {
		records = append(records, mountRecord(m))
	}
	return records
}

func mountsOf(records []mountRecord) []renga.Mount {
	var all []renga.Mount
	for _, r := range records {
		all = append(all, renga.Mount(r))
	}
	return all
}

func newReleaseRecord(r renga.ReleaseRecord, push string) releaseRecord {
	images := make(map[renga.ProcessType]imageRecord, len(r.Images))
	for t, i := range r.Images {
		images[t] = imageRecord(i)
	}
	return releaseRecord{
		Version: r.Version, Digest: r.Digest, Images: images, Description: r.Description,
		By: r.By, CreatedAt: r.CreatedAt.UTC(), Push: push,
		ErrorPage: r.Pages.Error, Maintenance: r.Pages.Maintenance, Canary: newCanaryRecord(r.Canary),
		Plans: r.Plans, Mounts: newMountRecords(r.Mounts),
	}
}

func (r releaseRecord) release(app renga.AppID, o renga.Outcome) renga.ReleaseRecord {
	images := make(map[renga.ProcessType]renga.Image, len(r.Images))
	for t, i := range r.Images {
		images[t] = renga.Image(i)
	}
	return renga.ReleaseRecord{
		App: app, Version: r.Version, Digest: r.Digest, Images: images, Description: r.Description,
		By: r.By, CreatedAt: r.CreatedAt.UTC(), Outcome: o,
		Canary: r.Canary.canary(),
		Pages:  renga.Pages{Error: r.ErrorPage, Maintenance: r.Maintenance},
		Plans:  r.Plans, Mounts: mountsOf(r.Mounts),
	}
}

// head is which releases are newest and live.
type head struct{ current, live int }

// decodeHead reads HMGET current live; ok is false when there is none.
func decodeHead(app renga.AppID, fields []any) (h head, ok bool, err error) {
	current, ok := text(fields, 0)
	if !ok {
		return head{}, false, nil
	}
	live, _ := text(fields, 1)
	if h.current, err = strconv.Atoi(current); err == nil {
		h.live, err = strconv.Atoi(live)
	}
	if err != nil {
		return head{}, false, fmt.Errorf("read %s: %w", keyHead(app), err)
	}
	return h, true, nil
}

// decodeRelease puts a record and its outcome together.
func decodeRelease(app renga.AppID, h head, record, outcome string) (renga.ReleaseRecord, error) {
	r, err := decode[releaseRecord](keyReleases(app), record)
	if err != nil {
		return renga.ReleaseRecord{}, err
	}
	o, err := decode[outcomeRecord](keyOutcomes(app), outcome)
	if err != nil {
		return renga.ReleaseRecord{}, err
	}
	rel := r.release(app, o.outcome())
	rel.Current, rel.Live = r.Version == h.current, r.Version == h.live
	return rel, nil
}

// releaseEvents says that a release was made, and, when an image push made it,
// that a build ended well.
func releaseEvents(r renga.ReleaseRecord, pushID string) []event {
	made := event{
		kind: renga.ReleaseEvent, action: renga.Create, by: r.By,
		subject: releaseSubject(r, r.Outcome.Status == renga.Succeeded),
	}
	if !renga.FromPush(pushID) {
		return []event{made}
	}
	built := made
	built.kind = renga.BuildEvent
	return []event{built, made}
}
