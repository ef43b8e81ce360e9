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

// Heroku's states.
const (
	TransferPending  TransferState = "pending"
	TransferAccepted TransferState = "accepted"
	TransferDeclined TransferState = "declined"
)

// HandOver makes the recipient the app's owner, and who owned it a
// collaborator. Doing so again changes nothing.
func (a *App) HandOver(t Transfer) error {
	switch a.Owner {
	case t.Recipient:
		return nil
	case t.Owner:
	default:
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
	others[t.Owner] = Collaborator{ID: t.ID, Account: t.Owner, Permissions: may, CreatedAt: t.UpdatedAt, UpdatedAt: t.UpdatedAt}
	a.Owner, a.Collaborators = t.Recipient, others
	return nil
}
