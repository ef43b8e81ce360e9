package renga

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

// PipelineID names a pipeline for ever: a UUID.
type PipelineID string

// Pipeline is a row of apps through which the same images go, from stage to
// stage. An app is in one pipeline at the most.
type Pipeline struct {
	ID        PipelineID
	Name      string // unique among its owner's
	Owner     AccountID
	Couplings []Coupling
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Coupling puts an app at a stage of a pipeline.
type Coupling struct {
	ID        string // a UUID
	App       AppID
	Stage     Stage
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Stage is how far along a pipeline an app is.
type Stage string

// Stages are all there are.
var Stages = []Stage{"test", "review", "development", "staging", "production"}

// Coupling finds an app's place in the pipeline.
func (p Pipeline) Coupling(app AppID) (Coupling, bool) {
	i := slices.IndexFunc(p.Couplings, func(c Coupling) bool { return c.App == app })
	if i < 0 {
		return Coupling{}, false
	}
	return p.Couplings[i], true
}

var pipelineName = regexp.MustCompile(`^[a-z][a-z0-9-]{2,29}$`)

// ValidatePipelineName tells whether name may be a pipeline's. The rules are
// Heroku's.
func ValidatePipelineName(name string) error {
	if !pipelineName.MatchString(name) {
		return Errorf(Invalid, "Name %q must start with a letter, be 3 to 30 characters long and can only contain "+
			"lowercase letters, digits and dashes.", Clip(name, 40))
	}
	return nil
}

// Promotion takes the images of one app's live release to others of its
// pipeline.
type Promotion struct {
	ID        string // a UUID
	Pipeline  PipelineID
	Source    AppID
	Release   int // the source's, whose images are taken
	By        AccountID
	Targets   []PromotionTarget
	CreatedAt time.Time
	UpdatedAt time.Time
}

// MayPromote is nil if an account may promote the images of one app to another:
// it must have the permissions to view the one and to deploy to the other. The
// owner of the other gets the images, and must have the permission to view the
// one.
func MayPromote(from, to App, by AccountID) error {
	if err := to.Permit(by, MayDeploy); err != nil {
		return err
	}
	if err := from.Permit(by, MayView); err != nil {
		return err
	}
	if from.Permit(to.Owner, MayView) != nil {
		return Errorf(Forbidden, "Whoever owns the app %s may not see the app %s, whose images they would get; share it "+
			"with them first.", to.Name, from.Name)
	}
	return nil
}

// MayJoin is nil if an account may put an app into a pipeline with those apps.
// Apps of a pipeline get each other's images: the account must have the
// permission to operate the app, and own the pipeline or have the permission to
// deploy to all apps in it, and the app's owner must have the permission to
// view all of them.
func MayJoin(p Pipeline, others []App, a App, by AccountID) error {
	if err := a.Permit(by, MayOperate); err != nil {
		return err
	}
	for _, other := range others {
		if p.Owner != by && other.Permit(by, MayDeploy) != nil {
			return Errorf(Forbidden,
				"Only the owner of the pipeline %s, or who may deploy to all of its apps, may add apps to it.", p.Name)
		}
		if other.Permit(a.Owner, MayView) != nil {
			return Errorf(Forbidden, "Whoever owns the app %s may not see all apps of the pipeline %s, whose images they "+
				"could get; share those with them first.", a.Name, p.Name)
		}
	}
	if len(others) == 0 && p.Owner != by {
		return Errorf(Forbidden, "Only the owner of the pipeline %s may add its first app.", p.Name)
	}
	return nil
}

// MayGetPipeline is nil if a pipeline with those apps may be given to an
// account, which then decides what is in it.
func MayGetPipeline(p Pipeline, apps []App, who Account) error {
	for _, a := range apps {
		if a.Permit(who.ID, MayView) != nil {
			return Errorf(Forbidden, "%s may not see all apps of the pipeline %s; share them, or take them out of it, first.",
				who.Email, p.Name)
		}
	}
	return nil
}

// PromotionTarget is what became of a promotion for one app. What then became
// of the release is the release's own outcome.
type PromotionTarget struct {
	ID      string // a UUID
	App     AppID
	Release int    // the one that was made; 0 while there is none
	Failure string // why none was made; empty while that is open
}

// Open tells whether the target's release is still to be made.
func (t PromotionTarget) Open() bool { return t.Release == 0 && t.Failure == "" }

// Open tells whether releases are still to be made.
func (p Promotion) Open() bool { return slices.ContainsFunc(p.Targets, PromotionTarget.Open) }

// promotionID begins the ids of the changes that promotions make.
const promotionID = "promotion "

// ChangeID is the id under which the target's release is made, once.
func (t PromotionTarget) ChangeID() string { return promotionID + t.ID }

// FromPush tells whether the id of a change is that of an image push.
func FromPush(changeID string) bool {
	return changeID != "" && !strings.HasPrefix(changeID, promotionID)
}
