package renga

import "time"

// Collection is what was removed from the registry, for nothing needed it any more,
// or what would be.
type Collection struct {
	DryRun    bool
	StartedAt time.Time
	Took      time.Duration
	Kept      int   // pieces of content that stay
	Removed   int   // pieces of content
	Bytes     int64 // their size
	// Apps have what goes of each, in the order of their names. The last may have no
	// name: its content belongs to no app any more.
	Apps []AppCollection
	// LongestHold is the longest time for which one piece was being removed, which
	// is the most that a request waited.
	LongestHold time.Duration
	// LongestWait is the longest time for which a request did wait for such a removal.
	LongestWait time.Duration
	Marked      int    // pieces of content that turned out to be needed
	Fault       string // why it ended early; empty if it did not
}

// AppCollection is what goes of one app. Content that several apps have counts for
// the first.
type AppCollection struct {
	App     string
	Images  int   // manifests
	Bytes   int64 // of content that nobody needs
	Expired []int // versions of releases that have lost their images now
}
