package addons_test

import (
	"strings"
	"testing"

	"renga"
	"renga/addons/catalogue"
	"renga/api/wire/wiretest"
)

const (
	spareID = renga.AddOnID("70000000-1000-4000-8000-000000000009")
	copies  = "/client/v11/databases/postgresql-spare-99999/transfers"
)

// withSpare has a second database, of shop.
func withSpare(edits ...func(*wiretest.Seed)) *fixture {
	return newFixture(append(edits, func(s *wiretest.Seed) {
		spare := s.AddOns[0].Clone()
		spare.ID, spare.App, spare.Attachments = spareID, wiretest.Shop, nil
		spare.Name, spare.Host = "postgresql-spare-99999", "postgresql-spare-99999"+renga.AddOnDomain
		s.AddOns = append(s.AddOns, spare)
	})...)
}

// at is the URL of a database at a host.
func at(id renga.AddOnID, host string) string {
	return "postgres://u1:old@" + host + ".internal:5432/" + catalogue.DatabaseName(id)
}

func ofCopy(from, to string) string {
	return `{"from_name":"DATABASE","from_url":"` + from + `","to_name":"SPARE","to_url":"` + to + `"}`
}

// What the CLI sends and looks at in pg:copy.
func TestACopy(t *testing.T) {
	f := withSpare()
	scenario{
		Method: "POST", URL: copies, Status: 201, HasNot: []string{wiretest.Marker, "old@"},
		Body: ofCopy(at(wiretest.Database, "postgresql-curved-12345"), at(spareID, "postgresql-shared-17")),
		Has: []string{`"from_type":"pg_dump"`, `"to_type":"pg_restore"`, `"from_name":"postgresql-curved-12345"`,
			`"to_name":"postgresql-spare-99999"`, `"num":1`, `"finished_at":null`, `"to_url":""`},
	}.Play(t, f)
	scenario{URL: "/client/v11/apps/shop/transfers/1", Has: []string{`"to_type":"pg_restore"`}}.Play(t, f)
	scenario{URL: "/addons/postgresql-spare-99999/backups/c001", Has: []string{`"kind":"copy"`, string(wiretest.Database)}}.Play(t, f)
	all, err := f.DB.BackupsOf(t.Context(), wiretest.Shop)
	if err != nil || len(all) != 1 || all[0].From != wiretest.Database || all[0].AddOn != spareID {
		t.Errorf("there are %+v, %v", all, err)
	}
}

// A URL opens nothing: whoever knows one, and may not read the config vars that have it,
// copies nothing; nor does anybody to or from another host.
func TestCopiesThatAreRefused(t *testing.T) {
	from, to := at(wiretest.Database, "postgresql-curved-12345"), at(spareID, "postgresql-spare-99999")
	for name, body := range map[string]string{
		"to another host":     ofCopy(from, "postgres://u:p@db.example.com/"+catalogue.DatabaseName(spareID)),
		"to another database": ofCopy(to, from),
		"from another host":   ofCopy("postgres://u:p@169.254.169.254/"+catalogue.DatabaseName(wiretest.Database), to),
		"from no database":    ofCopy("postgres://u:p@postgresql-curved-12345.internal:5432/", to),
		"from a cache":        ofCopy(at(wiretest.OwnCache, "redis-flat-11111"), to),
		"onto itself":         ofCopy(to, to),
		"from nowhere":        ofCopy("%", to),
		"of nothing":          `{}`,
	} {
		f := withSpare()
		if res, text := f.Ask("POST", copies, body, wiretest.Bearer("ada-token")); res.StatusCode != 422 {
			t.Errorf("%s: %d %s", name, res.StatusCode, text)
		}
	}
	const view, deploy, operate = renga.MayView, renga.MayDeploy, renga.MayOperate
	for name, c := range map[string]struct {
		hello, shop []renga.Permission
		status      int
	}{
		"nothing with the source":       {nil, []renga.Permission{view, operate}, 201}, // shop has it attached
		"no more than a look at both":   {[]renga.Permission{view}, []renga.Permission{view}, 403},
		"the source alone":              {[]renga.Permission{view, deploy}, nil, 404},
		"deploys the target's app only": {[]renga.Permission{view, deploy}, []renga.Permission{view, deploy}, 403},
	} {
		f := withSpare(func(s *wiretest.Seed) {
			s.Edit(wiretest.Hello, func(a *renga.App) { a.Collaborators = with(c.hello) })
			s.Edit(wiretest.Shop, func(a *renga.App) { a.Collaborators = with(c.shop) })
		})
		if res, text := f.Ask("POST", copies, ofCopy(from, to), wiretest.Bearer("carol-token")); res.StatusCode != c.status {
			t.Errorf("as one who may %s: %d %s", name, res.StatusCode, text)
		}
	}
	// Whoever operates the target, and may not read any app that has the source.
	f := withSpare(func(s *wiretest.Seed) {
		for i := range s.AddOns {
			if s.AddOns[i].ID == wiretest.Database {
				s.AddOns[i].Attachments = s.AddOns[i].Attachments[:1]
			}
		}
		s.Edit(wiretest.Hello, func(a *renga.App) { a.Collaborators = with([]renga.Permission{view}) })
		s.Edit(wiretest.Shop, func(a *renga.App) { a.Collaborators = with([]renga.Permission{view, operate}) })
	})
	if res, text := f.Ask("POST", copies, ofCopy(from, to), wiretest.Bearer("carol-token")); res.StatusCode != 422 ||
		strings.Contains(text, "postgresql-curved-12345") {
		t.Errorf("of a source that is only seen: %d %s", res.StatusCode, text)
	}
	if res, _ := f.Ask("POST", copies, ofCopy(from, to), wiretest.Bearer("ada-token/write")); res.StatusCode != 403 {
		t.Errorf("with a token of scope write: %d", res.StatusCode)
	}
	if all, err := f.DB.BackupsOf(t.Context(), wiretest.Shop); err != nil || len(all) != 0 {
		t.Errorf("there are %v, %v", all, err)
	}
}
