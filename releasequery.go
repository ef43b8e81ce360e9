package renga

// ReleaseQuery asks for a window of an app's releases, by version.
type ReleaseQuery struct {
	From, To   int // versions, inclusive; 0 leaves that end open
	Descending bool
	Max        int // how many at most; 0 for all
}

// RollbackPart is what of a release a rollback takes back.
type RollbackPart string

// The parts.
const (
	RollbackAll    RollbackPart = ""
	RollbackCode   RollbackPart = "code"   // images only
	RollbackConfig RollbackPart = "config" // config vars only
)
