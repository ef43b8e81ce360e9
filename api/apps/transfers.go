package apps

import (
	"context"
	"net/http"

	"github.com/google/uuid"
	"github.com/gorilla/mux"

	"renga"
	"renga/api/wire"
)

// Transfers keeps transfers of apps.
type Transfers interface {
	Transfers(ctx context.Context) ([]renga.Transfer, error)
	// AddTransfer returns the pending transfer if there is one to the same
	// recipient; Conflict if there is one to another.
	AddTransfer(ctx context.Context, t renga.Transfer) (renga.Transfer, error)
	// UpdateTransfer lets edit change a transfer, and sets its time of update. Edit
	// may run several times.
	UpdateTransfer(ctx context.Context, id string, edit func(*renga.Transfer) error) (renga.Transfer, error)
	// DeleteTransfer is NotFound if the transfer is no longer pending.
	DeleteTransfer(ctx context.Context, id string) error
}

// Owners is told of the new owner of an app, so that a recovery knows.
type Owners interface {
	KeepOwner(ctx context.Context, app renga.App) error
}

func (s *Server) transferRoutes() []wire.Route {
	return []wire.Route{
		wire.Get("/account/app-transfers", wire.WholeToken, s.listTransfers),
		wire.Post(
			"/account/app-transfers", wire.WholeToken, s.createTransfer,
		).Without("silent", "nobody is told by mail of anything"),
		wire.Get("/account/app-transfers/{transfer}", wire.WholeToken, s.transferInfo),
		wire.Patch("/account/app-transfers/{transfer}", wire.WholeToken, s.updateTransfer),
		wire.Delete("/account/app-transfers/{transfer}", wire.WholeToken, s.deleteTransfer),
	}
}

// transfer is the transfer of an app, as JSON.
type transfer struct {
	App       wire.Ref    `json:"app"`
	CreatedAt string      `json:"created_at"`
	ID        string      `json:"id"`
	Owner     wire.Person `json:"owner"`
	Recipient wire.Person `json:"recipient"`
	State     string      `json:"state"`
	UpdatedAt string      `json:"updated_at"`
}

func newTransfer(t renga.Transfer, a renga.App, owner, recipient wire.Person) transfer {
	return transfer{
		App: wire.AppRef(a), CreatedAt: wire.Stamp(t.CreatedAt), ID: t.ID, Owner: owner, Recipient: recipient,
		State: string(t.Shown()), UpdatedAt: wire.Stamp(t.UpdatedAt),
	}
}

// showTransfer makes JSON of a transfer. It is NotFound if the app was deleted.
func (s *Server) showTransfer(ctx context.Context, t renga.Transfer, known *wire.People) (transfer, error) {
	a, err := s.Apps.App(ctx, t.App)
	if err != nil {
		return transfer{}, wire.OrNotFound(err, "app transfer")
	}
	owner, err := known.Find(ctx, t.Owner)
	if err != nil {
		return transfer{}, err
	}
	recipient, err := known.Find(ctx, t.Recipient)
	return newTransfer(t, a, owner, recipient), err
}

func (s *Server) replyTransfer(w http.ResponseWriter, r *http.Request, status int, t renga.Transfer) error {
	shown, err := s.showTransfer(r.Context(), t, s.People())
	if err != nil {
		return err
	}
	return wire.Answer(w, status, shown)
}

// ownTransfers gives the transfers that the caller has made or received.
func (s *Server) ownTransfers(r *http.Request) ([]renga.Transfer, error) {
	all, err := s.parts.Transfers.Transfers(r.Context())
	var own []renga.Transfer
	for _, t := range all {
		if me := wire.Caller(r).ID; t.Owner == me || t.Recipient == me {
			own = append(own, t)
		}
	}
	return own, err
}

func (s *Server) listTransfers(w http.ResponseWriter, r *http.Request) error {
	own, err := s.ownTransfers(r)
	if err != nil {
		return err
	}
	var shown []transfer
	known := s.People()
	for _, t := range own {
		one, err := s.showTransfer(r.Context(), t, known)
		if renga.KindOf(err) == renga.NotFound {
			continue // its app was deleted
		}
		if err != nil {
			return err
		}
		shown = append(shown, one)
	}
	return wire.List(w, r, shown, wire.By("id", func(t transfer) string { return t.ID }))
}

// transferOf finds the transfer of the path by its id or its app's name.
func (s *Server) transferOf(r *http.Request) (renga.Transfer, error) {
	own, err := s.ownTransfers(r)
	if err != nil {
		return renga.Transfer{}, err
	}
	identity := mux.Vars(r)["transfer"]
	for _, t := range own {
		if t.ID == identity {
			return t, nil
		}
	}
	a, err := s.FindApp(r.Context(), identity)
	for _, t := range own {
		if err == nil && t.App == a.ID && t.Open() {
			return t, nil
		}
	}
	return renga.Transfer{}, wire.NotFound("app transfer")
}

func (s *Server) transferInfo(w http.ResponseWriter, r *http.Request) error {
	t, err := s.transferOf(r)
	if err != nil {
		return err
	}
	return s.replyTransfer(w, r, http.StatusOK, t)
}

// createTransfer offers an app to another account. Only its owner can; callers who
// may manage it cannot give it away.
func (s *Server) createTransfer(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		App       string `json:"app"`
		Recipient string `json:"recipient"`
	}
	if err := wire.Decode(r, &body); err != nil {
		return err
	}
	a, err := s.AppNamed(r, body.App, renga.MayManage)
	if err != nil {
		return err
	}
	if a.Owner != wire.Caller(r).ID {
		return renga.Errorf(renga.Forbidden, "Only the owner of the app %s can transfer it.", a.Name)
	}
	to, err := s.AccountNamed(r.Context(), body.Recipient)
	if err != nil {
		return err
	}
	if to.ID == a.Owner {
		return wire.Invalid("The app belongs to that user already.")
	}
	if err := s.settle(r, a.ID); err != nil {
		return err
	}
	now := s.Now()
	t := renga.Transfer{
		ID: uuid.NewString(), App: a.ID, Owner: a.Owner, Recipient: to.ID, State: renga.TransferPending,
		CreatedAt: now, UpdatedAt: now,
	}
	if t, err = s.parts.Transfers.AddTransfer(r.Context(), t); err != nil {
		return err
	}
	s.Audit(r, "app offered", a.Name, "to", to.Email, "transfer", t.ID)
	return s.replyTransfer(w, r, http.StatusCreated, t)
}

// updateTransfer stores the recipient's answer, and then carries it out. After a
// crash in between, the recipient answers again.
func (s *Server) updateTransfer(w http.ResponseWriter, r *http.Request) error {
	t, err := s.transferOf(r)
	if err != nil {
		return err
	}
	var body struct {
		State renga.TransferState `json:"state"`
	}
	if err := wire.Decode(r, &body); err != nil {
		return err
	}
	if t.Recipient != wire.Caller(r).ID {
		return renga.Errorf(renga.Forbidden, "Only the recipient of an app transfer can accept or decline it.")
	}
	if err := s.staying(r.Context(), t.App); err != nil {
		return wire.OrNotFound(err, "app transfer")
	}
	s.transferring.Lock()
	defer s.transferring.Unlock()
	was := t.State
	t, err = s.parts.Transfers.UpdateTransfer(
		r.Context(), t.ID, func(t *renga.Transfer) error { return t.Answer(body.State) },
	)
	if err == nil && t.State == renga.TransferAccepting {
		t, err = s.handOver(r.Context(), t)
	}
	if err != nil {
		return wire.OrNotFound(err, "app transfer")
	}
	if t.State != was {
		s.Audit(r, "app transfer "+string(t.State), "", "app_id", t.App, "transfer", t.ID)
	}
	return s.replyTransfer(w, r, http.StatusOK, t)
}

// staying is NotFound for an app that is being deleted, so that no answer for it is
// stored.
func (s *Server) staying(ctx context.Context, app renga.AppID) error {
	a, err := s.Apps.App(ctx, app)
	if err == nil && a.Deleting {
		err = renga.Errorf(renga.NotFound, "The app %s is being deleted.", a.Name)
	}
	return err
}

// handOver gives an app to the recipient, once for each transfer: an accepted one
// does nothing, whoever owns the app later. The caller holds s.transferring.
func (s *Server) handOver(ctx context.Context, t renga.Transfer) (renga.Transfer, error) {
	a, err := s.parts.Apps.UpdateApp(ctx, t.App, func(a *renga.App) error { return a.HandOver(t) })
	if err != nil {
		return t, err
	}
	if err := s.parts.Owners.KeepOwner(ctx, a); err != nil {
		return t, err
	}
	return s.parts.Transfers.UpdateTransfer(ctx, t.ID, func(t *renga.Transfer) error {
		t.State = renga.TransferAccepted
		return nil
	})
}

// settle completes the transfers that gave the app to the caller and that a crash
// has left open.
func (s *Server) settle(r *http.Request, app renga.AppID) error {
	s.transferring.Lock()
	defer s.transferring.Unlock()
	own, err := s.ownTransfers(r)
	for _, t := range own {
		if err == nil && t.App == app && t.Recipient == wire.Caller(r).ID && t.State == renga.TransferAccepting {
			_, err = s.handOver(r.Context(), t)
		}
	}
	return err
}

func (s *Server) deleteTransfer(w http.ResponseWriter, r *http.Request) error {
	t, err := s.transferOf(r)
	if err != nil {
		return err
	}
	if t.Owner != wire.Caller(r).ID {
		return renga.Errorf(renga.Forbidden, "Only who offered an app can take the offer back; decline it instead.")
	}
	shown, err := s.showTransfer(r.Context(), t, s.People())
	if err != nil {
		return err
	}
	if err := s.parts.Transfers.DeleteTransfer(r.Context(), t.ID); err != nil {
		return wire.OrNotFound(err, "app transfer")
	}
	s.Audit(r, "app offer taken back", "", "app_id", t.App, "transfer", t.ID)
	return wire.Answer(w, http.StatusOK, shown)
}
