package addons

import (
	"context"
	"errors"
	"slices"
	"time"

	"renga"
	"renga/addons/provider"
)

const (
	// provisionLimit is how long it is tried to make an add-on.
	provisionLimit = time.Hour
	// keepFailed is how long is told why an add-on could not be made.
	keepFailed = 15 * time.Minute
	// pendingPause is after what time is asked again for what a partner provides
	// later; when it says that it does, that is at once.
	pendingPause = 10 * time.Second
)

// look does the next steps for an add-on. again is after what time it is to be
// looked at again, 0 for never.
func (s *Service) look(whole context.Context, id renga.AddOnID) (again time.Duration, err error) {
	ctx, cancel := context.WithTimeout(whole, lookLimit)
	defer cancel()
	a, err := s.Store.AddOn(ctx, id)
	if renga.KindOf(err) == renga.NotFound {
		return 0, s.lookAtSharers(ctx, id)
	}
	if err != nil {
		return 0, err
	}
	if err := s.noted.keep(ctx, id); err != nil { // before anything of it is made
		return 0, err
	}
	if a.State != renga.Deprovisioned {
		if a, err = s.leaveGoneApps(ctx, a); err != nil {
			return 0, err
		}
	}
	switch a.State {
	case renga.Deprovisioning:
		return 0, s.remove(ctx, a)
	case renga.Deprovisioned:
		return s.forget(ctx, a)
	}
	if a.Upgrade.UnderWay() {
		ctx = whole // it has limits of its own
		again, err = s.upgrade(ctx, a)
	} else {
		again, err = s.maintain(ctx, a)
	}
	if err != nil && ctx.Err() == nil {
		err = s.noteFault(ctx, a, err)
	}
	return again, err
}

// lookAtSharers has the add-ons looked at that are together in a service which is
// no add-on itself.
func (s *Service) lookAtSharers(ctx context.Context, service renga.AddOnID) error {
	for _, p := range s.Providers {
		sharer, ok := p.(provider.Sharer)
		if !ok {
			continue
		}
		ids, err := sharer.Shares(ctx, service)
		if err != nil {
			return err
		}
		for _, id := range ids {
			s.queue.add(id, 0)
		}
	}
	return nil
}

// leaveGoneApps takes an add-on from apps that are gone or being deleted. With
// the app that it was made for it goes itself.
func (s *Service) leaveGoneApps(ctx context.Context, a renga.AddOn) (renga.AddOn, error) {
	gone := map[renga.AppID]bool{}
	for _, id := range append(a.Apps(), a.App) {
		app, err := s.Apps.App(ctx, id)
		if err != nil && renga.KindOf(err) != renga.NotFound {
			return a, err
		}
		gone[id] = err != nil || app.Deleting
	}
	leaves := func(at renga.Attachment) bool { return gone[at.App] }
	if !gone[a.App] && !slices.ContainsFunc(a.Attachments, leaves) {
		return a, nil
	}
	err := s.edit(ctx, a.ID, func(x *renga.AddOn) error {
		x.Attachments = slices.DeleteFunc(x.Attachments, leaves)
		if gone[x.App] {
			beginRemoval(x, "")
		}
		a = x.Clone()
		return nil
	})
	return a, err
}

// maintain brings an add-on that is wanted to what is wanted.
func (s *Service) maintain(ctx context.Context, a renga.AddOn) (again time.Duration, err error) {
	e, err := s.entryOf(ctx, a)
	if err != nil {
		return 0, err
	}
	if err := e.by.Ensure(ctx, e.Instance, s.teller(ctx, a.ID)); err != nil {
		if errors.Is(err, provider.ErrPending) {
			return pendingPause, nil
		}
		return 0, err
	}
	if a, err = s.grant(ctx, e); err != nil {
		return 0, err
	}
	if a, err = s.takeNames(ctx, a); err != nil {
		return 0, err
	}
	for _, app := range a.Apps() {
		if err := s.layer(ctx, app, a.ChangedBy); err != nil {
			return 0, err
		}
	}
	if a, err = s.settled(ctx, a); err != nil {
		return 0, err
	}
	e.AddOn = a
	if again, err = s.endReplaced(ctx, e); err != nil {
		return 0, err
	}
	kept, err := s.keptFor(ctx, a)
	return sooner(again, kept), err
}

// sooner is the shorter of two times, of which 0 is never.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// grant makes new credentials known to the service. From then on apps get them,
// and those that they replace are to end.
func (s *Service) grant(ctx context.Context, e entry) (renga.AddOn, error) {
	granted := map[int]bool{}
	for _, c := range e.AddOn.Credentials {
		if c.State != renga.CredentialNew {
			continue
		}
		if err := e.by.Grant(ctx, e.Instance, c); err != nil {
			return e.AddOn, err
		}
		granted[c.Version] = true
	}
	if len(granted) == 0 {
		return e.AddOn, nil
	}
	after := e.AddOn
	err := s.edit(ctx, e.AddOn.ID, func(a *renga.AddOn) error {
		for i, c := range a.Credentials {
			if granted[c.Version] && c.State == renga.CredentialNew {
				a.Credentials[i].State = renga.CredentialActive
				replace(a.Credentials, c)
			}
		}
		after = a.Clone()
		return nil
	})
	return after, err
}

// replace has the credentials end that an active one takes the place of.
func replace(all []renga.Credential, by renga.Credential) {
	for i, c := range all {
		if c.Name == by.Name && c.Version < by.Version && c.State == renga.CredentialActive {
			all[i].State = renga.CredentialRevoking
		}
	}
}

// settled records that the add-on is as it is wanted.
func (s *Service) settled(ctx context.Context, a renga.AddOn) (renga.AddOn, error) {
	if a.State == renga.Provisioned && a.Fault == "" && a.Step == "" {
		return a, nil
	}
	first, failed := a.State != renga.Provisioned, a.Fault != ""
	err := s.edit(ctx, a.ID, func(x *renga.AddOn) error {
		if err := there(x); err != nil {
			return err
		}
		x.State, x.Fault, x.Step = renga.Provisioned, "", ""
		a = x.Clone()
		return nil
	})
	if err == nil && first {
		s.say(a, a.Name+" is provisioned")
	} else if err == nil && failed {
		s.say(a, a.Name+" answers again")
	}
	return a, err
}

// noteFault records why an add-on is not as it should be, and gives up one that
// can never be made. It returns the error if the add-on is to be looked at again.
func (s *Service) noteFault(ctx context.Context, a renga.AddOn, why error) error {
	fault := renga.MessageOf(why, "Something went wrong; Renga's log says what.")
	giveUp := a.State == renga.Provisioning &&
		(renga.KindOf(why) == renga.Invalid || s.Now().Sub(a.CreatedAt) > provisionLimit)
	if fault == a.Fault && !giveUp {
		return why
	}
	err := s.edit(ctx, a.ID, func(x *renga.AddOn) error {
		if there(x) != nil { // which is not its fault, and would be remembered as that
			return nil
		}
		x.Fault, x.Step = fault, ""
		if giveUp && x.State == renga.Provisioning {
			beginRemoval(x, fault)
		}
		return nil
	})
	if giveUp {
		s.say(a, "Could not provision "+a.Name+": "+fault)
	} else {
		s.say(a, a.Name+": "+fault)
	}
	if err != nil {
		return err
	}
	if giveUp {
		s.queue.add(a.ID, 0)
		s.Log.Warn("an add-on could not be made", "addon", a.Name, "err", why)
		return nil
	}
	return why
}

// stepPause is the least time between two records of a step.
const stepPause = time.Second

// teller records the steps of a look, for those who wait.
func (s *Service) teller(ctx context.Context, id renga.AddOnID) func(string) {
	var last time.Time
	return func(step string) {
		if now := s.Now(); now.Sub(last) >= stepPause {
			last = now
			err := s.edit(ctx, id, func(a *renga.AddOn) error {
				a.Step = step
				return nil
			})
			if err != nil {
				s.Log.Debug("the step of an add-on is not recorded", "addon", id, "err", err)
			}
		}
	}
}

// say writes into the log of the app that an add-on was made for.
func (s *Service) say(a renga.AddOn, text string) {
	s.Logs.Line(a.App, renga.SourceHeroku, a.Service, text)
}
