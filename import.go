package renga

import "time"

// Import is an image of another registry on its way into ours, and from there into
// a release of an app.
type Import struct {
	ID      string // a UUID; it is the push's id too, so that one import makes one release at most
	App     AppID
	Process ProcessType
	Image   string // the reference that was asked for or told of
	// Digest is what the source's tag named when the copy began, or the digest that
	// was asked for. Empty before that is known.
	Digest string
	// By is in whose name it is pushed; what they may not do is refused.
	By AccountID
	// Rule is the id of the rule that asked for it; empty if somebody did.
	Rule string
	// Delivery names what told the rule of it: the sender's id, or one made of the content.
	Delivery string
	State    ImportState
	Reason   string // why it was refused, failed or waits
	// Copied and Total are bytes of blobs. What was here already counts as copied.
	Copied, Total int64
	Attempts      int
	NextAttempt   time.Time
	Version       int // of the release that it became
	CreatedAt     time.Time
	UpdatedAt     time.Time
}

// ImportState is how far an import has come.
type ImportState string

// The states of an import, in order. The last three are final.
const (
	ImportMatched  ImportState = "matched" // its app and process type are known
	ImportCopying  ImportState = "copying" // its digest is known too, and does not change any more
	ImportCopied   ImportState = "copied"  // everything is here but the tag and the release
	ImportReleased ImportState = "released"
	ImportRefused  ImportState = "refused"
	ImportFailed   ImportState = "failed"
)

// Over tells whether the state is final.
func (s ImportState) Over() bool {
	return s == ImportReleased || s == ImportRefused || s == ImportFailed
}

// MaxImports is how many imports of an app are remembered. Those under way do not count.
const MaxImports = 100

// MaxOpenImports is how many imports of an app may wait or be under way at once.
const MaxOpenImports = 20

// SourceLogin lets an app's imports into another registry.
type SourceLogin struct {
	Host      string
	Username  string
	Password  Secret
	UpdatedAt time.Time
}

// MaxSourceLogins is how many an app may have.
const MaxSourceLogins = 20

// ImageCopy asks the registry to copy an image into "<app>/<process type>" and to
// release it.
type ImageCopy struct {
	Push    string // the push's id
	App     AppID
	AppName string
	Process ProcessType
	From    ImageRef // its digest says what is copied
	Login   SourceLogin
	By      Account
	// Progress is told how far it is, now and then; an error ends the copy.
	Progress func(state ImportState, copied, total int64) error
}
