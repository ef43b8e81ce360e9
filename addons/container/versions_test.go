package container_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"renga"
	"renga/addons/catalogue"
	"renga/addons/provider"
	"renga/addons/providertest"
	"renga/e2e/services"
)

// filling makes data of the kinds that a dump could lose, and counted is what there is of
// them: the rows of each table and a checksum, sequences, and what guards the data.
const (
	filling = `
CREATE TYPE mood AS ENUM ('sad', 'glad');
CREATE TABLE people (
  id serial PRIMARY KEY, name text NOT NULL UNIQUE, mood mood, facts jsonb, at timestamptz DEFAULT '2026-01-01 UTC');
CREATE TABLE notes (person int NOT NULL REFERENCES people ON DELETE CASCADE, body text, raw bytea) PARTITION BY HASH (person);
CREATE TABLE notes_0 PARTITION OF notes FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE notes_1 PARTITION OF notes FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO people (name, mood, facts)
  SELECT 'person ' || n, 'glad', jsonb_build_object('n', n, 'é', 'ß"\') FROM generate_series(1, 5000) n;
INSERT INTO notes SELECT id, repeat(name, 3), decode(md5(name), 'hex') FROM people;
CREATE VIEW glad AS SELECT name FROM people WHERE mood = 'glad';
CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1';
`
	counted = `
SELECT 'people', count(*), md5(string_agg(p::text, ',' ORDER BY id)) FROM people p;
SELECT 'notes', count(*), md5(string_agg(n::text, ',' ORDER BY person)) FROM notes n;
SELECT last_value FROM people_id_seq;
SELECT count(*) FROM glad WHERE one() = 1;
SELECT conrelid::regclass, conname, contype FROM pg_constraint WHERE conrelid::regclass::text IN ('people', 'notes') AND contype <> 'n'
  ORDER BY 1, 2;
SELECT indexname FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1;
`
)

// TestDataGoIntoANewerPostgreSQL does what pg:copy does on the way to another version: all of
// the data arrive, and the old ones stay. A dump that breaks off anywhere replaces nothing.
func TestDataGoIntoANewerPostgreSQL(t *testing.T) {
	f, b := shipped(t, services.Postgres15, "heroku-postgresql:standard-0", "heroku-postgresql:standard-2", nil)
	if _, err := services.Build(t.Context(), services.Postgres17); err != nil {
		t.Fatal(err)
	}
	older, newer := f.postgres(b, "15"), f.postgres(b, "17")
	f.sql(older, filling)
	before := f.sql(older, counted)
	if !strings.Contains(before, "people|5000|") {
		t.Fatalf("there is %s", before)
	}
	f.sql(newer, "CREATE TABLE old AS SELECT 42 AS answer")
	var dump bytes.Buffer
	if err := f.Dump(t.Context(), older, &dump); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("the dump broke off")
	for _, part := range []int64{0, int64(dump.Len()) / 2, int64(dump.Len()) - 1} {
		cut := io.MultiReader(io.LimitReader(bytes.NewReader(dump.Bytes()), part), iotest.ErrReader(broken))
		if err := f.Restore(t.Context(), newer, cut); !errors.Is(err, broken) {
			t.Errorf("after %d bytes it ends with %v", part, err)
		}
		ended := io.LimitReader(bytes.NewReader(dump.Bytes()), part) // as when Renga is killed
		if err := f.Restore(t.Context(), newer, ended); renga.KindOf(err) != renga.Unavailable {
			t.Errorf("cut off after %d bytes it ends with %v", part, err)
		}
		if got := f.sql(newer, "SELECT answer FROM old"); got != "42\n" {
			t.Fatalf("after %d bytes there is %q", part, got)
		}
	}
	if err := f.Restore(t.Context(), newer, &dump); err != nil {
		t.Fatal(err)
	}
	if after := f.sql(newer, counted); after != before {
		t.Errorf("there is\n%s\nand was\n%s", after, before)
	}
	if still := f.sql(older, counted); still != before {
		t.Errorf("the older one has\n%s\nand had\n%s", still, before)
	}
	if version := f.sql(newer, "SHOW server_version"); !strings.HasPrefix(version, "17") {
		t.Errorf("its version is %s", version)
	}
}

// postgres is a database of a version, which answers.
func (f *fixture) postgres(b *providertest.Bench, version string) provider.Instance {
	f.Helper()
	i := providertest.NewInstance(b.Service, b.Plan)
	i.AddOn.Options = map[string]string{"version": version}
	f.removeAtEnd(i)
	if err := f.ensure(i); err != nil {
		f.Fatal(err)
	}
	if err := f.Grant(f.Context(), i, i.AddOn.Credentials[0]); err != nil {
		f.Fatal(err)
	}
	return i
}

// sql runs statements in an add-on's database, as its app's role.
func (f *fixture) sql(i provider.Instance, statements string) string {
	f.Helper()
	database := catalogue.DatabaseName(i.AddOn.ID)
	var out bytes.Buffer
	err := f.Provider.Run(f.Context(), i, []string{
		"psql", "--no-psqlrc", "-qAt", "--set=ON_ERROR_STOP=1", "--username=postgres", "--dbname=" + database,
	}, strings.NewReader(fmt.Sprintf("SET ROLE %s_owner;\n%s;\n", database, statements)), &out)
	if err != nil {
		f.Fatalf("%s: %v", statements, err)
	}
	return out.String()
}
