package api_test

import (
	"testing"

	"renga"
)

const offerID = "60000000-0000-4000-8000-000000000001"

// offers are those that every world has: Ada's to Carol, and Bob's to Ada.
var offers = []renga.Transfer{
	{ID: offerID, App: hello, Owner: ada.ID, Recipient: carol.ID, State: renga.TransferPending, CreatedAt: born, UpdatedAt: born},
	{ID: "60000000-0000-4000-8000-000000000002", App: other, Owner: bob.ID, Recipient: ada.ID, State: renga.TransferPending, CreatedAt: born, UpdatedAt: born},
}

func TestTransfers(t *testing.T) {
	const path, one = "/account/app-transfers", "/account/app-transfers/" + offerID
	asCarol := header("Authorization", "Bearer carol-token")
	run(t, []scenario{
		{name: "list", url: path, has: []string{offerID, `"state":"pending"`, `"recipient":{"email":"carol@example.com"`}},
		{name: "list of the recipient", url: path, headers: asCarol, has: []string{offerID}},
		{name: "list of a stranger", url: path, headers: asBob, hasNot: []string{offerID}},
		{name: "info by id", url: one, has: []string{`"app":{"id":"` + string(hello)}},
		{name: "info by the app's name", url: path + "/hello", has: []string{offerID}},
		{name: "info of a stranger", url: one, headers: asBob, status: 404},
		{name: "offer twice", method: "POST", url: path, body: `{"app":"hello","recipient":"carol@example.com"}`, status: 201, has: []string{offerID}},
		{name: "offer to two", method: "POST", url: path, body: `{"app":"hello","recipient":"bob@example.com"}`, status: 422, has: []string{"on offer to somebody else already"}},
		{name: "offer another's", method: "POST", url: path, body: `{"app":"other","recipient":"carol@example.com"}`, status: 403},
		{name: "offer as a collaborator", method: "POST", url: path, headers: asCarol, body: `{"app":"hello","recipient":"bob@example.com"}`, status: 403},
		{name: "offer to nobody", method: "POST", url: path, body: `{"app":"hello","recipient":"nobody@example.com"}`, status: 404},
		{name: "offer to oneself", method: "POST", url: path, body: `{"app":"hello","recipient":"ada@example.com"}`, status: 422},
		{name: "accept as the owner", method: "PATCH", url: one, body: `{"state":"accepted"}`, status: 403},
		{name: "neither accept nor decline", method: "PATCH", url: one, headers: asCarol, body: `{"state":"pending"}`, status: 422},
		{name: "decline", method: "PATCH", url: one, headers: asCarol, body: `{"state":"declined"}`, has: []string{`"state":"declined"`}},
		{name: "take back", method: "DELETE", url: one, has: []string{offerID}},
		{name: "take back as the recipient", method: "DELETE", url: one, headers: asCarol, status: 403},
	})
}

func TestAnAcceptedAppChangesHands(t *testing.T) {
	rig := newRig(nil)
	asCarol := header("Authorization", "Bearer carol-token")
	accept := scenario{method: "PATCH", url: "/account/app-transfers/" + offerID, headers: asCarol, body: `{"state":"accepted"}`, has: []string{`"state":"accepted"`}}
	accept.play(t, rig)
	accept.play(t, rig) // the client did not hear the answer
	scenario{url: "/apps/hello", has: []string{`"owner":{"email":"carol@example.com"`}}.play(t, rig)
	if len(rig.world.owners) == 0 || rig.world.owners[0] != "hello of "+string(carol.ID) {
		t.Errorf("the ledger was told %v", rig.world.owners)
	}
	scenario{method: "DELETE", url: "/apps/hello", status: 403, has: []string{asked}}.play(t, rig)
	scenario{method: "PATCH", url: "/account/app-transfers/" + offerID, headers: asCarol, body: `{"state":"declined"}`, status: 422, has: []string{"accepted already"}}.play(t, rig)
	scenario{method: "DELETE", url: "/apps/hello", headers: asCarol, after: unlisted}.play(t, rig)
	scenario{url: "/account/app-transfers", hasNot: []string{offerID}}.play(t, rig) // the app is gone
}

// TestAnAcceptedTransferIsOver: who got an app once and gave it back cannot take
// it again by saying so again.
func TestAnAcceptedTransferIsOver(t *testing.T) {
	rig := newRig(nil)
	const path = "/account/app-transfers"
	asCarol := header("Authorization", "Bearer carol-token")
	accept := scenario{method: "PATCH", url: path + "/" + offerID, headers: asCarol, body: `{"state":"accepted"}`, has: []string{`"state":"accepted"`}}
	accept.play(t, rig)
	res, body := rig.ask("POST", path, `{"app":"hello","recipient":"ada@example.com"}`, asCarol)
	back := fields(t, "["+body+"]", "id")[0]
	if res.StatusCode != 201 {
		t.Fatalf("%d: %s", res.StatusCode, body)
	}
	scenario{method: "PATCH", url: path + "/" + back, body: `{"state":"accepted"}`, has: []string{`"state":"accepted"`}}.play(t, rig)
	scenario{method: "DELETE", url: "/apps/hello/collaborators/carol@example.com", has: []string{"carol@"}}.play(t, rig)
	accept.play(t, rig) // it was accepted, and that is all there is to say
	if owner := rig.world.apps[hello].Owner; owner != ada.ID {
		t.Errorf("the app belongs to %s again", owner)
	}
	scenario{url: "/apps/hello", headers: asCarol, status: 403}.play(t, rig)
}

// TestATransferThatWasCutShortIsEnded: Renga died after the recipient's word was
// written down and before the app was theirs.
func TestATransferThatWasCutShortIsEnded(t *testing.T) {
	const path = "/account/app-transfers"
	asCarol := header("Authorization", "Bearer carol-token")
	rig := newRig(nil)
	cut := func(t *testing.T, handed bool) {
		t.Helper()
		accepting, err := rig.db.UpdateTransfer(t.Context(), offerID, func(t *renga.Transfer) error { return t.Answer(renga.TransferAccepted) })
		if err == nil && handed {
			_, err = rig.world.UpdateApp(t.Context(), hello, func(a *renga.App) error { return a.HandOver(accepting) })
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	cut(t, false)
	scenario{url: path + "/" + offerID, has: []string{`"state":"pending"`}}.play(t, rig)
	scenario{method: "PATCH", url: path + "/" + offerID, headers: asCarol, body: `{"state":"declined"}`, status: 422}.play(t, rig)
	scenario{method: "DELETE", url: path + "/" + offerID, status: 404}.play(t, rig)
	scenario{method: "PATCH", url: path + "/" + offerID, headers: asCarol, body: `{"state":"accepted"}`, has: []string{`"state":"accepted"`}}.play(t, rig)
	if owner := rig.world.apps[hello].Owner; owner != carol.ID {
		t.Errorf("the app belongs to %s", owner)
	}
	rig = newRig(nil)
	cut(t, true)
	// Carol has it, does not say so again, and gives it away.
	scenario{method: "POST", url: path, headers: asCarol, body: `{"app":"hello","recipient":"bob@example.com"}`, status: 201, has: []string{`"state":"pending"`, "bob@"}}.play(t, rig)
	scenario{url: path + "/" + offerID, has: []string{`"state":"accepted"`}}.play(t, rig)
}

func TestAnAppThatIsBeingDeletedChangesNoHands(t *testing.T) {
	rig := newRig(nil)
	a := rig.world.apps[hello]
	a.Deleting = true
	rig.world.apps[hello] = a
	scenario{
		method: "PATCH", url: "/account/app-transfers/" + offerID, headers: header("Authorization", "Bearer carol-token"),
		body: `{"state":"accepted"}`, status: 404,
	}.play(t, rig)
}
