package container_test

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"renga"
	"renga/addons/catalogue"
	"renga/addons/provider"
	"renga/e2e/services"
)

// besides are things that a dump leaves out, or that a superuser who is careless stumbles
// over: settings that no connection wants, names that mean something else, and large objects.
const besides = `
CREATE SCHEMA trap;
CREATE FUNCTION trap.md5(text) RETURNS text LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''trapped as %'', current_user; END';
CREATE TABLE "weird ""name" (r int, "md5" text);
INSERT INTO "weird ""name" VALUES (1, NULL), (1, NULL), (2, 'it''s');
CREATE TABLE hidden (secret text);
ALTER TABLE hidden ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY nobody ON hidden USING (trap.md5(secret) = '');
CREATE MATERIALIZED VIEW glads AS SELECT count(*) FROM glad;
SELECT lo_from_bytea(0, 'a large object');
CREATE INDEX ON people ((upper(name)));
`

// settings are those of the database itself, one of them with what would end a careless
// quotation.
const settings = `
ALTER DATABASE %[1]s SET search_path = trap, "$user", public;
ALTER DATABASE %[1]s SET default_transaction_read_only = on;
RESET ROLE; ALTER DATABASE %[1]s SET "app.text" = E'it''s \\ "so"\n\\! false';
ALTER DATABASE %[1]s SET statement_timeout = '10ms'
`

// TestDataAreUpgraded goes the steps of an upgrade: the other place has all, the database's
// settings too; what is compared tells any difference; nobody who is frozen out comes in;
// and each place is removed without the other.
func TestDataAreUpgraded(t *testing.T) {
	f, b := shipped(t, services.Postgres15, "heroku-postgresql:standard-0", "heroku-postgresql:standard-2", nil)
	if _, err := services.Build(t.Context(), services.Postgres17); err != nil {
		t.Fatal(err)
	}
	older := f.postgres(b, "15")
	older.AddOn.State, older.AddOn.Credentials[0].State = renga.Provisioned, renga.CredentialActive
	u := older.Service.Upgrade
	f.sql(older, filling)
	f.sql(older, besides)
	f.sql(older, strings.ReplaceAll(settings, "%[1]s", catalogue.DatabaseName(older.AddOn.ID)))

	newer := older
	newer.AddOn = older.AddOn.At(renga.Place{Home: uuid.NewString(), Version: "17"})
	f.removeAtEnd(newer)
	fresh := newer
	fresh.AddOn = newer.AddOn.Clone()
	fresh.AddOn.State, fresh.AddOn.Credentials[0].State = renga.Provisioning, renga.CredentialNew
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(f.ensure(fresh))
	check(f.Grant(t.Context(), newer, newer.AddOn.Credentials[0]))
	do := func(i provider.Instance, c catalogue.Command, from io.Reader) string {
		t.Helper()
		var out bytes.Buffer
		check(f.Do(t.Context(), i, "do it to", c, from, &out))
		return out.String()
	}
	do(newer, u.Freeze, nil)
	ended := f.connected(older)
	do(older, u.Freeze, nil)
	<-ended
	if err := f.login(older); err == nil || !strings.Contains(err.Error(), "not permitted to log in") {
		t.Errorf("who is frozen out is told %v", err)
	}

	before := do(older, u.Sums, nil)
	for _, want := range []string{"table public.people|5000|", "sequence public.people_id_seq|5000|t\n", `table public.weird "name|3|`,
		"table public.hidden|0|0\n", "large objects|1|14\n", "views|2\n", "policies|1\n", "setting search_path=trap"} {
		if !strings.Contains(before, want) {
			t.Errorf("the sums have not %q:\n%s", want, before)
		}
	}
	var dump bytes.Buffer
	check(f.Dump(t.Context(), older, &dump))
	check(f.Restore(t.Context(), newer, &dump))
	do(newer, u.Finish, strings.NewReader(do(older, u.Carry, nil)))
	if after := do(newer, u.Sums, nil); after != before {
		t.Errorf("there is\n%s\nand was\n%s", after, before)
	}
	changes := map[string]string{
		"a value":    "UPDATE people SET mood = 'sad' WHERE id = 77",
		"two values": "UPDATE people SET name = CASE id WHEN 1 THEN 'x' ELSE 'y' END WHERE id IN (1, 2)",
		"a row":      `DELETE FROM "weird ""name" WHERE ctid = '(0,1)'`,
		"a sequence": "SELECT nextval('people_id_seq')",
		"an index":   "DROP INDEX people_upper_idx",
	}
	for what, change := range changes {
		was := do(newer, u.Sums, nil)
		f.sql(newer, "SET statement_timeout = 0; SET default_transaction_read_only = off; SET search_path = public; "+change)
		if now := do(newer, u.Sums, nil); now == was {
			t.Errorf("the sums do not tell that %s is another", what)
		}
	}

	// The one is put to rest, and comes back as it was; the other one is not touched.
	check(f.Rest(t.Context(), older))
	check(f.Rest(t.Context(), older)) // again
	if err := f.Do(t.Context(), older, "ask", u.Sums, nil, io.Discard); renga.KindOf(err) != renga.Unavailable {
		t.Errorf("what is at rest answers: %v", err)
	}
	if version := f.sql(newer, "SHOW server_version"); !strings.HasPrefix(version, "17") {
		t.Errorf("its version is %s", version)
	}
	check(f.Remove(t.Context(), newer))
	if left := f.left(t, older); !slices.Equal(left, []string{"volume renga-addon-" + string(older.AddOn.ID)}) {
		t.Errorf("left is %v", left)
	}
	check(f.ensure(older))
	check(f.Grant(t.Context(), older, older.AddOn.Credentials[0]))
	if again := do(older, u.Sums, nil); again != before {
		t.Errorf("after its rest there is\n%s\nand was\n%s", again, before)
	}
	check(f.login(older))
	check(f.Remove(t.Context(), older))
	if left := f.left(t, older); len(left) > 0 {
		t.Errorf("left is %v", left)
	}
}

// login connects as an app does, with the password, over the network.
func (f *fixture) login(i provider.Instance) error { return f.asApp(f.Context(), i, "SELECT 1") }

func (f *fixture) asApp(ctx context.Context, i provider.Instance, statement string) error {
	// What the database has set ends whatever takes longer than 10 ms.
	url := strings.Replace(f.vars(i)["URL"], i.AddOn.Host, "127.0.0.1", 1) + "?options=-cstatement_timeout%3D0"
	return f.Provider.Run(ctx, i, []string{"psql", "--no-psqlrc", "-qAt", url, "-c", statement}, nil, io.Discard)
}

// connected has an app connect and stay; the channel is closed once that has ended.
func (f *fixture) connected(i provider.Instance) <-chan struct{} {
	f.Helper()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := f.asApp(f.Context(), i, "SELECT pg_sleep(600)"); err == nil {
			f.Error("it slept well")
		}
	}()
	f.eventually("an app is connected", func() bool {
		used, err := f.Measure(f.Context(), i)
		return err == nil && used.Connections == 1
	})
	return ended
}
