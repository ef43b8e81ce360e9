package wiretest

import (
	"fmt"
	"time"

	"renga"
)

// The accounts and apps of every fixture: hello is Ada's, and Carol works on it;
// other is Bob's.
var (
	Born = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	Ada  = renga.Account{
		ID: "10000000-0000-4000-8000-000000000001", Email: "ada@example.com", CreatedAt: Born, UpdatedAt: Born,
	}
	Bob = renga.Account{
		ID: "10000000-0000-4000-8000-000000000002", Email: "bob@example.com", CreatedAt: Born, UpdatedAt: Born,
	}
	Carol = renga.Account{
		ID: "10000000-0000-4000-8000-000000000003", Email: "carol@example.com", CreatedAt: Born, UpdatedAt: Born,
	}
	Hello = renga.AppID("20000000-0000-4000-8000-000000000001")
	Other = renga.AppID("20000000-0000-4000-8000-000000000002")
	// Shared is the app of Share.
	Shared = renga.AppID("20000000-0000-4000-8000-000000000003")
)

// SharingID is the id of every collaborator.
const SharingID = "40000000-0000-4000-8000-000000000001"

// With shares an app with an account.
func With(a renga.Account, may ...renga.Permission) map[renga.AccountID]renga.Collaborator {
	may, err := renga.SharedPermissions(may)
	must(err)
	return map[renga.AccountID]renga.Collaborator{
		a.ID: {ID: SharingID, Account: a.ID, Permissions: may, CreatedAt: Born, UpdatedAt: Born},
	}
}

// Image is the nth image of a process type.
func Image(t renga.ProcessType, n int) renga.Image {
	return renga.Image{
		Repository: "hello/" + string(t), Digest: fmt.Sprintf("sha256:%064d", n),
		Command: []string{"/bin/app", "--say", "it is"}, Size: 1000,
	}
}
