package addons_test

import (
	"context"
	"testing"

	"renga"
	"renga/api/wire/wiretest"
)

// warned has the database near two limits.
func warned(t *testing.T, f *fixture) {
	t.Helper()
	err := f.DB.EditAddOns(context.Background(), []renga.AddOnID{wiretest.Database}, func(all map[renga.AddOnID]*renga.AddOn) error {
		all[wiretest.Database].Warnings = renga.Warnings{renga.MeasureConnections: 80, renga.MeasureData: 95}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestWhatAnAddOnUsesIsTold with the same figures everywhere.
func TestWhatAnAddOnUsesIsTold(t *testing.T) {
	for _, sc := range []scenario{
		{
			URL: "/addons/postgresql-curved-12345/usage",
			Has: []string{
				`"connections":{"used":18,"limit":20}`, `"data_bytes":{"used":1020054733,"limit":1073741824}`,
				`"memory_bytes":{"used":1048576,"limit":null}`, `"measured_at":"2026-01-02T03:04:05Z"`,
				`"warnings":[{"of":"data","percent":95},{"of":"connections","percent":80}]`,
			},
			HasNot: []string{wiretest.Marker, "postgres://"},
		},
		{
			URL: "/client/v11/databases/postgresql-curved-12345",
			Has: []string{
				`{"name":"Connections","values":["18/20"]}`, `{"name":"Data Size","values":["972.8 MB/1.0 GB (95%)"]}`,
				`{"name":"Memory","values":["1.0 MB"]}`,
			},
		},
		{
			URL: "/addons/redis-flat-11111/usage",
			Has: []string{`"measured_at":null`, `"memory_bytes":null`, `"warnings":[]`},
		},
		{URL: "/addons/postgresql-curved-12345", Has: []string{`"warnings":[{"of":"data","percent":95}`}},
		{URL: "/addons/redis-flat-11111", HasNot: []string{"warnings"}},
		{URL: "/addons/redis-round-54321/usage", Status: 404},
		{URL: "/addons/postgresql-curved-12345/usage", Headers: wiretest.AsBob, Status: 404, HasNot: []string{"18"}},
	} {
		f := newFixture()
		warned(t, f)
		sc.Play(t, f)
	}
}
