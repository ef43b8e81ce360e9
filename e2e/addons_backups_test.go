package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"renga/e2e/s3"
	"renga/e2e/services"
)

// backup is one as the API shows it.
type backup struct {
	Number            int
	Name, Kind, State string
	Reason            *string
	Proof             *struct {
		State  string
		Reason *string
	}
}

// TestBackupsComeBackToTheDyno has every service that has backups backed up, written
// over and restored, and its dyno finds what was there before. Each backup is proven,
// though Renga is killed in the middle of a proof, and nothing is left of that. All of it
// is kept in a bucket; the CLI's stories keep theirs in a directory.
func TestBackupsComeBackToTheDyno(t *testing.T) {
	s := newStory(t)
	backedUp := slices.DeleteFunc(slices.Clone(everyService), func(u used) bool {
		return u.forgets || u.service == "elasticsearch"
	})
	for _, u := range backedUp {
		if _, err := services.Build(t.Context(), u.image); err != nil {
			t.Fatal(err)
		}
	}
	inBucket := s.bucket()
	s.start(inBucket...)
	s.pushClient("users")
	for _, u := range backedUp {
		s.api(http.StatusCreated, http.MethodPost, "/apps/users/addons", u.order())
		s.isProvisioned(u)
		s.poll(func() error { return s.says("users", u.path("write", "first")+"&value=one", "written") })
		s.reads(u, "first", "one")
		s.api(http.StatusCreated, http.MethodPost, "/addons/"+u.name()+"/backups", map[string]any{})
	}
	for _, u := range backedUp {
		s.backupIs(u, "backup", "completed")
	}
	s.killedInAProof(backedUp, inBucket)
	for _, u := range backedUp {
		s.poll(func() error { return s.says("users", u.path("write", "first")+"&value=two", "written") })
		s.reads(u, "first", "two")
		s.poll(func() error {
			b := s.newest(u, "backup")
			if b.Proof == nil || b.Proof.State != "proven" {
				return fmt.Errorf("the backup of %s is not proven: %+v", u.name(), b.Proof)
			}
			return nil
		})
	}
	for _, u := range backedUp {
		s.api(http.StatusAccepted, http.MethodPost, "/addons/"+u.name()+"/backups/"+s.newest(u, "backup").Name+"/actions/restore",
			map[string]any{"confirm": "users"})
		s.backupIs(u, "restore", "completed")
		s.reads(u, "first", "one")
	}
	own := len(backedUp) // one of them for the shared server
	s.poll(func() error {
		if n := len(s.ownedAll("ps", "--all", "--filter", "label=renga.kind=addon")); n != own {
			return fmt.Errorf("%d containers of add-ons, not %d", n, own)
		}
		return nil
	})
}

// bucket are settings that keep backups in a bucket. Each object of it opens with the
// platform's keys alone, and nothing of it is in the data directory, when the story ends.
func (s *story) bucket() []string {
	s.Helper()
	server, err := s3.Start(s.Context(), s.TempDir())
	s.must(err)
	keys := filepath.Join(s.TempDir(), "s3")
	s.must(os.WriteFile(keys, []byte("[default]\naws_access_key_id = "+s3.AccessKey+"\naws_secret_access_key = "+s3.SecretKey+"\n"), 0o600))
	settings := []string{"--s3-endpoint=" + server.Endpoint, "--s3-credentials=" + keys}
	s.Cleanup(func() {
		objects, err := server.Files(s3.Bucket)
		s.must(err)
		for _, name := range objects {
			out, _, err := s.w.Run(context.WithoutCancel(s.Context()),
				append(append([]string{"backups:open"}, settings...), "s3://"+s3.Bucket+"/"+name)...)
			if err != nil || out == "" || !strings.HasPrefix(name, "stories/") {
				s.Errorf("%s opens with %d bytes, %v", name, len(out), err)
			}
		}
		if _, err := os.Stat(filepath.Join(s.w.Dir, "backups")); len(objects) == 0 || !os.IsNotExist(err) {
			s.Errorf("%d backups are in the bucket; beside the data: %v", len(objects), err)
		}
		s.must(server.Kill())
	})
	return append(settings, "--backups=s3://"+s3.Bucket+"/stories")
}

// killedInAProof kills Renga while a backup is being proven, and starts it again.
func (s *story) killedInAProof(all []used, args []string) {
	s.Helper()
	s.poll(func() error {
		for _, u := range all {
			if b := s.newest(u, "backup"); b.Proof != nil && b.Proof.State == "running" {
				return nil
			}
		}
		return fmt.Errorf("no backup is being proven")
	})
	s.must(s.w.Kill())
	s.start(args...)
}

// backupIs waits until the newest backup or restore is in a state.
func (s *story) backupIs(u used, kind, state string) {
	s.Helper()
	s.poll(func() error {
		b := s.newest(u, kind)
		if b.State == "failed" && b.Reason != nil {
			s.Fatalf("the %s of %s failed: %s", kind, u.name(), *b.Reason)
		}
		if b.State != state {
			return fmt.Errorf("the %s of %s is %s", kind, u.name(), b.State)
		}
		return nil
	})
}

// newest is an add-on's newest backup or restore.
func (s *story) newest(u used, kind string) backup {
	s.Helper()
	var all []backup
	s.must(json.Unmarshal(s.api(http.StatusOK, http.MethodGet, "/addons/"+u.name()+"/backups", nil), &all))
	var found backup
	for _, b := range all {
		if b.Kind == kind && b.Number > found.Number {
			found = b
		}
	}
	return found
}
