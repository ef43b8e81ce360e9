package addons

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"renga"
	"renga/api/wire"
)

// Upgrader changes add-ons to newer versions of their services, with their data.
type Upgrader interface {
	// Upgrade prepares, tries or begins one, to the newest version if that is empty.
	Upgrade(ctx context.Context, id renga.AddOnID, as renga.UpgradeState, version string, by renga.AccountID) (renga.Upgrade, error)
	// CancelUpgrade forgets one that is prepared.
	CancelUpgrade(ctx context.Context, id renga.AddOnID) error
	// UndoUpgrade goes back to the version before, with the data of then.
	UndoUpgrade(ctx context.Context, id renga.AddOnID, by renga.AccountID) error
	// DropUpgrade removes what is kept for that.
	DropUpgrade(ctx context.Context, id renga.AddOnID, by renga.AccountID) error
}

func (s *Server) upgradeRoutes() []wire.Route {
	changing := wire.OnToken(renga.ScopeWriteProtected)
	return []wire.Route{
		// What Heroku's CLI asks for in pg:upgrade:*.
		wire.Get("/client/v11/databases/{addon}/upgrade/wait_status", wire.Reading, s.upgradeWaitStatus),
		wire.Post("/client/v11/databases/{addon}/upgrade/prepare", changing, s.upgradeDatabase(renga.UpgradePrepared)),
		wire.Post("/client/v11/databases/{addon}/upgrade/dry_run", changing, s.upgradeDatabase(renga.UpgradeTrying)),
		wire.Post("/client/v11/databases/{addon}/upgrade/run", changing, s.upgradeDatabase(renga.UpgradeCopying)),
		wire.Post("/client/v11/databases/{addon}/upgrade/cancel", changing, s.cancelDatabaseUpgrade),
		// The same for every service that can be upgraded, and the way back.
		wire.Get("/addons/{addon}/upgrade", wire.Reading, s.upgradeInfo),
		wire.Post("/addons/{addon}/upgrade", changing, s.upgrade),
		wire.Post("/addons/{addon}/upgrade/actions/undo", changing, s.undoUpgrade),
		wire.Delete("/addons/{addon}/upgrade", changing, s.dropUpgrade),
	}
}

// said is an answer that the CLI prints.
type said struct {
	Message string `json:"message"`
}

// upgradeDatabase begins an upgrade of a PostgreSQL.
func (s *Server) upgradeDatabase(as renga.UpgradeState) wire.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		a, v, err := s.databaseNamed(r, postgres)
		if err != nil {
			return err
		}
		var body struct {
			Version string `json:"version"`
		}
		if err := wire.Decode(r, &body); err != nil {
			return err
		}
		u, err := s.begin(r, a, v, as, body.Version)
		if err != nil {
			return err
		}
		a.Upgrade = u
		return wire.Answer(w, http.StatusOK, said{upgradeMessage(a)})
	}
}

// begin begins an upgrade, for those who may.
func (s *Server) begin(r *http.Request, a renga.AddOn, v view, as renga.UpgradeState, version string) (renga.Upgrade, error) {
	if err := v.permit(r, a, renga.MayOperate); err != nil {
		return renga.Upgrade{}, err
	}
	u, err := s.parts.Upgrader.Upgrade(r.Context(), a.ID, as, version, wire.Caller(r).ID)
	if err != nil {
		return u, s.orMissing(err)
	}
	s.Audit(r, "upgrade "+string(as), v.apps[a.App].Name, "add-on", a.Name, "version", u.Other.Version)
	return u, nil
}

func (s *Server) cancelDatabaseUpgrade(w http.ResponseWriter, r *http.Request) error {
	a, v, err := s.databaseNamed(r, postgres)
	if err == nil {
		err = s.cancelUpgrade(r, a, v)
	}
	if err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, said{"The upgrade of " + a.Name + " is canceled."})
}

func (s *Server) cancelUpgrade(r *http.Request, a renga.AddOn, v view) error {
	if err := v.permit(r, a, renga.MayOperate); err != nil {
		return err
	}
	if err := s.parts.Upgrader.CancelUpgrade(r.Context(), a.ID); err != nil {
		return s.orMissing(err)
	}
	s.Audit(r, "upgrade canceled", v.apps[a.App].Name, "add-on", a.Name)
	return nil
}

// upgradeWaitStatus answers well even where there is no upgrade: the CLI takes whatever
// fails for one that has not begun, and would wait on for ever.
func (s *Server) upgradeWaitStatus(w http.ResponseWriter, r *http.Request) error {
	a, _, err := s.databaseNamed(r, postgres)
	if err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, waitStatus{a.Upgrade.UnderWay(), a.Upgrade.State == renga.UpgradeFailed, upgradeMessage(a)})
}

// upgradeMessage says how far an upgrade is, in a sentence.
func upgradeMessage(a renga.AddOn) string {
	u := a.Upgrade
	switch u.State {
	case "":
		return "No upgrade of " + a.Name + " was asked for."
	case renga.UpgradePrepared:
		return "The upgrade of " + a.Name + " to version " + u.Other.Version + " is prepared. Run `heroku pg:upgrade:run` when it suits you: " +
			"there is no maintenance window. Nobody is let in while the data are copied."
	case renga.UpgradeTried:
		return "A trial of the upgrade to version " + u.Other.Version + " went well. " + u.Reason
	case renga.UpgradeFailed:
		return "The upgrade to version " + u.Other.Version + " failed, and all is as it was before: " + u.Reason
	case renga.UpgradeKept:
		return fmt.Sprintf("It has version %s. The data of version %s are kept until %s. %s",
			a.Options["version"], u.Other.Version, u.KeptUntil.UTC().Format(time.RFC3339), u.Reason)
	}
	what := map[renga.UpgradeState]string{
		renga.UpgradeTrying:    "Trying the upgrade to version " + u.Other.Version,
		renga.UpgradeCopying:   "Upgrading to version " + u.Other.Version + ", and nobody is let in",
		renga.UpgradeClearing:  "Removing what was made for version " + u.Other.Version,
		renga.UpgradeReturning: "Going back to version " + u.Other.Version,
		renga.UpgradeSwitched:  "Letting apps into version " + a.Options["version"],
		renga.UpgradeDropping:  "Removing the data of version " + u.Other.Version,
	}[u.State]
	if a.Step != "" {
		what += ": " + a.Step
	}
	return what + "."
}

// upgrade is one as JSON.
type upgrade struct {
	AddOn   wire.Ref           `json:"addon"`
	Version *string            `json:"version"` // that serves
	State   renga.UpgradeState `json:"state"`   // "none" if there is none
	// Other is the version that does not serve: the one that it goes to, or that is kept.
	Other     *string `json:"other_version"`
	Message   string  `json:"message"`
	AskedAt   *string `json:"asked_at"`
	EndedAt   *string `json:"ended_at"`
	KeptUntil *string `json:"kept_until"`
}

func newUpgrade(a renga.AddOn) upgrade {
	u := upgrade{
		AddOn: wire.Ref{ID: string(a.ID), Name: a.Name}, State: a.Upgrade.State, Message: upgradeMessage(a),
		AskedAt: wire.StampOrNull(a.Upgrade.AskedAt), EndedAt: wire.StampOrNull(a.Upgrade.EndedAt),
		KeptUntil: wire.StampOrNull(a.Upgrade.KeptUntil),
	}
	if version := a.Options["version"]; version != "" {
		u.Version = &version
	}
	if a.Upgrade.State == "" {
		u.State = "none"
	} else {
		u.Other = &a.Upgrade.Other.Version
	}
	return u
}

func (s *Server) upgradeInfo(w http.ResponseWriter, r *http.Request) error {
	a, _, err := s.addOnOf(r)
	if err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, newUpgrade(a))
}

// answerUpgrade answers with an add-on's upgrade as it is now.
func (s *Server) answerUpgrade(w http.ResponseWriter, r *http.Request, a renga.AddOn) error {
	now, err := s.parts.AddOns.AddOn(r.Context(), a.ID)
	if err != nil {
		return s.orMissing(err)
	}
	return wire.Answer(w, http.StatusAccepted, newUpgrade(now))
}

func (s *Server) upgrade(w http.ResponseWriter, r *http.Request) error {
	a, v, err := s.addOnOf(r)
	if err != nil {
		return err
	}
	var body struct {
		Version string `json:"version"`
		Try     bool   `json:"try"`
	}
	if err := wire.Decode(r, &body); err != nil {
		return err
	}
	as := renga.UpgradeCopying
	if body.Try {
		as = renga.UpgradeTrying
	}
	if _, err := s.begin(r, a, v, as, body.Version); err != nil {
		return err
	}
	return s.answerUpgrade(w, r, a)
}

// undoUpgrade takes a confirmation, as a restore does: what was written since is out of
// reach then.
func (s *Server) undoUpgrade(w http.ResponseWriter, r *http.Request) error {
	a, v, err := s.addOnOf(r)
	if err == nil {
		err = v.permit(r, a, renga.MayOperate)
	}
	if err != nil {
		return err
	}
	var body struct {
		Confirm string `json:"confirm"`
	}
	if err := wire.Decode(r, &body); err != nil {
		return err
	}
	app := v.apps[a.App]
	if s.confirmed(body.Confirm, app) != app.Name {
		return renga.Errorf(renga.Unconfirmed, "What was written into %s since its upgrade is not in the data of version %s. To go back, "+
			"send the app's name in \"confirm\".", a.Name, a.Upgrade.Other.Version)
	}
	if err := s.parts.Upgrader.UndoUpgrade(r.Context(), a.ID, wire.Caller(r).ID); err != nil {
		return s.orMissing(err)
	}
	s.Audit(r, "upgrade undone", app.Name, "add-on", a.Name, "version", a.Upgrade.Other.Version)
	return s.answerUpgrade(w, r, a)
}

// dropUpgrade removes what is kept for the way back, or forgets what is prepared.
func (s *Server) dropUpgrade(w http.ResponseWriter, r *http.Request) error {
	a, v, err := s.addOnOf(r)
	if err == nil && a.Upgrade.State == renga.UpgradePrepared {
		if err = s.cancelUpgrade(r, a, v); err == nil {
			return s.answerUpgrade(w, r, a)
		}
	}
	if err == nil {
		err = v.permit(r, a, renga.MayOperate)
	}
	if err != nil {
		return err
	}
	if err := s.parts.Upgrader.DropUpgrade(r.Context(), a.ID, wire.Caller(r).ID); err != nil {
		return s.orMissing(err)
	}
	s.Audit(r, "way back from an upgrade removed", v.apps[a.App].Name, "add-on", a.Name, "version", a.Upgrade.Other.Version)
	return s.answerUpgrade(w, r, a)
}
