package renga

import "time"

// ContentUse is what an app has in the registry, in bytes. Content that it has in several
// places counts once.
type ContentUse struct {
	Alone   int64 // that no other app has
	Shared  int64 // that other apps have as well
	Uploads int64 // of pushes that are under way or were cut short
}

// Sum is all of it, which is what counts against an app's quota.
func (u ContentUse) Sum() int64 { return u.Alone + u.Shared + u.Uploads }

// AppDiskUse is what an app takes up, in bytes.
type AppDiskUse struct {
	App     AppID
	Name    string
	Content ContentUse
	Logs    int64 // its log
	Outputs int64 // what its release commands printed
	AddOns  int64 // data of the add-ons that were made for it, as far as measured
	Backups int64 // backups of those
	Quota   int64 // for its content; 0 for none
}

// Sum is all of it.
func (u AppDiskUse) Sum() int64 { return u.Content.Sum() + u.Logs + u.Outputs + u.AddOns + u.Backups }

// DiskLevel tells how full a disk is.
type DiskLevel string

// The levels of a disk.
const (
	DiskOK   DiskLevel = "ok"
	DiskLow  DiskLevel = "low"  // whoever runs the platform is warned
	DiskFull DiskLevel = "full" // nothing is pushed any more
)

// DiskState is how full the data disk is, as webhooks are told; in bytes.
type DiskState struct {
	Level DiskLevel `json:"level"`
	Free  int64     `json:"free_bytes"`
	Total int64     `json:"total_bytes"`
}

// DiskUse is how much of the data disk is used, and by what.
type DiskUse struct {
	At          time.Time // when this was looked at
	Level       DiskLevel
	Since       time.Time // of the level
	Total, Free int64
	Low, Full   int64 // the levels begin when less than this is free
	Content     int64 // of the registry, that any app has; what several have counts once
	Redis       int64 // the records
	Audit       int64 // the audit log
	Backups     int64 // of all add-ons; they may be on another disk
	Logs        int64 // of all apps
	Outputs     int64 // of all release commands
	Apps        []AppDiskUse
}
