package addons

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"renga"
	"renga/addons/provider"
)

// A major upgrade makes the add-on a second time, in another place and of the newer
// version, copies the data there while nobody writes, compares them, and then has the
// record name that place. Until that one edit the old place serves, whatever happens; from
// then on the new one. What does not serve has no credentials that are let in, and nothing
// of it runs once the other one serves.

const (
	// keepOther is how long the data of the version before are kept.
	keepOther = 7 * 24 * time.Hour
	// upgradeLimit bounds one copying of the data.
	upgradeLimit = 24 * time.Hour
	// upgradesAtOnce is how many are copied at once, and upgradePause how long others wait
	// before they ask again.
	upgradesAtOnce = 2
	upgradePause   = 2 * time.Second
	// maxUpgradeAttempts is how often the copying is begun: each start of Renga begins what
	// the one before was killed over.
	maxUpgradeAttempts = 3
)

// Upgrade asks for an add-on's change to a newer version, the newest one if version is
// empty. as is renga.UpgradePrepared to choose the version only, renga.UpgradeTrying for a
// trial that changes nothing, and renga.UpgradeCopying to do it, to the version that was
// prepared if there is one. It is under way when this returns.
func (s *Service) Upgrade(ctx context.Context, id renga.AddOnID, as renga.UpgradeState, version string, by renga.AccountID) (
	renga.Upgrade, error) {
	var asked renga.Upgrade
	err := s.edit(ctx, id, func(a *renga.AddOn) error {
		if a.Upgrade.State == renga.UpgradePrepared {
			version = cmp.Or(version, a.Upgrade.Other.Version)
		}
		to, err := s.upgradeTo(*a, version)
		if err != nil {
			return err
		}
		a.Upgrade = renga.Upgrade{State: as, Other: renga.Place{Version: to}, By: by, AskedAt: s.Now().UTC()}
		if as != renga.UpgradePrepared {
			a.Upgrade.Other.Home = s.NewID()
		}
		asked = a.Upgrade
		return nil
	})
	if err == nil {
		s.Look(id)
	}
	return asked, err
}

// upgradeTo is the version that an add-on can be upgraded to, if it can.
func (s *Service) upgradeTo(a renga.AddOn, version string) (string, error) {
	e, err := s.planned(a)
	if err != nil {
		return "", err
	}
	if _, ok := e.by.(upgrader); !ok || e.Service.Upgrade.Sums.IsZero() {
		return "", renga.Errorf(renga.Invalid, "%s has no upgrades in place.", cmp.Or(e.Service.HumanName, e.Service.Name))
	}
	switch {
	case there(&a) != nil:
		return "", there(&a)
	case a.State != renga.Provisioned:
		return "", renga.Errorf(renga.Invalid, "%s is still being provisioned.", a.Name)
	case a.Upgrade.UnderWay():
		return "", underWay(a)
	case a.Upgrade.State == renga.UpgradeKept:
		return "", renga.Errorf(renga.Invalid, "The data that %s had in version %s are kept until %s. Remove them first, with "+
			"DELETE /addons/%s/upgrade, or go back to them.", a.Name, a.Upgrade.Other.Version,
			a.Upgrade.KeptUntil.Format(time.RFC3339), a.Name)
	}
	all := slices.SortedFunc(maps.Keys(e.Service.Versions), renga.CompareVersions)
	version = cmp.Or(version, all[len(all)-1])
	if _, err := e.Service.ImageOf(version); err != nil {
		return "", err
	}
	if now := a.Place(e.Service.Version).Version; renga.CompareVersions(version, now) <= 0 {
		return "", renga.Errorf(renga.Invalid, "%s has version %s, and can be upgraded to a newer one only.", a.Name, now)
	}
	return version, nil
}

func underWay(a renga.AddOn) error {
	return renga.Errorf(renga.Invalid, "%s is being upgraded; wait until that has ended.", a.Name)
}

// CancelUpgrade forgets an upgrade that is prepared.
func (s *Service) CancelUpgrade(ctx context.Context, id renga.AddOnID) error {
	return s.edit(ctx, id, func(a *renga.AddOn) error {
		if a.Upgrade.UnderWay() {
			return renga.Errorf(renga.Invalid, "The upgrade of %s is in progress, and cannot be canceled. If it fails, all is as before.",
				a.Name)
		}
		if a.Upgrade.State != renga.UpgradePrepared {
			return renga.Errorf(renga.Invalid, "No upgrade of %s is prepared.", a.Name)
		}
		a.Upgrade = renga.Upgrade{}
		return there(a)
	})
}

// UndoUpgrade has an add-on go back to the version that it had before its upgrade, with the
// data of then. What was written since is kept in turn, and doing this again leads there.
func (s *Service) UndoUpgrade(ctx context.Context, id renga.AddOnID, by renga.AccountID) error {
	return s.fromKept(ctx, id, renga.UpgradeReturning, by)
}

// DropUpgrade removes what is kept of the version before, ahead of time.
func (s *Service) DropUpgrade(ctx context.Context, id renga.AddOnID, by renga.AccountID) error {
	return s.fromKept(ctx, id, renga.UpgradeDropping, by)
}

// fromKept begins something with the place that is kept.
func (s *Service) fromKept(ctx context.Context, id renga.AddOnID, to renga.UpgradeState, by renga.AccountID) error {
	err := s.edit(ctx, id, func(a *renga.AddOn) error {
		if a.Upgrade.UnderWay() {
			return underWay(*a)
		}
		if a.Upgrade.State != renga.UpgradeKept {
			return renga.Errorf(renga.Invalid, "No data of %s are kept in another version.", a.Name)
		}
		a.Upgrade.State, a.Upgrade.By = to, by
		return there(a)
	})
	if err == nil {
		s.Look(id)
	}
	return err
}

// upgrade does the next step of an upgrade that is under way.
func (s *Service) upgrade(ctx context.Context, a renga.AddOn) (again time.Duration, err error) {
	e, err := s.entryOf(ctx, a)
	if err != nil {
		return 0, err
	}
	by, ok := e.by.(upgrader)
	if !ok {
		return 0, renga.Errorf(renga.Unavailable, "The catalogue's file of %s says another provider than that of %s: put it back.",
			a.Service, a.Name)
	}
	m := move{s: s, by: by, now: e.Instance, other: e.Instance}
	m.other.AddOn, m.other.Apps = a.At(a.Upgrade.Other), nil
	defer s.data.Lock(string(a.ID))()
	switch a.Upgrade.State {
	case renga.UpgradeTrying, renga.UpgradeCopying:
		return m.copying(ctx)
	case renga.UpgradeClearing:
		err = m.clear(ctx)
	case renga.UpgradeReturning:
		err = m.back(ctx)
	case renga.UpgradeSwitched:
		err = m.serve(ctx)
	case renga.UpgradeDropping:
		err = m.drop(ctx)
	}
	return time.Millisecond, err
}

// keptFor is how long the place that does not serve is still kept. Once that is over it is
// removed.
func (s *Service) keptFor(ctx context.Context, a renga.AddOn) (time.Duration, error) {
	if a.Upgrade.State != renga.UpgradeKept {
		return 0, nil
	}
	if left := a.Upgrade.KeptUntil.Sub(s.Now()); left > 0 {
		return left, nil
	}
	return time.Millisecond, s.advance(ctx, a, func(x *renga.AddOn) { x.Upgrade.State = renga.UpgradeDropping })
}

// advance changes an add-on unless its upgrade has come further, or it is being removed,
// meanwhile.
func (s *Service) advance(ctx context.Context, a renga.AddOn, change func(*renga.AddOn)) error {
	return s.edit(ctx, a.ID, func(x *renga.AddOn) error {
		if there(x) == nil && x.Upgrade.State == a.Upgrade.State && x.Home == a.Home {
			x.Step = ""
			change(x)
		}
		return nil
	})
}

// move is an upgrade's step: the place that serves now, and the other.
type move struct {
	s          *Service
	by         upgrader
	now, other provider.Instance
}

// upgrader is a provider that can have an add-on twice.
type upgrader interface {
	provider.Provider
	provider.Upgrader
}

// copying has the data copied, and then the other place serve. What goes wrong ends it, but
// for the end of Renga: the next start begins anew.
func (m move) copying(ctx context.Context) (again time.Duration, err error) {
	select {
	case m.s.upgrades <- struct{}{}:
		defer func() { <-m.s.upgrades }()
	default:
		return upgradePause, nil
	}
	a := m.now.AddOn
	if err := m.s.advance(ctx, a, func(x *renga.AddOn) { x.Upgrade.Attempts++ }); err != nil {
		return 0, err
	}
	limited, cancel := context.WithTimeout(ctx, upgradeLimit)
	defer cancel()
	found, err := m.copyOver(limited)
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	err = m.s.advance(ctx, a, func(x *renga.AddOn) {
		switch {
		case err != nil:
			x.Upgrade.State, x.Upgrade.Failed = renga.UpgradeClearing, true
			x.Upgrade.Reason = renga.MessageOf(err, "Something went wrong; Renga's log says what.")
			m.s.Log.Warn("an upgrade failed", "addon", a.Name, "to", a.Upgrade.Other.Version, "err", err)
		case x.Upgrade.State == renga.UpgradeTrying:
			x.Upgrade.State, x.Upgrade.Reason = renga.UpgradeClearing, found
		default:
			m.swap(x)
			x.Upgrade.Reason = found
		}
	})
	return time.Millisecond, err
}

// swap has the other place serve, and the one that did be kept.
func (m move) swap(x *renga.AddOn) {
	other := x.Upgrade.Other
	x.Upgrade.Other = m.now.AddOn.Place(m.now.Service.Version)
	x.Upgrade.State, x.Upgrade.KeptUntil = renga.UpgradeSwitched, m.s.Now().UTC().Add(keepOther)
	*x = x.At(other)
}

// back has the other place serve again. What is written until then is kept.
func (m move) back(ctx context.Context) error {
	// Somebody may go back because this place does not even start. Nobody writes there then,
	// and from the record on nothing starts it.
	if err := m.freeze(ctx, m.now); err != nil && !errors.Is(err, provider.ErrAway) {
		return err
	}
	return m.s.advance(ctx, m.now.AddOn, func(x *renga.AddOn) {
		m.swap(x)
		x.Upgrade.Reason = ""
	})
}

// serve puts the other place to rest, lets credentials that live, and only they, into the
// one that serves, and has apps know where it is.
func (m move) serve(ctx context.Context) error {
	a := m.now.AddOn
	if err := m.by.Rest(ctx, m.other); err != nil {
		return err
	}
	if err := m.letIn(ctx); err != nil {
		return err
	}
	for _, app := range a.Apps() {
		if err := m.s.layer(ctx, app, cmp.Or(a.Upgrade.By, a.ChangedBy)); err != nil {
			return err
		}
	}
	err := m.s.advance(ctx, a, func(x *renga.AddOn) {
		x.Upgrade.State, x.Upgrade.EndedAt = renga.UpgradeKept, m.s.Now().UTC()
	})
	if err == nil {
		m.s.say(a, fmt.Sprintf("%s has version %s now. Its data of version %s are kept until %s",
			a.Name, m.now.AddOn.Options["version"], a.Upgrade.Other.Version, a.Upgrade.KeptUntil.Format(time.RFC3339)))
	}
	return err
}

// letIn has the place that serves know the credentials that live. Of others that it may
// know from before none is let in.
func (m move) letIn(ctx context.Context) error {
	if err := m.by.Ensure(ctx, m.now, m.s.teller(ctx, m.now.AddOn.ID)); err != nil {
		return err
	}
	if err := m.freeze(ctx, m.now); err != nil {
		return err
	}
	return m.grant(ctx, m.now)
}

// clear removes what was made for an upgrade that failed or was tried. The place that
// serves lets apps in again.
func (m move) clear(ctx context.Context) error {
	if err := m.by.Remove(ctx, m.other); err != nil {
		return err
	}
	a, failed := m.now.AddOn, m.now.AddOn.Upgrade.Failed
	if failed {
		if err := m.by.Ensure(ctx, m.now, m.s.teller(ctx, a.ID)); err != nil {
			return err
		}
		if err := m.grant(ctx, m.now); err != nil {
			return err
		}
	}
	err := m.s.advance(ctx, a, func(x *renga.AddOn) {
		x.Upgrade.State, x.Upgrade.EndedAt, x.Upgrade.Other.Home = renga.UpgradeTried, m.s.Now().UTC(), ""
		if failed {
			x.Upgrade.State = renga.UpgradeFailed
		}
	})
	switch {
	case err != nil:
	case failed:
		m.s.say(a, fmt.Sprintf("%s could not be upgraded to %s, and is as it was before: %s",
			a.Name, a.Upgrade.Other.Version, a.Upgrade.Reason))
	default:
		m.s.say(a, fmt.Sprintf("The trial of an upgrade of %s to %s went well. %s", a.Name, a.Upgrade.Other.Version, a.Upgrade.Reason))
	}
	return err
}

// drop removes the place that was kept.
func (m move) drop(ctx context.Context) error {
	if err := m.by.Remove(ctx, m.other); err != nil {
		return err
	}
	a := m.now.AddOn
	err := m.s.advance(ctx, a, func(x *renga.AddOn) { x.Upgrade = renga.Upgrade{} })
	if err == nil {
		m.s.say(a, fmt.Sprintf("What was kept of %s in version %s is removed", a.Name, a.Upgrade.Other.Version))
	}
	return err
}

// freeze ends all connections of apps to a place, and lets none in.
func (m move) freeze(ctx context.Context, i provider.Instance) error {
	return m.by.Do(ctx, i, "end the connections to", i.Service.Upgrade.Freeze, nil, nil)
}

// grant lets the credentials that live into a place.
func (m move) grant(ctx context.Context, i provider.Instance) error {
	for _, c := range i.AddOn.Credentials {
		if c.State == renga.CredentialNew {
			continue
		}
		if err := m.by.Grant(ctx, i, c); err != nil {
			return err
		}
	}
	return nil
}

// errRemoved is why an upgrade ends whose add-on is being removed.
var errRemoved = errors.New("the add-on is being removed")
