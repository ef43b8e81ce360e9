package bench_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"

	"renga/e2e/services"
)

const (
	addOnSamples = 5
	// aimAddOn is by how many milliseconds a dyno may have an add-on's credential later than
	// its image alone answers.
	aimAddOn = 1000
	// manyAddOns are on one machine, and aimAddOnMemory is how many KB of memory the
	// platform may use for each.
	manyAddOns     = 50
	aimAddOnMemory = 200
	// aimCopy is how many times as long as by hand a copy of a database may take.
	aimCopy = 1.15
	// addOnLimit bounds the wait for many add-ons, or for a large copy.
	addOnLimit = 15 * time.Minute
)

// BenchmarkAddOn is the time from asking for an add-on until a dyno that answers has its
// config var. The floor is the time of the same image alone, from its creation to its
// first answer, taken in turns; the dyno's start is not in it.
func BenchmarkAddOn(b *testing.B) {
	for _, c := range []struct {
		image, plan, version, asks string
		env                        []string
		port                       int
	}{
		{services.Redis7, "heroku-redis:mini", "", "PING\r\n", nil, 6379},
		// An SSLRequest, which PostgreSQL answers once it lets clients in.
		{services.Postgres15, "heroku-postgresql:standard-0", "15", "\x00\x00\x00\x08\x04\xd2\x16\x2f", []string{"POSTGRES_PASSWORD=none"}, 5432},
	} {
		b.Run(strings.ReplaceAll(c.image, ":", ""), func(b *testing.B) {
			w := withServices(b, c.image)
			w.push("users", "v0")
			w.served("users", "v0")
			var floor, took, over []time.Duration
			for n := range addOnSamples {
				alone := w.imageAlone(c.image, c.port, c.asks, c.env...)
				name := fmt.Sprintf("ADDON%d", n)
				all := w.timed(func() {
					w.addOn("users", name, c.plan, c.version)
					w.until(func(ctx context.Context) bool { return w.text(ctx, "users", "/env?name="+name+"_URL") != "" },
						"a dyno has "+name+"_URL")
				})
				w.alone("users", 1)
				w.remove("users", name)
				floor, took, over = append(floor, alone), append(took, all), append(over, all-alone)
			}
			figures.add(b, "floor-ms", quantile(floor, 0.5), 0)
			figures.add(b, "credential-ms", quantile(took, 0.5), 0)
			figures.add(b, "over-ms", quantile(over, 0.5), aimAddOn)
		})
	}
}

// BenchmarkManyAddOns is the resident memory of the platform with fifty add-ons, against
// that without, each after a start: what their making has left is not theirs.
func BenchmarkManyAddOns(b *testing.B) {
	w := withServices(b, services.Redis7)
	w.ask(http.MethodPost, "/apps", map[string]any{"name": "many"})
	time.Sleep(rest) // the measured span itself
	before := memory(w, w.Pid(), "VmRSS")
	began := time.Now()
	for n := range manyAddOns {
		w.addOn("many", fmt.Sprintf("CACHE%d", n), "heroku-redis:mini", "")
	}
	w.within(addOnLimit, func(ctx context.Context) bool {
		var all []struct{ State string }
		w.read(ctx, "/apps/many/addons", &all)
		for _, a := range all {
			if a.State != "provisioned" {
				return false
			}
		}
		return len(all) == manyAddOns
	}, "all add-ons are provisioned")
	figures.add(b, "all-provisioned-s", time.Since(began).Seconds(), 0)
	figures.add(b, "rss-after-making-MB", memory(w, w.Pid(), "VmRSS"), 0)
	w.must(w.Stop())
	w.must(w.Start(b.Context(), "--prove-backups=false"))
	time.Sleep(rest)
	after := memory(w, w.Pid(), "VmRSS")
	figures.add(b, "rss-MB", after, 0)
	figures.add(b, "KB/addon", (after-before)*1000/manyAddOns, aimAddOnMemory)
}

// BenchmarkCopyDatabase is the time for a database to be copied into another one, against
// pg_dump | pg_restore by hand between the same two, in turns; and how much memory the
// platform used more for it at most. RENGA_BENCH_MB is how large it is, 1000 by default.
func BenchmarkCopyDatabase(b *testing.B) {
	size := 1000
	if text := os.Getenv("RENGA_BENCH_MB"); text != "" {
		var err error
		if size, err = strconv.Atoi(text); err != nil {
			b.Fatal(err)
		}
	}
	w := withServices(b, services.Postgres15)
	w.ask(http.MethodPost, "/apps", map[string]any{"name": "users"})
	for _, name := range []string{"FIRST", "SECOND"} {
		w.addOn("users", name, "heroku-postgresql:standard-0", "15")
	}
	vars := map[string]string{}
	w.within(addOnLimit, func(ctx context.Context) bool {
		w.read(ctx, "/apps/users/config-vars", &vars)
		return vars["FIRST_URL"] != "" && vars["SECOND_URL"] != ""
	}, "both databases are there")
	from, to := w.databaseOf(vars["FIRST_URL"]), w.databaseOf(vars["SECOND_URL"])
	// Half of it is left when it is compressed.
	w.shell(fmt.Sprintf("docker exec %s psql -U postgres -d %s -qc 'SET ROLE %[2]s_owner' -c \"CREATE TABLE notes AS SELECT n AS id, "+
		"(SELECT string_agg(md5((n * i)::text), '') FROM generate_series(1, 30) i) AS body FROM generate_series(1, %d) n\" "+
		"-c 'ALTER TABLE notes ADD PRIMARY KEY (id)' -c 'RESET ROLE' -c CHECKPOINT", from.container, from.name, size*1000))
	peak := memory(w, w.Pid(), "VmHWM")
	var hand, renga []time.Duration
	for range 2 {
		hand = append(hand, w.timed(func() {
			w.shell(fmt.Sprintf("docker exec %s psql -U postgres -qc 'DROP DATABASE IF EXISTS byhand' -c 'CREATE DATABASE byhand' && "+
				"docker exec %s pg_dump -U postgres -d %s -Fc -Z1 --no-owner | docker exec -i %[1]s pg_restore -U postgres -d byhand --no-owner "+
				"--exit-on-error", to.container, from.container, from.name))
		}))
		renga = append(renga, w.timed(func() { w.copyDatabase(vars["FIRST_URL"], vars["SECOND_URL"]) }))
	}
	for _, database := range []string{to.name, "byhand"} {
		if got := w.shell(fmt.Sprintf("docker exec %s psql -U postgres -d %s -Atc 'SELECT count(*) FROM notes'", to.container, database)); got !=
			strconv.Itoa(size*1000) {
			b.Fatalf("%s has %s rows", database, got)
		}
	}
	figures.add(b, "by-hand-ms", quantile(hand, 0.5), 0)
	figures.add(b, "copy-ms", quantile(renga, 0.5), 0)
	figures.add(b, "times-by-hand", quantile(renga, 0.5)/quantile(hand, 0.5), aimCopy)
	figures.add(b, "memory-more-MB", memory(w, w.Pid(), "VmHWM")-peak, 0)
}

// withServices starts a platform, for whose add-ons that image is there.
func withServices(b *testing.B, image string) platform {
	b.Helper()
	if _, err := services.Build(b.Context(), image); err != nil {
		b.Fatal(err)
	}
	return start(b, "--prove-backups=false")
}

// addOn asks for an add-on, which is called as its attachment.
func (w platform) addOn(app, attachment, plan, version string) {
	w.b.Helper()
	options := map[string]string{}
	if version != "" {
		options["version"] = version
	}
	w.ask(http.MethodPost, "/apps/"+app+"/addons", map[string]any{
		"plan": plan, "name": strings.ToLower(attachment) + "-addon", "attachment": map[string]string{"name": attachment}, "config": options,
	})
}

// remove removes one, and waits until no release has it and its dyno is alone.
func (w platform) remove(app, attachment string) {
	w.b.Helper()
	w.ask(http.MethodDelete, "/apps/"+app+"/addons/"+strings.ToLower(attachment)+"-addon", map[string]any{})
	w.until(func(ctx context.Context) bool {
		answer, err := w.Get(ctx, app, "/env?name="+attachment+"_URL")
		return err == nil && answer.Status == http.StatusOK && len(strings.TrimSpace(string(answer.Body))) == 0
	}, "no dyno has "+attachment)
	w.alone(app, 1)
}

// read reads an answer of the API.
func (w platform) read(ctx context.Context, path string, into any) {
	w.b.Helper()
	answer, err := w.APIAs(ctx, w.token, http.MethodGet, path, nil)
	w.must(err)
	w.must(json.Unmarshal(answer.Body, into))
}

// within is until with another limit.
func (w platform) within(limit time.Duration, ask func(context.Context) bool, what string) {
	w.b.Helper()
	ctx, cancel := context.WithTimeout(w.b.Context(), limit)
	defer cancel()
	for !ask(ctx) {
		select {
		case <-ctx.Done():
			w.b.Fatalf("gave up waiting until %s\n%s", what, w.Log())
		case <-time.After(step):
		}
	}
}

// shell runs a pipe as somebody would by hand, and gives what it printed.
func (w platform) shell(command string) string {
	w.b.Helper()
	out, err := exec.CommandContext(w.b.Context(), "bash", "-euo", "pipefail", "-c", command).CombinedOutput()
	if err != nil {
		w.b.Fatalf("%s: %v: %s", command, err, out)
	}
	return strings.TrimSpace(string(out))
}

// database is one in its container.
type database struct{ container, name string }

func (w platform) databaseOf(address string) database {
	w.b.Helper()
	at, err := url.Parse(address)
	w.must(err)
	name, _, _ := strings.Cut(at.Hostname(), ".")
	id := w.shell("docker ps --quiet --filter label=renga.addon-name=" + name + " --filter label=renga.kind=addon")
	return database{id, strings.TrimPrefix(at.Path, "/")}
}

// copyDatabase does what heroku pg:copy asks for.
func (w platform) copyDatabase(from, to string) {
	w.b.Helper()
	w.ask(http.MethodPost, "/client/v11/databases/second-addon/transfers", map[string]any{"from_url": from, "to_url": to})
	w.within(addOnLimit, func(ctx context.Context) bool {
		var all []struct {
			State  string
			Reason *string
		}
		w.read(ctx, "/addons/second-addon/backups", &all)
		if len(all) > 0 && all[0].State == "failed" {
			w.b.Fatalf("the copy failed: %s", *all[0].Reason)
		}
		return len(all) > 0 && all[0].State == "completed"
	}, "the database is copied")
}

// imageAlone is how long a container of an image takes from its creation to its first
// answer on a port.
func (w platform) imageAlone(image string, port int, asks string, env ...string) time.Duration {
	w.b.Helper()
	api, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	w.must(err)
	defer api.Close()
	ctx, began := w.b.Context(), time.Now()
	twin := &container.Config{Image: image, Env: env}
	made, err := api.ContainerCreate(ctx, twin, nil, nil, nil, "")
	w.must(err)
	defer func() {
		w.must(api.ContainerRemove(context.WithoutCancel(ctx), made.ID, container.RemoveOptions{Force: true, RemoveVolumes: true}))
	}()
	w.must(api.ContainerStart(ctx, made.ID, container.StartOptions{}))
	c, err := api.ContainerInspect(ctx, made.ID)
	w.must(err)
	at := net.JoinHostPort(c.NetworkSettings.Networks["bridge"].IPAddress, strconv.Itoa(port))
	w.until(func(ctx context.Context) bool { return answersTo(ctx, at, asks) }, image+" answers")
	return time.Since(began)
}

// answersTo tells whether whoever listens answers with anything.
func answersTo(ctx context.Context, address, asks string) bool {
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", address)
	if err != nil {
		return false
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return false
	}
	if _, err := conn.Write([]byte(asks)); err != nil {
		return false
	}
	_, err = bufio.NewReader(conn).ReadByte()
	return err == nil
}
