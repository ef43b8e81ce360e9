package e2e_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// TestKilledInTheMiddleOfARenameItComesRight kills the platform while an app
// is being renamed: as soon as the rename is written down, or at a random
// moment. Either way the app has one name afterwards, in the store and in the
// registry alike, and its dyno has noticed nothing.
func TestKilledInTheMiddleOfARenameItComesRight(t *testing.T) {
	s := newStory(t)
	s.start()
	s.push("hello", "name-0")
	s.up("hello", "name-0")
	dyno := s.runs("hello", "web.1 v2")
	name := "hello"
	for round := range 6 {
		to := fmt.Sprintf("hello-%d", round)
		renamed := make(chan struct{})
		s.token()
		go func() {
			defer close(renamed)
			_, _, _ = s.w.API(t.Context(), http.MethodPatch, "/apps/"+name, map[string]any{"name": to}) // cut short, most likely
		}()
		if round%2 == 0 {
			s.awaitMove(renamed)
		}
		<-time.After(rand.N(8 * time.Millisecond)) // the randomness is the test
		s.must(s.w.Kill())
		<-renamed
		t.Logf("killed with %d renames under way", len(s.moves()))
		s.must(s.w.Launch(quickly()...))
		s.must(s.w.WaitHealthy(t.Context()))
		name = s.hasOneName(name, to)
		s.up(name, "name-0")
		s.untouched("hello", dyno)
	}
	s.push(name, "name-1")
	s.up(name, "name-1")
	if out, said, err := s.w.Run(t.Context(), "verify", name); err != nil {
		t.Errorf("verify: %s %s %v", out, said, err)
	}
	s.noneTooMany(1, 1)
}

// awaitMove returns once a rename is written down, or over.
func (s *story) awaitMove(over <-chan struct{}) {
	for {
		begun := s.moves()
		select {
		case <-over:
			return
		default:
		}
		if len(begun) > 0 {
			return
		}
	}
}

// moves lists the renames that are written down and not over.
func (s *story) moves() []string {
	s.Helper()
	files, err := filepath.Glob(filepath.Join(s.w.Dir, "pushes", "renames", "*.json"))
	s.must(err)
	return files
}

// hasOneName finds out which of two names the app has, and that nothing is left
// of the other.
func (s *story) hasOneName(names ...string) string {
	s.Helper()
	var there []string
	for _, name := range names {
		if status, _ := s.ask(http.MethodGet, "/apps/"+name, nil); status == http.StatusOK {
			there = append(there, name)
		}
	}
	if len(there) != 1 {
		s.Fatalf("of the names %v the app has %v", names, there)
	}
	dirs, err := os.ReadDir(filepath.Join(s.w.Dir, "registry/docker/registry/v2/repositories"))
	s.must(err)
	var kept []string
	for _, d := range dirs {
		kept = append(kept, fmt.Sprint(d.Name(), " ", d.IsDir()))
	}
	if !slices.Equal(kept, []string{there[0] + " true"}) {
		s.Errorf("the app is called %s, and the registry has %v", there[0], kept)
	}
	s.Logf("renaming %s to %s left it %s", names[0], names[1], there[0])
	return there[0]
}
