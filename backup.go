package renga

import "time"

// BackupID names a backup for ever: a UUID.
type BackupID string

// BackupState is how far a backup or a restore has come.
type BackupState string

// The states of backups.
const (
	BackupPending   BackupState = "pending" // to be done once there is a place for it
	BackupRunning   BackupState = "running"
	BackupCompleted BackupState = "completed" // whole, and the only state in which it can be restored
	BackupFailed    BackupState = "failed"    // Reason says why
	BackupCanceled  BackupState = "canceled"
)

// Backup is a copy of an add-on's data, or the restore of one, or data on their way from
// one add-on into another. All are numbered in one row of the app that the add-on was made
// for, as Heroku's are.
type Backup struct {
	ID     BackupID
	App    AppID
	Number int // from 1 on; never used again
	// AddOn is whose data were copied, or are replaced.
	AddOn     AddOnID
	AddOnName string // as it was then
	Service   string // heroku-postgresql
	Plan      string
	Version   string // of the service, as far as it is known
	// Of is the backup that is restored; empty unless it is a restore.
	Of BackupID
	// From is the add-on whose data replace this one's; empty unless they come straight
	// from there.
	From AddOnID
	// OfName is the name of the add-on that the data come from; empty for a backup.
	OfName string
	// Schedule is the name of the schedule that asked for it; empty if somebody did.
	Schedule string
	State    BackupState
	Reason   string // in a sentence; empty unless it failed
	// Cancel is set once somebody wants it to end.
	Cancel bool
	// Removing is set once it is to be removed with its file. Nobody gets it any more.
	Removing bool
	// SourceBytes are what the service's data took on its disk, 0 for not known; Bytes
	// the dump's, until now while it is made; StoredBytes what is kept of it.
	SourceBytes, Bytes, StoredBytes int64
	// Attempts counts how often it was begun.
	Attempts int
	By       AccountID
	// Download is what its one URL is good for; zero when it has none.
	Download BackupDownload
	Proof    BackupProof

	CreatedAt, StartedAt, FinishedAt time.Time
	// GoneAt is since when its add-on is gone.
	GoneAt time.Time
}

// BackupDownload is a URL with which a backup can be fetched once.
type BackupDownload struct {
	ID    string // of the URL
	Until time.Time
}

// BackupProof is what became of restoring a backup for a try.
type BackupProof struct {
	State  ProofState
	Reason string // why it failed
	// Scratch is the add-on that it is restored into, which is in no store.
	Scratch AddOnID
	At      time.Time
}

// ProofState is how far a proof has come.
type ProofState string

// The states of a proof; none before it began.
const (
	ProofRunning ProofState = "running"
	Proven       ProofState = "proven"
	ProofFailed  ProofState = "failed"
)

// IsRestore tells whether it is the restore of another one.
func (b Backup) IsRestore() bool { return b.Of != "" }

// IsCopy tells whether data come straight from another add-on.
func (b Backup) IsCopy() bool { return b.From != "" }

// HasFile tells whether it is kept in a file. Others only replace data.
func (b Backup) HasFile() bool { return !b.IsRestore() && !b.IsCopy() }

// Over tells whether nothing more is to come.
func (b Backup) Over() bool { return b.State != BackupPending && b.State != BackupRunning }

// Restorable tells whether it is a whole backup.
func (b Backup) Restorable() bool {
	return b.State == BackupCompleted && b.HasFile() && !b.Removing
}

// BackupSchedule has an add-on's data backed up once a day.
type BackupSchedule struct {
	ID    string // a UUID
	AddOn AddOnID
	// Name is the config var by which it was asked for, such as DATABASE_URL.
	Name string
	// Hour and Zone say when: 0 to 23, in a time zone of the time zone database.
	Hour int
	Zone string
	By   AccountID
	// Last is the time that a backup was asked for last, as the schedule says it; at
	// first when the schedule was made.
	Last      time.Time
	CreatedAt time.Time
}

// Due is the newest time of the schedule until now; false if a backup was asked for
// then already.
func (s BackupSchedule) Due(now time.Time) (time.Time, bool) {
	zone, err := time.LoadLocation(s.Zone)
	if err != nil {
		return time.Time{}, false // it was checked when the schedule was made
	}
	here := now.In(zone)
	due := time.Date(here.Year(), here.Month(), here.Day(), s.Hour, 0, 0, 0, zone)
	if due.After(now) {
		due = time.Date(here.Year(), here.Month(), here.Day()-1, s.Hour, 0, 0, 0, zone)
	}
	return due, due.After(s.Last)
}

// ValidateBackupTime tells whether there is such an hour and such a time zone.
func ValidateBackupTime(hour int, zone string) error {
	if hour < 0 || hour > 23 {
		return Errorf(Invalid, "A backup is made at an hour from 0 to 23.")
	}
	if _, err := time.LoadLocation(zone); err != nil || zone == "" || zone == "Local" {
		return Errorf(Invalid, "There is no time zone %q; use a name such as UTC or America/Los_Angeles.", Clip(zone, 40))
	}
	return nil
}
