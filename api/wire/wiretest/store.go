package wiretest

import (
	"context"

	"renga"
	"renga/store"
	"renga/store/storetest"
)

// NewStore is a store with the accounts and apps that every fixture has.
func NewStore() *store.Store {
	db, err := storetest.New()
	for token, a := range map[string]renga.Account{"ada-token": Ada, "bob-token": Bob, "carol-token": Carol} {
		if err == nil {
			err = db.EnsureAccount(context.Background(), a, token)
		}
	}
	if err == nil {
		err = db.AddKey(context.Background(), AdasKey)
	}
	for _, t := range Offers {
		if err == nil {
			_, err = db.AddTransfer(context.Background(), t)
		}
	}
	for _, a := range NewFakeRooms().Apps {
		if err == nil {
			err = db.CreateApp(context.Background(), a, renga.ReleaseRecord{
				App: a.ID, Version: 1, Description: "Initial release", By: a.Owner, CreatedAt: a.CreatedAt,
			})
		}
	}
	if err == nil {
		err = db.AddDrain(context.Background(), renga.Drain{
			ID: "50000000-0000-4000-8000-000000000001", App: Hello,
			URL: "https://user:" + Marker + "@logs.example.com/a?b=c", Token: "d.1", CreatedAt: Born, UpdatedAt: Born,
		})
	}
	if err == nil {
		err = furnish(db)
	}
	if err != nil {
		panic(err) // without a store no test here can say anything
	}
	return db
}

const (
	AdasLine  = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGMSO7OfHxv5C0F/LpqzftuMgTk3S4tpZFK9bwVMxsgX ada@desk"
	OtherLine = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHb5MqxkvV0IQ3kRh1s0G1iLzqCGjRw0y0l8ajd4iDzm second key"
	AdasPrint = "bb:19:5d:ae:54:42:67:09:95:c0:36:70:25:ab:19:75"
)

var AdasKey = renga.SSHKey{
	ID: "50000000-0000-4000-8000-000000000001", Account: Ada.ID, Comment: "ada@desk", Fingerprint: AdasPrint,
	PublicKey: AdasLine, CreatedAt: Born,
}

const OfferID = "60000000-0000-4000-8000-000000000001"

// Offers are those that every fixture has: Ada's to Carol, and Bob's to Ada.
var Offers = []renga.Transfer{
	{
		ID: OfferID, App: Hello, Owner: Ada.ID, Recipient: Carol.ID, State: renga.TransferPending, CreatedAt: Born,
		UpdatedAt: Born,
	},
	{
		ID: "60000000-0000-4000-8000-000000000002", App: Other, Owner: Bob.ID, Recipient: Ada.ID,
		State: renga.TransferPending, CreatedAt: Born, UpdatedAt: Born,
	},
}
