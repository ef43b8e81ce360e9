package e2e_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// TestAFullDiskFailsThePushAndNothingElse keeps the data on a small disk.
func TestAFullDiskFailsThePushAndNothingElse(t *testing.T) {
	s := newStory(t)
	s.smallDisk()
	s.start("--min-free-disk=1kB")
	s.push("calm", "calm")
	s.up("calm", "calm")
	s.settled("calm", 2, "succeeded")
	big := s.heavy("big", 30<<20)
	ballast := s.fill(10 << 20)
	said, err := s.w.DockerPush(t.Context(), "big", big)
	if err == nil || !regexp.MustCompile(`(?i)denied:.*disk is full.*push again`).MatchString(err.Error()) {
		t.Errorf("docker push onto a full disk: %s, %v", said, err)
	}
	s.serves("calm", "calm")
	if status, body := s.ask(http.MethodGet, "/apps/big", nil); status != http.StatusNotFound {
		t.Errorf("the app of the failed push: %d %s, want none", status, body)
	}
	s.must(os.Remove(ballast))
	s.must(s.w.WaitHealthy(t.Context()))
	if said, err := s.w.DockerPush(t.Context(), "big", big); err != nil {
		t.Errorf("docker push after room was made: %s, %v", said, err)
	}
	s.up("big", "big")
	s.serves("calm", "calm")
	s.set("calm", map[string]any{"COLOUR": "red"})
}

// TestPushesAreRefusedBeforeTheDiskIsFull keeps more free than there is.
func TestPushesAreRefusedBeforeTheDiskIsFull(t *testing.T) {
	s := newStory(t)
	s.smallDisk()
	s.start("--min-free-disk=20MB")
	s.push("calm", "spare")
	s.up("calm", "spare")
	ballast := s.fill(10 << 20)
	if said := s.unhealthy("disk"); !strings.Contains(said, "free") {
		t.Errorf("/healthz says %q", said)
	}
	said, err := s.w.DockerPush(t.Context(), "more", s.image("more"))
	if err == nil || !regexp.MustCompile(`denied:.*disk.*free.*push again`).MatchString(err.Error()) {
		t.Errorf("docker push: %s, %v", said, err)
	}
	s.serves("calm", "spare")
	s.must(os.Remove(ballast))
	s.must(s.w.WaitHealthy(t.Context()))
	s.push("more", "more")
	s.up("more", "more")
}

// smallDisk puts the data directory onto a disk of its own, which is taken away
// at the end. Who the platform was is kept for those that clean up after it.
func (s *story) smallDisk() {
	s.Helper()
	s.must(os.MkdirAll(s.w.Dir, 0o700))
	s.must(syscall.Mount("tmpfs", s.w.Dir, "tmpfs", 0, "size=64m"))
	s.Cleanup(func() {
		if s.w.Running() {
			s.must(s.w.Stop())
		}
		file := filepath.Join(s.w.Dir, "platform.json")
		who, err := os.ReadFile(file)
		s.must(err)
		s.must(syscall.Unmount(s.w.Dir, 0))
		s.must(os.WriteFile(file, who, 0o600))
	})
}

// fill takes room until that many bytes are free, and names the file that does.
func (s *story) fill(free int) string {
	s.Helper()
	var disk syscall.Statfs_t
	s.must(syscall.Statfs(s.w.Dir, &disk))
	size := int(disk.Bavail)*int(disk.Bsize) - free
	path := filepath.Join(s.w.Dir, "ballast")
	s.must(os.WriteFile(path, bytes.Repeat([]byte{1}, size), 0o600))
	return path
}

// heavy is an image with a layer of that size.
func (s *story) heavy(version string, size int64) v1.Image {
	s.Helper()
	layer, err := random.Layer(size, types.DockerLayer)
	s.must(err)
	img, err := mutate.AppendLayers(s.image(version), layer)
	s.must(err)
	return img
}

// TestOnAFullDiskReadsGoOnAndDeletingAnAppFreesIt fills the disk to its last
// byte: whatever only reads is answered, whatever makes records grow is told what
// is full, and the way out of it works.
func TestOnAFullDiskReadsGoOnAndDeletingAnAppFreesIt(t *testing.T) {
	s := newStory(t)
	s.smallDisk()
	s.start("--min-free-disk=1kB")
	s.push("calm", "calm")
	s.up("calm", "calm")
	s.settled("calm", 2, "succeeded")
	s.set("calm", map[string]any{"COLOUR": "blue"})
	s.settled("calm", 3, "succeeded")
	s.push("doomed", "doomed")
	s.up("doomed", "doomed")
	s.settled("doomed", 2, "succeeded")
	s.poll(s.reserved)
	ballast := s.fill(0)

	for range 15 {
		for path, has := range map[string]string{
			"/apps":                    `"name":"doomed"`,
			"/apps/calm":               `"name":"calm"`,
			"/apps/calm/releases":      `"version":3`,
			"/apps/calm/config-vars":   `"COLOUR":"blue"`,
			"/apps/calm/formation/web": `"quantity":1`,
			"/account":                 `"email":"operator@renga.localhost"`,
		} {
			if answer := s.api(http.StatusOK, http.MethodGet, path, nil); !strings.Contains(string(answer), has) {
				t.Fatalf("GET %s on a full disk: %s, want %s", path, answer, has)
			}
		}
		status, said := s.ask(http.MethodPatch, "/apps/calm/formation/web", map[string]any{"quantity": 2})
		const full = "is full: nothing can be changed until there is room on it, but apps can still be deleted"
		if status < 500 || !strings.Contains(string(said), full) {
			t.Fatalf("a change on a full disk: %d %s", status, said)
		}
		s.serves("calm", "calm")
	}
	status, said := s.ask(http.MethodPatch, "/apps/calm/config-vars", map[string]any{"COLOUR": "red"})
	if status < 500 || !strings.Contains(string(said), "full") {
		t.Errorf("a config var on a full disk: %d %s", status, said)
	}
	// A Renga that is started anew meanwhile is no worse off.
	s.must(s.w.Stop())
	s.must(s.w.Launch(quickly("--min-free-disk=1kB")...)) // it is not healthy, for it says that the disk is full
	s.poll(func() error {
		got, err := s.w.APIAs(s.Context(), s.token(), http.MethodGet, "/apps/calm", nil)
		if err == nil && got.Status != http.StatusOK {
			err = fmt.Errorf("GET /apps/calm: %d %s", got.Status, got.Body)
		}
		return err
	})
	s.up("calm", "calm")
	s.api(http.StatusOK, http.MethodDelete, "/apps/doomed", nil)
	if status, _ := s.ask(http.MethodGet, "/apps/doomed", nil); status != http.StatusNotFound {
		t.Errorf("the app that was deleted: %d", status)
	}
	if lines := s.logs("redis-server ended"); lines() == nil {
		t.Error("redis-server ended on the full disk")
	}
	s.must(os.Remove(ballast))
	s.scale("calm", "web", 2, "")
	s.runs("calm", "web.1 v3", "web.2 v3")
	s.set("calm", map[string]any{"COLOUR": "green"})
	s.settled("calm", 4, "succeeded")
	s.must(s.w.Stop())
	s.start("--min-free-disk=1kB")
	s.up("calm", "calm")
	if vars := s.api(http.StatusOK, http.MethodGet, "/apps/calm/config-vars", nil); !strings.Contains(string(vars), "green") {
		t.Errorf("config vars after the full disk: %s", vars)
	}
}

// reserved tells whether Redis has room ahead of it.
func (s *story) reserved() error {
	files, err := filepath.Glob(filepath.Join(s.w.Dir, "redis", "appendonlydir", "*.incr.aof"))
	if err != nil || len(files) != 1 {
		return fmt.Errorf("append-only files: %q, %w", files, err)
	}
	var st syscall.Stat_t
	if err := syscall.Stat(files[0], &st); err != nil || st.Blocks*512 < 8<<20 {
		return fmt.Errorf("%s takes %d blocks, %w", files[0], st.Blocks, err)
	}
	return nil
}
