package store

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"renga"
)

// The stored forms. Field names are part of the schema and never change their
// meaning; fields that a newer Renga added are skipped when read.

type accountRecord struct {
	ID            renga.AccountID `json:"id"`
	Email         string          `json:"email"`
	Name          string          `json:"name,omitempty"`
	AllowTracking bool            `json:"allow_tracking,omitempty"`
	Beta          bool            `json:"beta,omitempty"`
	Preferences   string          `json:"preferences,omitempty"`
	CreatedAt     time.Time       `json:"created_at,omitzero"`
	UpdatedAt     time.Time       `json:"updated_at,omitzero"`
	LastLogin     time.Time       `json:"last_login,omitzero"`
	Password      string          `json:"password,omitempty"` // its hash
	Ensured       string          `json:"ensured,omitempty"`  // hash of the token that EnsureAccount gave it
}

type authorizationRecord struct {
	Description string       `json:"description"`
	Scopes      renga.Scopes `json:"scopes"`
	Default     bool         `json:"default,omitempty"`
	Token       string       `json:"token"` // its hash
	Redacted    string       `json:"redacted"`
	CreatedAt   time.Time    `json:"created_at,omitzero"`
	UpdatedAt   time.Time    `json:"updated_at,omitzero"`
	ExpiresAt   time.Time    `json:"expires_at,omitzero"`

	Lifetime time.Duration `json:"lifetime,omitempty"`
}

// tokenRecord says which authorization a token belongs to.
type tokenRecord struct {
	Account renga.AccountID `json:"account"`
	Grant   string          `json:"grant"`
}

type sshKeyRecord struct {
	Account     renga.AccountID `json:"account"`
	Comment     string          `json:"comment,omitempty"`
	Fingerprint string          `json:"fingerprint"`
	PublicKey   string          `json:"public_key"`
	CreatedAt   time.Time       `json:"created_at,omitzero"`
}

type transferRecord struct {
	App       renga.AppID         `json:"app"`
	Owner     renga.AccountID     `json:"owner"`
	Recipient renga.AccountID     `json:"recipient"`
	State     renga.TransferState `json:"state"`
	CreatedAt time.Time           `json:"created_at,omitzero"`
	UpdatedAt time.Time           `json:"updated_at,omitzero"`
}

// loginRecord is a client that waits for somebody to log in with a browser.
type loginRecord struct {
	Description string    `json:"description,omitempty"`
	From        string    `json:"from,omitempty"`
	Secret      string    `json:"secret"`          // hash of what the client must show
	Token       string    `json:"token,omitempty"` // sealed, once somebody has logged in
	CreatedAt   time.Time `json:"created_at,omitzero"`
}

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

type collaboratorRecord struct {
	ID          string             `json:"id"`
	Permissions []renga.Permission `json:"permissions"`
	CreatedAt   time.Time          `json:"created_at,omitzero"`
	UpdatedAt   time.Time          `json:"updated_at,omitzero"`
}

// listing is an app's entry in the index of all apps.
type listing struct {
	Name     string `json:"name"`
	Removing bool   `json:"removing,omitempty"` // its keys are being removed
}

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
}

type outcomeRecord struct {
	Status renga.ReleaseStatus `json:"status"`
	Reason string              `json:"reason,omitempty"`
	Log    []string            `json:"log,omitempty"`
	At     time.Time           `json:"at,omitzero"`
	Phase  renga.ReleasePhase  `json:"phase,omitempty"`

	CanaryUntil time.Time `json:"canary_until,omitzero"`
}

type scaleRecord struct {
	Quantity  int       `json:"quantity"`
	Size      string    `json:"size"`
	CreatedAt time.Time `json:"created_at,omitzero"`
	UpdatedAt time.Time `json:"updated_at,omitzero"`
}

type dynoRecord struct {
	ID      string            `json:"id"`
	Name    string            `json:"name"`
	Type    renga.ProcessType `json:"type"`
	Size    string            `json:"size,omitempty"`
	Release int               `json:"release"`
	Command []string          `json:"command,omitempty"`
	State   renga.DynoState   `json:"state"`
	Since   time.Time         `json:"since,omitzero"`
	Created time.Time         `json:"created_at,omitzero"`
	Reason  string            `json:"reason,omitempty"`
	Exit    *exitRecord       `json:"exit,omitempty"`
}

type exitRecord struct {
	Code        int      `json:"code"`
	OutOfMemory bool     `json:"out_of_memory,omitempty"`
	LastLines   []string `json:"last_lines,omitempty"`
}

// with is the record of what a is now; what is not a's stays.
func (r accountRecord) with(a renga.Account) accountRecord {
	return accountRecord{
		ID: a.ID, Email: a.Email, Name: a.Name, AllowTracking: a.AllowTracking, Beta: a.Beta, Preferences: a.Preferences,
		CreatedAt: a.CreatedAt.UTC(), UpdatedAt: a.UpdatedAt.UTC(), LastLogin: a.LastLogin.UTC(),
		Password: r.Password, Ensured: r.Ensured,
	}
}

func (r accountRecord) account() renga.Account {
	return renga.Account{
		ID: r.ID, Email: r.Email, Name: r.Name, AllowTracking: r.AllowTracking, Beta: r.Beta, Preferences: r.Preferences,
		CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(), LastLogin: r.LastLogin.UTC(),
	}
}

func newAuthorizationRecord(a renga.Authorization, hash string) authorizationRecord {
	return authorizationRecord{
		Description: a.Description, Scopes: a.Scopes, Default: a.Default, Token: hash, Redacted: a.Redacted,
		CreatedAt: a.CreatedAt.UTC(), UpdatedAt: a.UpdatedAt.UTC(), ExpiresAt: a.ExpiresAt.UTC(), Lifetime: a.Lifetime,
	}
}

func (r authorizationRecord) authorization(account renga.AccountID, id string) renga.Authorization {
	return renga.Authorization{
		ID: id, Account: account, Description: r.Description, Scopes: r.Scopes, Default: r.Default, Redacted: r.Redacted,
		CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(), ExpiresAt: r.ExpiresAt.UTC(), Lifetime: r.Lifetime,
	}
}

func newSSHKeyRecord(k renga.SSHKey) sshKeyRecord {
	return sshKeyRecord{Account: k.Account, Comment: k.Comment, Fingerprint: k.Fingerprint, PublicKey: k.PublicKey, CreatedAt: k.CreatedAt.UTC()}
}

func (r sshKeyRecord) sshKey(id string) renga.SSHKey {
	return renga.SSHKey{ID: id, Account: r.Account, Comment: r.Comment, Fingerprint: r.Fingerprint, PublicKey: r.PublicKey, CreatedAt: r.CreatedAt.UTC()}
}

func newTransferRecord(t renga.Transfer) transferRecord {
	return transferRecord{
		App: t.App, Owner: t.Owner, Recipient: t.Recipient, State: t.State,
		CreatedAt: t.CreatedAt.UTC(), UpdatedAt: t.UpdatedAt.UTC(),
	}
}

func (r transferRecord) transfer(id string) renga.Transfer {
	return renga.Transfer{
		ID: id, App: r.App, Owner: r.Owner, Recipient: r.Recipient, State: r.State,
		CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
	}
}

func newAppRecord(a renga.App) appRecord {
	return appRecord{
		ID: a.ID, Name: a.Name, Owner: a.Owner, Maintenance: a.Maintenance, ACM: a.ACM, Features: a.Features, Buildpacks: a.Buildpacks, HealthCheck: newHealthRecord(a.HealthCheck), Canary: newCanaryRecord(a.Canary), SleepAfter: a.SleepAfter, Deleting: a.Deleting,
		CreatedAt: a.CreatedAt.UTC(), UpdatedAt: a.UpdatedAt.UTC(),
		Collaborators: newCollaboratorRecords(a.Collaborators),
	}
}

func (r appRecord) app() renga.App {
	return renga.App{
		ID: r.ID, Name: r.Name, Owner: r.Owner, Maintenance: r.Maintenance, ACM: r.ACM, Features: r.Features, Buildpacks: r.Buildpacks, HealthCheck: r.HealthCheck.check(), Canary: r.Canary.canary(), SleepAfter: r.SleepAfter, Deleting: r.Deleting,
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

func newCollaboratorRecords(all map[renga.AccountID]renga.Collaborator) map[renga.AccountID]collaboratorRecord {
	records := make(map[renga.AccountID]collaboratorRecord, len(all))
	for who, c := range all {
		records[who] = newCollaboratorRecord(c)
	}
	return records
}

func newCollaboratorRecord(c renga.Collaborator) collaboratorRecord {
	return collaboratorRecord{ID: c.ID, Permissions: c.Permissions, CreatedAt: c.CreatedAt.UTC(), UpdatedAt: c.UpdatedAt.UTC()}
}

func (r collaboratorRecord) collaborator(who renga.AccountID) renga.Collaborator {
	return renga.Collaborator{ID: r.ID, Account: who, Permissions: r.Permissions, CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC()}
}

func (r appRecord) collaborators() map[renga.AccountID]renga.Collaborator {
	if len(r.Collaborators) == 0 {
		return nil
	}
	all := make(map[renga.AccountID]renga.Collaborator, len(r.Collaborators))
	for who, c := range r.Collaborators {
		all[who] = c.collaborator(who)
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
	}
}

func newOutcomeRecord(o renga.Outcome) outcomeRecord {
	return outcomeRecord{Status: o.Status, Reason: o.Reason, Log: o.Log, At: o.At.UTC(), Phase: o.Phase, CanaryUntil: o.CanaryUntil.UTC()}
}

func (r outcomeRecord) outcome() renga.Outcome {
	return renga.Outcome{Status: r.Status, Reason: r.Reason, Log: r.Log, At: r.At.UTC(), Phase: r.Phase, CanaryUntil: r.CanaryUntil.UTC()}
}

func newScaleRecord(s renga.Scale) scaleRecord {
	return scaleRecord{Quantity: s.Quantity, Size: s.Size, CreatedAt: s.CreatedAt.UTC(), UpdatedAt: s.UpdatedAt.UTC()}
}

func (r scaleRecord) scale() renga.Scale {
	return renga.Scale{Quantity: r.Quantity, Size: r.Size, CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC()}
}

func newDynoRecord(d renga.Dyno) dynoRecord {
	return dynoRecord{
		ID: d.ID, Name: d.Name, Type: d.Type, Size: d.Size, Release: d.Release, Command: d.Command,
		State: d.State, Since: d.Since.UTC(), Created: d.Created.UTC(), Reason: d.Reason,
		Exit: (*exitRecord)(d.Exit),
	}
}

func (r dynoRecord) dyno(app renga.AppID) renga.Dyno {
	return renga.Dyno{
		ID: r.ID, App: app, Name: r.Name, Type: r.Type, Size: r.Size, Release: r.Release, Command: r.Command,
		State: r.State, Since: r.Since.UTC(), Created: r.Created.UTC(), Reason: r.Reason,
		Exit: (*renga.Exit)(r.Exit),
	}
}

// encode is for our own records, which always can be encoded.
func encode(record any) string {
	b, err := json.Marshal(record)
	if err != nil {
		panic(fmt.Sprintf("store: encode %T: %v", record, err)) // a time beyond year 9999: a bug of ours
	}
	return string(b)
}

// decode reads what encode wrote; key names it when it is damaged.
func decode[T any](key, text string) (T, error) {
	var record T
	if err := json.Unmarshal([]byte(text), &record); err != nil {
		return record, fmt.Errorf("read %s: %w", key, err)
	}
	return record, nil
}

func decodeFormation(key string, fields map[string]string) (renga.Formation, error) {
	f := make(renga.Formation, len(fields))
	for t, text := range fields {
		r, err := decode[scaleRecord](key+" "+t, text)
		if err != nil {
			return nil, err
		}
		f[renga.ProcessType(t)] = r.scale()
	}
	return f, nil
}

func decodeDynos(app renga.AppID, text string) ([]renga.Dyno, error) {
	records, err := decode[[]dynoRecord](keyDynos(app), text)
	if err != nil {
		return nil, err
	}
	dynos := make([]renga.Dyno, 0, len(records))
	for _, r := range records {
		dynos = append(dynos, r.dyno(app))
	}
	return dynos, nil
}

func decodeTimes(key string, fields map[string]string) (map[string]time.Time, error) {
	times := make(map[string]time.Time, len(fields))
	for name, text := range fields {
		at, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", key, err)
		}
		times[name] = at.UTC()
	}
	return times, nil
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

// text is field i of an HMGET; false when it is missing.
func text(fields []any, i int) (string, bool) {
	if i >= len(fields) {
		return "", false
	}
	s, ok := fields[i].(string)
	return s, ok
}
