package e2e_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"renga/e2e/services"
)

// TestAVolumeThatIsFullLosesNothing fills the disk that a database has its data on to the
// last byte, while its app writes: what the app was told is written is there once there is
// room again, and the database came back by itself. Until then the app is told what is
// wrong, and so is whoever looks at the add-on or into the log.
func TestAVolumeThatIsFullLosesNothing(t *testing.T) {
	s := newStory(t)
	if _, err := services.Build(t.Context(), services.Postgres15); err != nil {
		t.Fatal(err)
	}
	s.start()
	s.pushClient("users")
	u := everyService[1]
	s.api(http.StatusCreated, http.MethodPost, "/apps/users/addons", u.order())
	s.isProvisioned(u)
	s.poll(func() error { return s.says("users", u.path("write", "first")+"&value=one", "written") })
	disk := s.ownDisk(u)
	s.poll(func() error { return s.says("users", u.path("read", "first"), "one") })

	written, told := map[string]string{}, ""
	write := func() {
		key, value := fmt.Sprintf("key-%d", len(written)), randomText()
		answer, err := s.w.Get(t.Context(), "users", u.path("write", key)+"&value="+value)
		if s.must(err); answer.Status == http.StatusOK {
			written[key] = value
		} else if text := string(answer.Body); strings.Contains(text, "No space left on device") {
			told = text
		}
	}
	for range 20 {
		write()
	}
	s.poll(func() error { // what it has room for in the pages that it has
		disk.fill(s)
		if write(); told == "" {
			return errors.New("the app is not told that the disk is full")
		}
		return nil
	})
	if len(written) < 20 {
		t.Fatalf("the app wrote %d times before", len(written))
	}
	if err := s.says("users", u.path("read", "first"), "one"); err != nil {
		t.Errorf("on a full disk it cannot be read: %v", err)
	}

	containers := s.containersOf(u)
	s.must(s.w.Stop())
	s.must(os.Remove(disk.ballast))
	_, err := s.w.Docker(t.Context(), append([]string{"stop"}, containers...)...)
	s.must(err)
	disk.fill(s) // while it was down, so that it does not even start
	s.must(s.w.Launch(quickly()...))
	s.must(s.w.WaitHealthy(t.Context()))
	const full = "its disk is full. Make room on Docker's disk."
	s.poll(func() error { return s.platformSays("users", full) })
	s.infoSays(u, full)

	s.must(os.Remove(disk.ballast))
	for key, value := range written {
		s.reads(u, key, value)
	}
	s.reads(u, "first", "one")
	s.poll(func() error { return s.platformSays("users", u.name()+" answers again") })
	before := len(written)
	if write(); len(written) != before+1 {
		t.Error("it cannot be written again")
	}
	s.infoSays(u, "Available")
}

// platformSays is an error unless the platform says that in an app's log.
func (s *story) platformSays(app, text string) error {
	s.Helper()
	for _, line := range s.logFrom(app, "heroku") {
		if strings.Contains(line, text) {
			return nil
		}
	}
	return fmt.Errorf("the log does not say %q", text)
}

// infoSays waits until heroku pg:info says something, which is told in the log just before.
func (s *story) infoSays(u used, text string) {
	s.Helper()
	s.poll(func() error {
		info := string(s.api(http.StatusOK, http.MethodGet, "/client/v11/databases/"+u.name(), nil))
		if !strings.Contains(info, text) {
			return fmt.Errorf("pg:info says %s, not %q", info, text)
		}
		return nil
	})
}

func randomText() string {
	b := make([]byte, 2000)
	_, _ = rand.Read(b) // it never fails
	return hex.EncodeToString(b)
}

// smallDisk is one that an add-on alone has its data on.
type smallDisk struct{ ballast string }

// ownDisk moves the data of an add-on to a disk of 128 MB.
func (s *story) ownDisk(u used) smallDisk {
	s.Helper()
	out, err := s.w.Docker(s.Context(), append([]string{
		"inspect", "--format", "{{range .Mounts}}{{.Source}}{{end}}"}, s.containersOf(u)...)...)
	s.must(err)
	at := strings.TrimSpace(out)
	containers := s.containersOf(u)
	s.must(s.w.Stop())
	_, err = s.w.Docker(s.Context(), append([]string{"stop"}, containers...)...)
	s.must(err)
	aside := filepath.Join(s.TempDir(), "data")
	s.run("cp", "-a", at, aside)
	s.must(s.w.Undo("umount", at))
	s.must(syscall.Mount("tmpfs", at, "tmpfs", 0, "size=128m"))
	s.Cleanup(func() { // before the platform removes the volume
		ctx := context.WithoutCancel(s.Context())
		s.must(s.w.Stop())
		using, err := s.w.Docker(ctx, "ps", "--all", "--quiet", "--filter", "volume="+filepath.Base(filepath.Dir(at)))
		s.must(err)
		_, err = s.w.Docker(ctx, append([]string{"rm", "--force"}, strings.Fields(using)...)...)
		s.must(err)
		s.must(syscall.Unmount(at, 0))
	})
	s.run("cp", "-a", aside+"/.", at)
	s.must(s.w.Launch(quickly()...))
	s.must(s.w.WaitHealthy(s.Context()))
	return smallDisk{filepath.Join(at, "ballast")}
}

func (s *story) run(argv ...string) {
	s.Helper()
	if out, err := exec.CommandContext(s.Context(), argv[0], argv[1:]...).CombinedOutput(); err != nil {
		s.Fatalf("%v: %v: %s", argv, err, out)
	}
}

// fill takes all room that is left.
func (d smallDisk) fill(s *story) {
	s.Helper()
	f, err := os.OpenFile(d.ballast, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	s.must(err)
	defer f.Close()
	for block := make([]byte, 1<<20); len(block) > 0; {
		if _, err := f.Write(block); err != nil {
			block = block[:len(block)/2]
		}
	}
}
