package apps_test

import (
	"testing"

	"renga"
	"renga/api/wire/wiretest"
)

func TestTransfers(t *testing.T) {
	const path, one = "/account/app-transfers", "/account/app-transfers/" + wiretest.OfferID
	asCarol := wiretest.Header("Authorization", "Bearer carol-token")
	run(t, []scenario{
		{
			Name: "list", URL: path,
			Has: []string{wiretest.OfferID, `"state":"pending"`, `"recipient":{"email":"carol@example.com"`},
		},
		{Name: "list of the recipient", URL: path, Headers: asCarol, Has: []string{wiretest.OfferID}},
		{Name: "list of a stranger", URL: path, Headers: wiretest.AsBob, HasNot: []string{wiretest.OfferID}},
		{Name: "info by id", URL: one, Has: []string{`"app":{"id":"` + string(wiretest.Hello)}},
		{Name: "info by the app's name", URL: path + "/hello", Has: []string{wiretest.OfferID}},
		{Name: "info of a stranger", URL: one, Headers: wiretest.AsBob, Status: 404},
		{
			Name: "offer twice", Method: "POST", URL: path, Body: `{"app":"hello","recipient":"carol@example.com"}`,
			Status: 201, Has: []string{wiretest.OfferID},
		},
		{
			Name: "offer to two", Method: "POST", URL: path, Body: `{"app":"hello","recipient":"bob@example.com"}`,
			Status: 422, Has: []string{"on offer to somebody else already"},
		},
		{
			Name: "offer another's", Method: "POST", URL: path,
			Body: `{"app":"other","recipient":"carol@example.com"}`, Status: 403,
		},
		{
			Name: "offer as a collaborator", Method: "POST", URL: path, Headers: asCarol,
			Body: `{"app":"hello","recipient":"bob@example.com"}`, Status: 403,
		},
		{
			Name: "offer to nobody", Method: "POST", URL: path,
			Body: `{"app":"hello","recipient":"nobody@example.com"}`, Status: 404,
		},
		{
			Name: "offer to oneself", Method: "POST", URL: path,
			Body: `{"app":"hello","recipient":"ada@example.com"}`, Status: 422,
		},
		{Name: "accept as the owner", Method: "PATCH", URL: one, Body: `{"state":"accepted"}`, Status: 403},
		{
			Name: "neither accept nor decline", Method: "PATCH", URL: one, Headers: asCarol,
			Body: `{"state":"pending"}`, Status: 422,
		},
		{
			Name: "decline", Method: "PATCH", URL: one, Headers: asCarol, Body: `{"state":"declined"}`,
			Has: []string{`"state":"declined"`},
		},
		{Name: "take back", Method: "DELETE", URL: one, Has: []string{wiretest.OfferID}},
		{Name: "take back as the recipient", Method: "DELETE", URL: one, Headers: asCarol, Status: 403},
	})
}

func TestAnAcceptedAppGetsItsNewOwner(t *testing.T) {
	fixture := newFixture()
	asCarol := wiretest.Header("Authorization", "Bearer carol-token")
	accept := scenario{
		Method: "PATCH", URL: "/account/app-transfers/" + wiretest.OfferID, Headers: asCarol,
		Body: `{"state":"accepted"}`, Has: []string{`"state":"accepted"`},
	}
	accept.Play(t, fixture)
	accept.Play(t, fixture) // the client did not get the answer
	scenario{URL: "/apps/hello", Has: []string{`"owner":{"email":"carol@example.com"`}}.Play(t, fixture)
	if len(fakeOf(fixture).owners) == 0 || fakeOf(fixture).owners[0] != "hello of "+string(wiretest.Carol.ID) {
		t.Errorf("the ledger was told %v", fakeOf(fixture).owners)
	}
	scenario{Method: "DELETE", URL: "/apps/hello", Status: 403, Has: []string{asked}}.Play(t, fixture)
	scenario{
		Method: "PATCH", URL: "/account/app-transfers/" + wiretest.OfferID, Headers: asCarol,
		Body: `{"state":"declined"}`, Status: 422, Has: []string{"accepted already"},
	}.Play(t, fixture)
	scenario{Method: "DELETE", URL: "/apps/hello", Headers: asCarol, After: isGone}.Play(t, fixture)
	scenario{URL: "/account/app-transfers", HasNot: []string{wiretest.OfferID}}.Play(t, fixture) // the app was deleted
}

// TestAnAcceptedTransferIsOver checks that somebody who got an app and gave it back
// does not get it again by accepting again.
func TestAnAcceptedTransferIsOver(t *testing.T) {
	fixture := newFixture()
	const path = "/account/app-transfers"
	asCarol := wiretest.Header("Authorization", "Bearer carol-token")
	accept := scenario{
		Method: "PATCH", URL: path + "/" + wiretest.OfferID, Headers: asCarol, Body: `{"state":"accepted"}`,
		Has: []string{`"state":"accepted"`},
	}
	accept.Play(t, fixture)
	res, body := fixture.Ask("POST", path, `{"app":"hello","recipient":"ada@example.com"}`, asCarol)
	back := wiretest.Fields(t, "["+body+"]", "id")[0]
	if res.StatusCode != 201 {
		t.Fatalf("%d: %s", res.StatusCode, body)
	}
	scenario{
		Method: "PATCH", URL: path + "/" + back, Body: `{"state":"accepted"}`, Has: []string{`"state":"accepted"`},
	}.Play(t, fixture)
	scenario{Method: "DELETE", URL: "/apps/hello/collaborators/carol@example.com", Has: []string{"carol@"}}.Play(t, fixture)
	accept.Play(t, fixture) // it was accepted already, and nothing happens
	if owner := fixture.App(t, wiretest.Hello).Owner; owner != wiretest.Ada.ID {
		t.Errorf("the app belongs to %s again", owner)
	}
	scenario{URL: "/apps/hello", Headers: asCarol, Status: 403}.Play(t, fixture)
}

// TestATransferThatWasCutShortIsEnded has Renga die after the recipient's answer
// was stored and before the app was theirs.
func TestATransferThatWasCutShortIsEnded(t *testing.T) {
	const path = "/account/app-transfers"
	asCarol := wiretest.Header("Authorization", "Bearer carol-token")
	fixture := newFixture()
	cut := func(t *testing.T, handed bool) {
		t.Helper()
		accepting, err := fixture.DB.UpdateTransfer(
			t.Context(), wiretest.OfferID, func(t *renga.Transfer) error { return t.Answer(renga.TransferAccepted) },
		)
		if err == nil && handed {
			_, err = fixture.DB.UpdateApp(
				t.Context(), wiretest.Hello, func(a *renga.App) error { return a.HandOver(accepting) },
			)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	cut(t, false)
	scenario{URL: path + "/" + wiretest.OfferID, Has: []string{`"state":"pending"`}}.Play(t, fixture)
	scenario{
		Method: "PATCH", URL: path + "/" + wiretest.OfferID, Headers: asCarol, Body: `{"state":"declined"}`,
		Status: 422,
	}.Play(t, fixture)
	scenario{Method: "DELETE", URL: path + "/" + wiretest.OfferID, Status: 404}.Play(t, fixture)
	scenario{
		Method: "PATCH", URL: path + "/" + wiretest.OfferID, Headers: asCarol, Body: `{"state":"accepted"}`,
		Has: []string{`"state":"accepted"`},
	}.Play(t, fixture)
	if owner := fixture.App(t, wiretest.Hello).Owner; owner != wiretest.Carol.ID {
		t.Errorf("the app belongs to %s", owner)
	}
	fixture = newFixture()
	cut(t, true)
	// Carol has it, does not say so again, and gives it away.
	scenario{
		Method: "POST", URL: path, Headers: asCarol, Body: `{"app":"hello","recipient":"bob@example.com"}`,
		Status: 201, Has: []string{`"state":"pending"`, "bob@"},
	}.Play(t, fixture)
	scenario{URL: path + "/" + wiretest.OfferID, Has: []string{`"state":"accepted"`}}.Play(t, fixture)
}

func TestAnAppThatIsBeingDeletedIsNotTransferred(t *testing.T) {
	fixture := newFixture(deleting)
	scenario{
		Method: "PATCH", URL: "/account/app-transfers/" + wiretest.OfferID, Headers: wiretest.Header(
			"Authorization", "Bearer carol-token",
		),
		Body: `{"state":"accepted"}`, Status: 404,
	}.Play(t, fixture)
}
