package renga

import (
	"path"
	"time"
)

// ImportRule has an app release what is pushed to another registry, once that
// registry tells of it.
type ImportRule struct {
	ID  string // a UUID
	App AppID
	// Source says whose notices it takes: one of NoticeSources.
	Source string
	// Repository is what is watched: ghcr.io/acme/shop. Images come from there and from
	// nowhere else, whatever a notice says.
	Repository string
	// Tags is a pattern of tags: v*, or latest.
	Tags    string
	Process ProcessType
	By      AccountID // in whose name images are released
	Secret  Secret    // which the sender of notices shows or signs with; see HasSecret
	// ServiceAccount is the e-mail address of whom Google's tokens must be of, instead
	// of the secret. Empty for the secret.
	ServiceAccount string
	CreatedAt      time.Time
	Polling        Polling
}

// Polled is the source of rules that nobody tells of anything: they ask.
const Polled = "poll"

// Polling is how a rule asks by itself what its tag names, and what it was told.
type Polling struct {
	// Every is the time between two questions; 0 if it does not ask.
	Every  time.Duration
	Digest string // what the tag named last; empty before it was told
	ETag   string // with which the registry answered then
	// Changes counts how often the tag named something new.
	Changes int
	// Failures counts the questions without an answer since the last one with one, and
	// Reason is why there was none.
	Failures int
	Reason   string
	At, Next time.Time // of the last question, and of the next; zero before the first
}

// The bounds of Polling.Every, and what it is if nothing is said.
const (
	MinPollEvery     = time.Minute
	MaxPollEvery     = 24 * time.Hour
	DefaultPollEvery = 5 * time.Minute
)

// TagAnswer is what a registry says of a tag.
type TagAnswer struct {
	Digest string
	ETag   string // to ask with next time; empty if it gave none
	// Wait is how long it wants not to be asked; 0 if it does not say.
	Wait time.Duration
}

// ReceivedNotice is what a registry told a rule, and what became of it.
type ReceivedNotice struct {
	ID       string // a UUID
	Rule     string
	Delivery string // the sender's id, as far as it is known
	Decision NoticeDecision
	Reason   string   // why it was ignored or refused
	Imports  []string // their ids, if it matched
	At       time.Time
}

// NoticeDecision is what becomes of a notice.
type NoticeDecision string

// The decisions.
const (
	NoticeMatched NoticeDecision = "matched"
	NoticeIgnored NoticeDecision = "ignored" // it is of nothing that the rule is for
	NoticeRefused NoticeDecision = "refused" // it shows no proof, or cannot be read
)

// MaxNotices is how many notices of an app are remembered.
const MaxNotices = 100

// MaxImportRules is how many an app may have.
const MaxImportRules = 20

// HasSecret tells whether who sends notices shows or signs with a secret.
func (r ImportRule) HasSecret() bool { return r.Source != Polled && r.ServiceAccount == "" }

// Matches tells whether the rule is for a tag.
func (r ImportRule) Matches(tag string) bool {
	ok, err := path.Match(r.Tags, tag)
	return err == nil && ok
}

// ValidateTagPattern tells whether a pattern is one: up to 128 letters, digits, dots,
// dashes, underscores, * and ?.
func ValidateTagPattern(pattern string) error {
	if !tagPattern.MatchString(pattern) {
		return Errorf(Invalid, "%q is no pattern of tags; they are like latest, v* or release-?.", Clip(pattern, 100))
	}
	return nil
}

// NoticeTaken is what became of a notice.
type NoticeTaken struct {
	Imports []Import // one for each tag that matched
	Ignored string   // why there is none
}
