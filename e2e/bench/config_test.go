package bench_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

const (
	changes = 300
	// aimConfig is how long a config change may take, in milliseconds.
	aimConfig = 20
)

// BenchmarkConfigChange is the time of a call that sets one config var. When it
// answers, the release is on the disk and recorded in a Redis that writes every
// change to its disk at once; fsync-ms is what one new file on that disk takes in
// the same run, and the call waits for several such steps. With a dyno, each
// change starts one while the next is asked for.
func BenchmarkConfigChange(b *testing.B) {
	b.Run("idle", func(b *testing.B) {
		w := start(b)
		w.ask(http.MethodPost, "/apps", map[string]string{"name": "vars"})
		changeVars(w, changes, 0)
	})
	b.Run("dyno", func(b *testing.B) {
		w := start(b)
		w.push("vars", "v0")
		w.served("vars", "v0")
		changeVars(w, changes/3, 100*time.Millisecond)
	})
}

// changeVars sets a config var that many times, with a pause in between.
func changeVars(w platform, times int, pause time.Duration) {
	w.b.Helper()
	var calls, floors []time.Duration
	for n := range times {
		body := map[string]string{"COUNT": fmt.Sprint(n)}
		floors = append(floors, w.timed(func() { syncFile(w, fmt.Sprint(n)) }))
		calls = append(calls, w.timed(func() { w.ask(http.MethodPatch, "/apps/vars/config-vars", body) }))
		time.Sleep(pause) // paces the changes; orders nothing
	}
	figures.add(w.b, "fsync-ms", quantile(floors, 0.5), 0)
	figures.add(w.b, "median-ms", quantile(calls, 0.5), aimConfig)
	figures.add(w.b, "p99-ms", quantile(calls, 0.99), 0)
}

// syncFile makes a file and returns once it is on the disk.
func syncFile(w platform, name string) {
	w.b.Helper()
	f, err := os.Create(filepath.Join(w.Dir, "..", "fsync-"+name))
	w.must(err)
	_, err = f.WriteString(name)
	w.must(errors.Join(err, f.Sync(), f.Close()))
}
