package buildpacks_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"renga"
	"renga/builds"
	"renga/builds/buildpacks"
	"renga/docker/dockertest"
	"renga/e2e/builder"
)

// hostile is the buildpack that runs the app's script hostile.sh.
const hostile = "test/hostile"

// hostileBuilder makes a builder that has it, until the test's end.
func hostileBuilder(t *testing.T) string {
	t.Helper()
	ref, _ := builder.Python.Make(t)
	const label = "io.buildpacks.builder.metadata"
	var metadata map[string]any
	said := dockertest.Docker(t, "image", "inspect", "--format", `{{index .Config.Labels "`+label+`"}}`, ref)
	if err := json.Unmarshal([]byte(said), &metadata); err != nil {
		t.Fatal(err)
	}
	metadata["buildpacks"] = append(metadata["buildpacks"].([]any), map[string]string{"id": hostile, "version": "1.0.0"})
	text, err := json.Marshal(metadata)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, content := range map[string]string{
		"Dockerfile":     "FROM " + ref + "\nCOPY --chmod=755 buildpack /cnb/buildpacks/test_hostile/1.0.0\n",
		"buildpack.toml": "api = \"0.10\"\n[buildpack]\nid = \"" + hostile + "\"\nversion = \"1.0.0\"\n[[targets]]\nos = \"linux\"\n",
		"bin/detect":     "#!/bin/sh\n",
		"bin/build":      "#!/bin/sh\nexec sh ./hostile.sh\n",
	} {
		file := filepath.Join(dir, "buildpack", name)
		if name == "Dockerfile" {
			file = filepath.Join(dir, name)
			content = strings.Replace(content, "--chmod=755 ", "", 1) // BuildKit's
		}
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	name := "renga-test-hostile:" + uuid.NewString()
	dockertest.Docker(t, "build", "--quiet", "--tag", name, "--label", label+"="+string(text), dir)
	t.Cleanup(func() { dockertest.Docker(t, "image", "rm", name) })
	return name
}

// run is a job that runs a script in a build.
func (f *fixture) run(ref, script string) builds.Job {
	f.write("hostile.sh", script)
	j := f.job(ref)
	j.Build.Buildpacks = []string{hostile}
	return j
}

// listener takes a build's output, and does something when a text comes.
type listener struct {
	mu   sync.Mutex
	said bytes.Buffer
	text string
	then func()
}

func (l *listener) Write(p []byte) (int, error) {
	l.mu.Lock()
	l.said.Write(p)
	due := l.then != nil && strings.Contains(l.said.String(), l.text)
	then := l.then
	if due {
		l.then = nil
	}
	l.mu.Unlock()
	if due {
		then()
	}
	return len(p), nil
}

func (l *listener) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.said.String()
}

// nothingRuns makes sure that no container of a build is left.
func (f *fixture) nothingRuns() {
	f.Helper()
	left, err := f.client.List(context.Background(), "build")
	if err != nil || len(left) > 0 {
		f.Errorf("containers are left: %v, %v", left, err)
	}
}

func TestBuildIsKeptWithinItsLimits(t *testing.T) {
	ref := hostileBuilder(t)
	for name, c := range map[string]struct {
		script, sentence, says string
	}{
		"memory": {
			"python3 -c 'x = []\nwhile True: x.append(b\"x\" * (10 << 20))'", "used more than 256 MB of memory and was ended.", "",
		},
		"processes": {
			`exec python3 -c 'import threading, time, sys
n = 0
try:
    while True:
        threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
        n += 1
except RuntimeError:
    print("no more than", n // 1000, "thousand", flush=True)
    import os
    os._exit(1)'`, "A buildpack failed", "no more than 4 thousand",
		},
		"disk":  {"head -c 300000000 /dev/zero > fill; exec sleep 600", "wrote more than 64 MB and was ended.", ""},
		"cache": {"head -c 300000000 /dev/zero > /cache/fill; exec sleep 600", "wrote more than 64 MB and was ended.", "up to 16 MB are kept"},
		"holes": {
			"dest=/layout/renga.local/app/latest; mkdir -p $dest; truncate -s 100G $dest/core", "The build made more than 64 MB of layers", "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, func(o *buildpacks.Options) {
				o.MemoryBytes, o.DiskBytes, o.CacheBytes = 256<<20, 64<<20, 16<<20
				if name == "holes" {
					o.DiskBytes, o.ImageBytes = 0, 64<<20
				}
			})
			if said := f.refused(f.run(ref, c.script), c.sentence); !strings.Contains(said, c.says) {
				t.Errorf("it said\n%s", said)
			}
			f.nothingRuns()
			if has, err := f.client.HasVolume(t.Context(), "renga-build-cache-"+string(f.app.ID)); err != nil || has != (name != "cache") {
				t.Errorf("there is a cache: %t, %v", has, err)
			}
		})
	}
}

func TestCacheIsBounded(t *testing.T) {
	ref := hostileBuilder(t)
	f := newFixture(t, func(o *buildpacks.Options) { o.CacheBytes = 16 << 20 })
	cached := func() bool {
		has, err := f.client.HasVolume(t.Context(), "renga-build-cache-"+string(f.app.ID))
		if err != nil {
			t.Fatal(err)
		}
		return has
	}
	if _, said := f.make(f.run(ref, "head -c 8000000 /dev/zero > /cache/mine")); strings.Contains(said, "The cache") || !cached() {
		t.Errorf("a small cache is not kept:\n%s", said)
	}
	_, said := f.make(f.run(ref, "ls /cache/mine && head -c 32000000 /dev/zero > /cache/more"))
	if !strings.Contains(said, "The cache has grown to 3") || !strings.Contains(said, "up to 16 MB are kept") || cached() {
		t.Errorf("a large cache is kept:\n%s", said)
	}
	f.make(f.run(ref, "! ls /cache/mine"))
}

func TestHangingBuildEndsWithItsContext(t *testing.T) {
	f := newFixture(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	said := &listener{text: "it hangs", then: cancel}
	_, err := f.Make(ctx, f.run(hostileBuilder(t), "trap '' TERM INT HUP; echo it hangs; while :; do sleep 600; done"), said)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v:\n%s", err, said)
	}
	f.nothingRuns()
}

// flood counts bytes, and looks at how much memory we have.
type flood struct {
	lines, bytes int
	heap         uint64
	tail         []byte
}

func (c *flood) Write(p []byte) (int, error) {
	if c.lines++; c.lines%5000 == 0 {
		var now runtime.MemStats
		runtime.ReadMemStats(&now)
		c.heap = max(c.heap, now.HeapAlloc)
	}
	c.bytes += len(p)
	c.tail = append(c.tail, p...)
	c.tail = c.tail[max(0, len(c.tail)-2000):]
	return len(p), nil
}

func TestBuildThatPrintsMuchTakesNoMemory(t *testing.T) {
	f := newFixture(t, nil)
	said := &flood{}
	made, err := f.Make(t.Context(), f.run(hostileBuilder(t), `
head -c 100000000 /dev/zero | tr '\0' x
echo
yes "$(head -c 1000 /dev/zero | tr '\0' y)" | head -c 100000000
echo
echo all was printed`), said)
	if err != nil {
		t.Fatalf("%v\n%s", err, said.tail)
	}
	if err := made.Close(); err != nil {
		t.Error(err)
	}
	t.Logf("%d bytes in %d writes; %d MB of memory", said.bytes, said.lines, said.heap>>20)
	// What the daemon rotates away before it is read is lost.
	if said.bytes < 20<<20 || said.heap > 64<<20 {
		t.Errorf("%d bytes came, with %d MB of memory; it ended with\n%s", said.bytes, said.heap>>20, said.tail)
	}
}

func TestBuildHasNoRights(t *testing.T) {
	f := newFixture(t, nil)
	j := f.run(hostileBuilder(t), `
id -u; echo groups $(id -G)
grep -E '^(CapEff|CapPrm|CapInh|CapAmb|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status | tr -d '\t '
for path in /var/run/docker.sock /run/docker.sock /run/containerd/containerd.sock; do test -e $path && echo there is $path; done
test -e /dev/sda && echo there is a disk
unshare -r true 2>/dev/null && echo a user namespace
mount -t tmpfs none /mnt 2>/dev/null && echo a mount
echo 1 2>/dev/null > /proc/sys/kernel/panic && echo the kernel
cat /proc/1/environ | tr '\0' '\n' | grep -E 'TOKEN|t0p' && echo the token is in the environment
echo token $(cat /platform/env/TOKEN)
echo look now
exec sleep 600`)
	j.Env = renga.Vars{"TOKEN": "t0p-s3cret"}
	ctx, cancel := context.WithCancel(t.Context())
	var inspected string
	said := &listener{text: "look now", then: func() {
		id := strings.TrimSpace(dockertest.Docker(t, "ps", "--quiet", "--no-trunc", "--filter", "label=renga.build="+j.Build.ID))
		inspected = dockertest.Docker(t, "container", "inspect", id)
		cancel()
	}}
	if _, err := f.Make(ctx, j, said); !errors.Is(err, context.Canceled) {
		t.Fatalf("it ended with %v:\n%s", err, said)
	}
	for _, want := range []string{
		"\n1000\n", "\ngroups 1000\n", "CapEff:0000000000000000", "CapPrm:0000000000000000", "CapInh:0000000000000000",
		"CapAmb:0000000000000000", "CapBnd:0000000000000000", "NoNewPrivs:1", "Seccomp:2", "\ntoken t0p-s3cret\n",
	} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("%q is missing in\n%s", want, said)
		}
	}
	for _, bad := range []string{"there is", "a user namespace", "a mount", "the kernel", "the token"} {
		if strings.Contains(said.String(), bad) {
			t.Errorf("%q is in\n%s", bad, said)
		}
	}
	if inspected == "" || strings.Contains(inspected, "t0p-s3cret") {
		t.Errorf("the container tells of the token, or nothing:\n%s", inspected)
	}
}

// try is a script that tells whether an address can be connected to.
func try(address string) string {
	host, port, _ := net.SplitHostPort(address)
	return fmt.Sprintf(`python3 -c '
import socket
try:
    socket.create_connection(("%s", %s), 3)
    print("%s is reached")
except OSError as e:
    print("%s is not reached", e)'
`, host, port, address, address)
}

// What the platform's firewall keeps from builds, as from dynos, is tried where there is one.
func TestBuildReachesNeitherOtherBuildsNorTheMachine(t *testing.T) {
	ref := hostileBuilder(t)
	f := newFixture(t, func(o *buildpacks.Options) { o.Slots = 2 })
	t.Cleanup(func() {
		if err := f.client.Forget(context.Background(), renga.AppID(f.client.BridgePrefix()+"-2")); err != nil {
			t.Error(err)
		}
	})
	loopback, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = loopback.Close() }() // nobody comes

	listening := f.run(ref, `exec python3 -c '
import socket
s = socket.create_server(("0.0.0.0", 8000))
print("listening at", socket.gethostbyname(socket.gethostname()), "now", flush=True)
while True: s.accept()'`)
	ctx, cancel := context.WithCancel(t.Context())
	ready := make(chan struct{})
	first := &listener{text: " now\n", then: func() { close(ready) }}
	ended := make(chan error, 1)
	go func() {
		_, err := f.Make(ctx, listening, first)
		ended <- err
	}()
	select {
	case <-ready:
	case err := <-ended:
		t.Fatalf("%v\n%s", err, first)
	}
	_, at, _ := strings.Cut(first.String(), "listening at ")
	address, _, _ := strings.Cut(at, " now")

	other := newFixture(t, nil)
	other.Maker, other.client = f.Maker, f.client // its own app and folder
	want := []string{address + ":8000", loopback.Addr().String()}
	script := ""
	for _, one := range want {
		script += try(one)
	}
	made, said := other.make(other.run(ref, script))
	_ = made
	for _, one := range want {
		if !strings.Contains(said, one+" is not reached") {
			t.Errorf("%s is reached:\n%s", one, said)
		}
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the other build ended with %v", err)
	}
}

func TestMissingBuilderSaysWhatToDo(t *testing.T) {
	f := newFixture(t, nil)
	_, err := f.Make(t.Context(), f.job("127.0.0.1:1/no/builder:24"), io.Discard)
	sentence := renga.MessageOf(err, "")
	if renga.KindOf(err) != renga.Unavailable || !strings.Contains(sentence, "docker load") || !strings.Contains(sentence, "--builder") {
		t.Errorf("it said %v", err)
	}
}

func TestMissingRunImageIsToldBeforeTheBuild(t *testing.T) {
	ref, _ := builder.Python.Make(t)
	dir, name := t.TempDir(), "renga-test-no-run:"+uuid.NewString()
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte("FROM "+ref+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	dockertest.Docker(t, "build", "--quiet", "--tag", name, "--label", `io.buildpacks.builder.metadata={"buildpacks":[],`+
		`"images":[{"image":"127.0.0.1:1/run:24"}],"lifecycle":{"apis":{"platform":{"supported":["0.12"]}}}}`, dir)
	t.Cleanup(func() { dockertest.Docker(t, "image", "rm", name) })
	f := newFixture(t, nil)
	var said bytes.Buffer
	_, err := f.Make(t.Context(), f.job(name), &said)
	sentence := renga.MessageOf(err, "")
	if !strings.Contains(sentence, "127.0.0.1:1/run:24") || !strings.Contains(sentence, "The builder "+name+" builds for the run image") {
		t.Errorf("it said %v", err)
	}
	if strings.Contains(said.String(), "ANALYZING") {
		t.Errorf("it was built first:\n%s", said.String())
	}
}
