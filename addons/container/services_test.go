package container_test

import (
	"fmt"
	"testing"
	"time"

	"renga"
	"renga/addons/catalogue"
	"renga/addons/container"
	"renga/addons/providertest"
	"renga/docker"
	"renga/e2e/services"
)

// shipped is a bench for a service as it is shipped, with an image that the tests
// made. Its dynos have the same image, for the client in it.
func shipped(t *testing.T, image, plan, larger string, options map[string]string) (*fixture, *providertest.Bench) {
	t.Helper()
	if _, err := services.Build(t.Context(), image); err != nil {
		t.Fatal(err)
	}
	offered, err := catalogue.Load("")
	if err != nil {
		t.Fatal(err)
	}
	f := newBareFixture(t)
	f.AnswerLimit = container.DefaultAnswerLimit
	b := &providertest.Bench{Provider: f.Provider, Options: options, Kill: f.kill, Left: f.left, Limit: 3 * time.Minute}
	if b.Service, b.Plan, err = offered.Plan(plan); err == nil {
		_, b.Larger, err = offered.Plan(larger)
	}
	if err != nil {
		t.Fatal(err)
	}
	f.client = providertest.Client{Docker: f.docker, Image: imageID(t, f.docker, image), Idle: []string{"sleep", "86400"}}
	return f, b
}

func imageID(t *testing.T, client *docker.Client, name string) string {
	t.Helper()
	image, err := client.ImageByName(t.Context(), name, func(int64, int64) { t.Error("it is pulled") })
	if err != nil {
		t.Fatal(err)
	}
	return image.ID
}

func TestPostgreSQLAsItIsShipped(t *testing.T) {
	providertest.Run(t, func(t *testing.T) *providertest.Bench {
		t.Parallel()
		f, b := shipped(t, services.Postgres15, "heroku-postgresql:standard-0", "heroku-postgresql:standard-2",
			map[string]string{"version": "15"})
		psql := func(vars renga.Vars, statements ...string) []string {
			argv := []string{"psql", "--no-psqlrc", "-qAt", "--set=ON_ERROR_STOP=1", vars["URL"] + "?connect_timeout=5"}
			for _, s := range statements {
				argv = append(argv, "-c", s)
			}
			return argv
		}
		f.client.Set = func(vars renga.Vars, key, value string) []string {
			return psql(vars, "CREATE TABLE IF NOT EXISTS notes (key text PRIMARY KEY, value text)",
				fmt.Sprintf("INSERT INTO notes VALUES ('%s', '%s') ON CONFLICT (key) DO UPDATE SET value = excluded.value", key, value))
		}
		f.client.Get = func(vars renga.Vars, key string) []string {
			return psql(vars, fmt.Sprintf("SELECT value FROM notes WHERE key = '%s'", key))
		}
		f.client.Hold = func(vars renga.Vars) []string { return psql(vars, "SELECT 'open'", "SELECT pg_sleep(600)") }
		b.NewApp = f.client.NewApp
		return b
	})
}

func TestRedisAsItIsShipped(t *testing.T) {
	providertest.Run(t, func(t *testing.T) *providertest.Bench {
		t.Parallel()
		f, b := shipped(t, services.Redis7, "heroku-redis:mini", "heroku-redis:premium-1", nil)
		cli := func(vars renga.Vars, command ...string) []string {
			return append([]string{"timeout", "20", "redis-cli", "-e", "--no-auth-warning", "-u", vars["URL"]}, command...)
		}
		f.client.Set = func(vars renga.Vars, key, value string) []string { return cli(vars, "SET", key, value) }
		f.client.Get = func(vars renga.Vars, key string) []string { return cli(vars, "GET", key) }
		f.client.Hold = func(vars renga.Vars) []string {
			return []string{"sh", "-c", `redis-cli --no-auth-warning -u "$0" SUBSCRIBE news`, vars["URL"]}
		}
		b.NewApp = f.client.NewApp
		return b
	})
}
