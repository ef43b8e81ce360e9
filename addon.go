package renga

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// AddOnID names an add-on for ever: a UUID. Names may change, ids do not.
type AddOnID string

// AddOnState is the state of an add-on, in Heroku's words.
type AddOnState string

// The states of an add-on.
const (
	Provisioning   AddOnState = "provisioning"   // it is being made, or could not be made yet
	Provisioned    AddOnState = "provisioned"    // it answered once, and apps have its credentials
	Deprovisioning AddOnState = "deprovisioning" // it is being removed with its data
	Deprovisioned  AddOnState = "deprovisioned"  // it is gone, or could never be made; Fault says why
)

// AddOn is one service that was made for an app, such as a database.
type AddOn struct {
	ID AddOnID
	// Name is unique on the platform, for instance postgresql-curved-12345.
	Name string
	// Host is where the apps that have it attached reach it: the name that it had
	// first, below [AddOnDomain].
	Host string
	// App is the app that it was made for. It is removed with that app.
	App AppID
	// Service and Plan name its entry in the catalogue: heroku-postgresql and
	// essential-0.
	Service, Plan string
	// Options are what its maker asked for beside the plan, such as a version.
	Options map[string]string
	State   AddOnState
	// Step is what is being done now, for instance "pulling image 40 %".
	Step string
	// Fault says why it is not as it should be, in a sentence; empty if it is.
	Fault string
	// Warnings are which of its plan's limits it is near.
	Warnings Warnings
	// Admin is the password with which only the platform comes in.
	Admin Secret
	// Partner is what the provider of a partner's add-on said of it.
	Partner Partner
	// Home names the place that serves, of several that an upgrade makes; empty for the
	// first one.
	Home    string
	Upgrade Upgrade
	// Generation counts its credentials: the version of the newest one.
	Generation  int
	Credentials []Credential
	Attachments []Attachment
	// By is who made it, and ChangedBy who asked for what was changed last: the releases
	// that follow are theirs.
	By, ChangedBy        AccountID
	CreatedAt, UpdatedAt time.Time
}

// AddOnRequest asks for a new add-on.
type AddOnRequest struct {
	Plan       string            // service or service:plan
	Name       string            // empty lets the platform choose
	Attachment string            // the name of its attachment; empty lets the platform choose
	Confirm    string            // the app's name, to take an attachment's name from another add-on
	Options    map[string]string // such as a version
}

// AttachmentRequest asks for an add-on's attachment to an app.
type AttachmentRequest struct {
	App        AppID
	Name       string // empty lets the platform choose
	Credential string // empty means DefaultCredential
	Confirm    string // as in an AddOnRequest
}

// AddOnDomain is what hosts of add-ons end with.
const AddOnDomain = ".internal"

// Partner is what another company's service says of an add-on that it provides.
type Partner struct {
	ID      string // by which it knows the add-on
	Message string // for whoever made the add-on
	// Config are the config vars that it set, by their whole names.
	Config map[string]Secret
	State  PartnerState
	// Plan is the one that it provides; empty until it said so.
	Plan string
	// CodeUntil is until when it may exchange the code of its grant, once, for
	// tokens; zero when it has none or did.
	CodeUntil time.Time
}

// PartnerState is how far a partner has come with an add-on.
type PartnerState string

// The states of a partner's add-on; it is empty until the partner is asked.
const (
	PartnerAsked    PartnerState = "asked"    // a request may have reached it
	PartnerPending  PartnerState = "pending"  // it said that it provides it later
	PartnerProvides PartnerState = "provides" // it said that it is there
)

// DefaultCredential is the name of the credential that every add-on has.
const DefaultCredential = "default"

// CredentialState is how far a credential's life has come.
type CredentialState string

// The states of a credential.
const (
	CredentialNew      CredentialState = "new"      // to be made known to the service, and to apps then
	CredentialActive   CredentialState = "active"   // apps get it
	CredentialRevoking CredentialState = "revoking" // replaced; it ends with the last dyno that has it
)

// Credential is one pair of a user and a password of an add-on.
type Credential struct {
	Name      string // "default", or what its maker called it
	Version   int    // 1, and one more with each rotation of any of the add-on's credentials
	User      string
	Password  Secret
	State     CredentialState
	CreatedAt time.Time
}

// Attachment gives an add-on's credentials to an app, as config vars whose names
// begin with the attachment's.
type Attachment struct {
	ID         string // a UUID
	App        AppID
	Name       string // DATABASE; unique in the app
	Credential string // the name of the credential that it gives
	// Takes is the name that it gets once the add-on answers: another add-on of the
	// app has it until then. Empty for none.
	Takes string
	// Leaving is set while the attachment is being removed: until no release that
	// serves has its config vars. Its name is free from then on.
	Leaving              bool
	CreatedAt, UpdatedAt time.Time
}

// PlanName is the whole name of a plan, as Heroku writes it:
// heroku-postgresql:essential-0.
func PlanName(service, plan string) string { return service + ":" + plan }

// PlanName is the whole name of the add-on's plan.
func (a AddOn) PlanName() string { return PlanName(a.Service, a.Plan) }

// AttachedTo tells whether an app has it attached.
func (a AddOn) AttachedTo(app AppID) bool {
	return slices.ContainsFunc(a.Attachments, func(at Attachment) bool { return at.App == app && !at.Leaving })
}

// Attachment finds one of the add-on's attachments by its id; nil if there is none.
func (a *AddOn) Attachment(id string) *Attachment {
	for i := range a.Attachments {
		if a.Attachments[i].ID == id {
			return &a.Attachments[i]
		}
	}
	return nil
}

// Apps are the apps that have it attached, each once, in the order in which they
// attached it.
func (a AddOn) Apps() []AppID {
	var all []AppID
	for _, at := range a.Attachments {
		if !slices.Contains(all, at.App) {
			all = append(all, at.App)
		}
	}
	return all
}

// Credentials are what an add-on gives to an app's dynos: a layer of a release.
type Credentials struct {
	Plan    string // heroku-postgresql:essential-0
	Version int    // of the newest credential in Vars
	Vars    Vars
	Mounts  []Mount // its disks; most add-ons have none
}

// Clone is a copy that shares no map and no slice with a.
func (a AddOn) Clone() AddOn {
	a.Options, a.Partner.Config = maps.Clone(a.Options), maps.Clone(a.Partner.Config)
	a.Credentials, a.Attachments = slices.Clone(a.Credentials), slices.Clone(a.Attachments)
	a.Warnings = maps.Clone(a.Warnings)
	return a
}

// Credential is the newest credential of a name that apps may have; nil if there
// is none yet.
func (a AddOn) Credential(name string) *Credential {
	var newest *Credential
	for i, c := range a.Credentials {
		if c.Name == name && c.State == CredentialActive && (newest == nil || c.Version > newest.Version) {
			newest = &a.Credentials[i]
		}
	}
	return newest
}

// Clone is a copy that shares no map and no slice with c.
func (c Credentials) Clone() Credentials {
	c.Vars, c.Mounts = c.Vars.Clone(), cloneMounts(c.Mounts)
	return c
}

// Equal tells whether two layers are the same.
func (c Credentials) Equal(o Credentials) bool {
	return c.Plan == o.Plan && c.Version == o.Version && maps.Equal(c.Vars, o.Vars) &&
		slices.EqualFunc(c.Mounts, o.Mounts, Mount.Equal)
}

var (
	addOnName      = regexp.MustCompile(`^[a-z](?:[a-z0-9]|-[a-z0-9])*$`)
	attachmentName = regexp.MustCompile(`^[A-Z][A-Z0-9_]*$`)
)

// SharedServerPrefix is what the names of servers begin with that add-ons share. No
// add-on may be called so, for it would answer in the server's place.
const SharedServerPrefix = "postgresql-shared-"

// ValidateAddOnName tells whether name may be an add-on's: 3 to 60 lower case
// letters, digits and single dashes, a letter first.
func ValidateAddOnName(name string) error {
	if strings.HasPrefix(name, SharedServerPrefix) {
		return Errorf(Invalid, "Name %q is reserved for the platform.", Clip(name, 70))
	}
	if len(name) < 3 || len(name) > 60 || !addOnName.MatchString(name) {
		return Errorf(Invalid, "Name %q must be 3 to 60 lowercase letters, digits and single dashes, a letter first.",
			Clip(name, 70))
	}
	return nil
}

// ValidateAttachmentName tells whether name may be an attachment's: up to 100
// upper case letters, digits and underscores, a letter first. HEROKU_ is left to
// the names that the platform chooses.
func ValidateAttachmentName(name string) error {
	if len(name) > 100 || !attachmentName.MatchString(name) {
		return Errorf(Invalid, "Name %q must be up to 100 uppercase letters, digits and underscores, a letter first.",
			Clip(name, 110))
	}
	return nil
}

// PartnerTokens are what the partner of an add-on calls the API with.
type PartnerTokens struct {
	AddOn           AddOnID
	Access, Refresh Secret
	ExpiresIn       time.Duration // of Access
}

// SignOn is a form with which a browser opens an add-on at its partner.
type SignOn struct {
	Action string
	Fields map[string]string
}
