package wiretest

import (
	"context"
	"maps"
	"sync"

	"renga"
	"renga/store"
	"renga/store/storetest"
)

// filled is a store that holds a seed, with the ledger of its releases.
type filled struct {
	db     *store.Store
	ledger *Ledger
}

// Stores that most fixtures begin with are written once, and copied then.
var (
	usual = sync.OnceValue(func() filled { return fill(NewSeed()) })
	full  = sync.OnceValue(func() filled {
		s := NewSeed()
		AddAll(s)
		return fill(s)
	})
)

func (f filled) copy() filled {
	db, err := storetest.Copy(f.db)
	must(err)
	return filled{db, f.ledger.clone()}
}

// NewStore is a store with the accounts and apps that every fixture has.
func NewStore() *store.Store { return usual().copy().db }

// fill writes a seed, and what every store has besides.
func fill(s *Seed) filled {
	db, err := storetest.New()
	must(err)
	f := filled{db, &Ledger{releases: map[string]renga.Release{}}}
	ctx := context.Background()
	for token, a := range map[string]renga.Account{"ada-token": Ada, "bob-token": Bob, "carol-token": Carol} {
		must(db.EnsureAccount(ctx, a, token))
	}
	must(db.AddKey(ctx, AdasKey))
	for _, t := range Offers {
		_, err := db.AddTransfer(ctx, t)
		must(err)
	}
	s.write(ctx, db, f.ledger)
	must(db.AddDrain(ctx, Drain))
	addDomains(ctx, db)
	must(db.EditWebhooks(ctx, Hello, func(hooks map[string]renga.Webhook) error {
		maps.Copy(hooks, map[string]renga.Webhook{Hook.ID: Hook, PartnerHook: PartnersHook})
		return nil
	}))
	return f
}

// must is for the making of what tests stand on: without it they can say nothing.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

const (
	AdasKeyLine     = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGMSO7OfHxv5C0F/LpqzftuMgTk3S4tpZFK9bwVMxsgX ada@desk"
	OtherKeyLine    = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHb5MqxkvV0IQ3kRh1s0G1iLzqCGjRw0y0l8ajd4iDzm second key"
	AdasFingerprint = "bb:19:5d:ae:54:42:67:09:95:c0:36:70:25:ab:19:75"
)

var AdasKey = renga.SSHKey{
	ID: "50000000-0000-4000-8000-000000000001", Account: Ada.ID, Comment: "ada@desk", Fingerprint: AdasFingerprint,
	PublicKey: AdasKeyLine, CreatedAt: Born,
}

// Drain is hello's.
var Drain = renga.Drain{
	ID: "50000000-0000-4000-8000-000000000001", App: Hello, URL: "https://user:" + Marker + "@logs.example.com/a?b=c",
	Token: "d.1", CreatedAt: Born, UpdatedAt: Born,
}

const OfferID = "60000000-0000-4000-8000-000000000001"

// Offers are those that every store has: Ada's to Carol, and Bob's to Ada.
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
