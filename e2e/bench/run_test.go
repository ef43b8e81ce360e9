package bench_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

const (
	runTimes = 15
	// aimRun is how much longer a one-off dyno may take than docker run.
	aimRun = 1.2
)

// BenchmarkRun is the time of a one-off dyno that does nothing: from the request
// to the end of its output, as Heroku's CLI asks for it. Beside it, in turns,
// docker run of the same image.
func BenchmarkRun(b *testing.B) {
	w := start(b)
	w.push("hello", "run")
	w.served("hello", "run")
	image := w.imageID("run")
	var ours, docker []time.Duration
	for range runTimes {
		ours = append(ours, w.timed(func() { w.oneOff("/app print DYNO") }))
		began := time.Now()
		_, err := w.Docker(b.Context(), "run", "--name", "renga-bench-run", image, "print", "DYNO")
		docker = append(docker, time.Since(began))
		_, removeErr := w.Docker(b.Context(), "rm", "--force", "renga-bench-run")
		w.must(errors.Join(err, removeErr))
	}
	figures.add(b, "run-ms", quantile(ours, 0.5), 0)
	figures.add(b, "docker-run-ms", quantile(docker, 0.5), 0)
	figures.add(b, "ratio", quantile(ours, 0.5)/quantile(docker, 0.5), aimRun)
}

// oneOff runs a command in a dyno of hello's to its end.
func (w platform) oneOff(command string) {
	w.b.Helper()
	status, body, err := w.API(w.b.Context(), http.MethodPost, "/apps/hello/dynos", map[string]any{"attach": true, "command": command})
	w.must(err)
	var dyno struct {
		Name string `json:"name"`
		URL  string `json:"attach_url"`
	}
	w.must(json.Unmarshal(body, &dyno))
	if status != http.StatusCreated {
		w.b.Fatalf("run: %d %s", status, body)
	}
	conn, err := w.Rendezvous(w.b.Context(), dyno.URL)
	w.must(err)
	_, err = io.WriteString(conn, "\x04")
	w.must(err)
	out, err := io.ReadAll(conn)
	w.must(errors.Join(err, conn.Close()))
	if strings.TrimSpace(string(out)) != dyno.Name {
		w.b.Fatalf("%s said %q", dyno.Name, out)
	}
}
