package bench_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	memoryApps  = 50
	memoryDynos = 10
	// aimMemory is how much memory the platform may use, in MB.
	aimMemory = 80
	// rest is how long the platform is watched while nothing happens.
	rest = 10 * time.Second
)

// BenchmarkIdleMemory is the resident memory of the platform and of its Redis
// when nothing happens, and the part of one processor it uses then: new, and
// with fifty apps, each with a release, ten of them with a running dyno.
func BenchmarkIdleMemory(b *testing.B) {
	b.Run("new", func(b *testing.B) { watch(start(b)) })
	b.Run("50apps", func(b *testing.B) {
		w := start(b)
		for n := range memoryApps {
			app, version := fmt.Sprintf("app-%d", n), fmt.Sprintf("v%d", n)
			if n >= memoryDynos { // a process type that starts with no dyno
				app += "/worker"
			}
			w.push(app, version)
		}
		for n := range memoryDynos {
			w.served(fmt.Sprintf("app-%d", n), fmt.Sprintf("v%d", n))
		}
		watch(w)
	})
}

// watch reports what the platform uses while nothing happens.
func watch(w platform) {
	w.b.Helper()
	redis := childOf(w, w.Pid())
	before := cpuTime(w, w.Pid())
	time.Sleep(rest) // the measured span itself
	used := cpuTime(w, w.Pid()) - before
	figures.add(w.b, "rss-MB", memory(w, w.Pid(), "VmRSS"), aimMemory)
	figures.add(w.b, "peak-MB", memory(w, w.Pid(), "VmHWM"), 0)
	figures.add(w.b, "redis-MB", memory(w, redis, "VmRSS"), 0)
	figures.add(w.b, "cpu-%", 100*used.Seconds()/rest.Seconds(), 0)
}

// memory is a line of a process's status, in MB.
func memory(w platform, pid int, name string) float64 {
	w.b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	w.must(err)
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			kb, err := strconv.ParseFloat(strings.Fields(value)[0], 64)
			w.must(err)
			return kb * 1024 / 1e6
		}
	}
	w.b.Fatalf("process %d has no %s", pid, name)
	return 0
}

// jiffy is the unit of times in /proc, the same on all Linux platforms that Go
// runs on.
const jiffy = 10 * time.Millisecond

// cpuTime is how long a process has run on processors.
func cpuTime(w platform, pid int) time.Duration {
	w.b.Helper()
	fields := stat(w, fmt.Sprintf("/proc/%d/stat", pid))
	user, err := strconv.Atoi(fields[11])
	w.must(err)
	system, err := strconv.Atoi(fields[12])
	w.must(err)
	return time.Duration(user+system) * jiffy
}

// childOf finds the supervised Redis.
func childOf(w platform, pid int) int {
	w.b.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	w.must(err)
	for _, file := range files {
		if fields := stat(w, file); len(fields) > 1 && fields[1] == strconv.Itoa(pid) {
			child, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			w.must(err)
			return child
		}
	}
	w.b.Fatalf("process %d has no child", pid)
	return 0
}

// stat reads a process's fields from its state on, see proc_pid_stat(5); none
// when it is gone.
func stat(w platform, file string) []string {
	w.b.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	return strings.Fields(string(text)[strings.LastIndex(string(text), ")")+1:])
}
