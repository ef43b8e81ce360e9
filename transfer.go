package renga

import "time"

// Transfer is the offer of an app to another account.
type Transfer struct {
	ID        string
	App       AppID
	Owner     AccountID // who offers it
	Recipient AccountID
	State     TransferState
	CreatedAt time.Time
	UpdatedAt time.Time
}

// TransferState is what has become of an offer.
type TransferState string

// Heroku's states, and one of our own between its first two, which clients see as
// pending: the recipient has accepted, and the app may not be theirs yet.
const (
	TransferPending   TransferState = "pending"
	TransferAccepting TransferState = "accepting"
	TransferAccepted  TransferState = "accepted"
	TransferDeclined  TransferState = "declined"
)

// Open tells whether the app is still to change hands, or may.
func (t Transfer) Open() bool { return t.State == TransferPending || t.State == TransferAccepting }

// Answer takes the recipient's answer, accepted or declined. The same answer
// again changes nothing: an accepted transfer is over when the app has its new
// owner.
func (t *Transfer) Answer(word TransferState) error {
	switch {
	case word != TransferAccepted && word != TransferDeclined:
		return Errorf(Invalid, "Field \"state\" must be accepted or declined.")
	case t.State == TransferPending && word == TransferAccepted:
		t.State = TransferAccepting
	case t.State == TransferPending:
		t.State = word
	case t.State != word && (t.State != TransferAccepting || word != TransferAccepted):
		return Errorf(Invalid, "This app transfer is %s already.", t.State)
	}
	return nil
}

// Shown is the state as clients know it.
func (t Transfer) Shown() TransferState {
	if t.State == TransferAccepting {
		return TransferPending
	}
	return t.State
}

// HandOver makes the recipient the app's owner, and who owned it a
// collaborator. It is for transfers that are being accepted, and doing it again
// for one that is still so changes nothing.
func (a *App) HandOver(t Transfer) error {
	switch {
	case t.State != TransferAccepting:
		return Errorf(Conflict, "This app transfer is %s already.", t.State)
	case a.Deleting:
		return Errorf(NotFound, "The app %s is being deleted.", a.Name)
	case a.Owner == t.Recipient:
		return nil
	case a.Owner != t.Owner:
		return Errorf(Conflict, "The app %s belongs to somebody else by now.", a.Name)
	}
	may, err := SharedPermissions(nil)
	if err != nil {
		return err
	}
	others := map[AccountID]Collaborator{}
	for who, c := range a.Collaborators {
		if who != t.Recipient {
			others[who] = c
		}
	}
	others[t.Owner] = Collaborator{
		ID: t.ID, Account: t.Owner, Permissions: may, CreatedAt: t.UpdatedAt, UpdatedAt: t.UpdatedAt,
	}
	a.Owner, a.Collaborators = t.Recipient, others
	return nil
}
