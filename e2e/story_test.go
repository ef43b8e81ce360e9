package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"renga/e2e"
)

// story is a test with a platform of its own. Its methods are the steps of a
// story; a step that goes wrong ends the test.
type story struct {
	*testing.T
	w *e2e.Platform

	operator string // the API token, once it was asked for
}

func newStory(t *testing.T) *story {
	t.Helper()
	t.Parallel()
	return &story{T: t, w: kit.Platform(t)}
}

// quickly adds settings that keep the platform's own waiting short.
func quickly(args ...string) []string {
	return append([]string{"--boot-timeout=10s", "--stop-grace=2s", "--drain-timeout=2s"}, args...)
}

func (s *story) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// poll waits until try is right.
func (s *story) poll(try func() error) {
	s.Helper()
	s.must(e2e.Poll(s.Context(), try))
}

func (s *story) start(args ...string) {
	s.Helper()
	s.must(s.w.Start(s.Context(), quickly(args...)...))
}

// image makes an image of the test app that does verb; serve when it is empty.
func (s *story) image(version string, verb ...string) v1.Image {
	s.Helper()
	img, err := s.w.Image(e2e.Image{Version: version, Command: verb})
	s.must(err)
	return img
}

func (s *story) push(app, version string, verb ...string) {
	s.Helper()
	s.must(s.tryPush(app, s.image(version, verb...), http.DefaultTransport))
}

// tryPush pushes over that transport, without trying again.
func (s *story) tryPush(repository string, img v1.Image, over http.RoundTripper) error {
	s.Helper()
	ref, err := name.ParseReference(s.w.Addr + "/" + repository)
	s.must(err)
	return remote.Write(ref, img, remote.WithContext(s.Context()), remote.WithTransport(over),
		remote.WithAuth(bearer(s.token())), remote.WithRetryBackoff(remote.Backoff{Steps: 1}))
}

// up waits until the app answers with that version.
func (s *story) up(app, version string) {
	s.Helper()
	s.poll(func() error { return s.says(app, "/", "hello from "+version) })
}

// says asks an app once and compares what it says.
func (s *story) says(app, path, want string) error {
	answer, err := s.w.Get(s.Context(), app, path)
	if err != nil {
		return err
	}
	if got := strings.TrimSpace(string(answer.Body)); answer.Status != http.StatusOK || got != want {
		return fmt.Errorf("%s%s: %d %.200q, want %q", app, path, answer.Status, got, want)
	}
	return nil
}

// api asks the API, which must answer with that status.
func (s *story) api(status int, method, path string, body any) []byte {
	s.Helper()
	got, answer := s.ask(method, path, body)
	if got != status {
		s.Fatalf("%s %s: %d %s, want %d", method, path, got, answer, status)
	}
	return answer
}

// ask asks the API as the operator.
func (s *story) ask(method, path string, body any) (status int, answer []byte) {
	s.Helper()
	got, err := s.w.APIAs(s.Context(), s.token(), method, path, body)
	s.must(err)
	return got.Status, got.Body
}

// token is the operator's API token.
func (s *story) token() string {
	s.Helper()
	if s.operator == "" {
		var err error
		s.operator, err = s.w.Token(s.Context())
		s.must(err)
	}
	return s.operator
}

// set changes config vars; nil removes. The answer must have them so.
func (s *story) set(app string, vars map[string]any) {
	s.Helper()
	var now map[string]any
	s.must(json.Unmarshal(s.api(http.StatusOK, http.MethodPatch, "/apps/"+app+"/config-vars", vars), &now))
	for name, want := range vars {
		if now[name] != want {
			s.Fatalf("%s of %s is %v now, want %v", name, app, now[name], want)
		}
	}
}

// scale changes a formation, and the answer must say so.
func (s *story) scale(app, process string, quantity int, size string) {
	s.Helper()
	update := map[string]any{"type": process, "quantity": quantity}
	if size != "" {
		update["size"] = size
	}
	answer := s.api(http.StatusOK, http.MethodPatch, "/apps/"+app+"/formation", map[string]any{"updates": []any{update}})
	var now []struct {
		Type, Size string
		Quantity   int
	}
	s.must(json.Unmarshal(answer, &now))
	for _, f := range now {
		if f.Type == process && f.Quantity == quantity && (size == "" || strings.EqualFold(f.Size, size)) {
			return
		}
	}
	s.Fatalf("the formation of %s is %s, want %d of %s %s", app, answer, quantity, process, size)
}

// releaseSeen is what stories read of a release.
type releaseSeen struct {
	Version     int      `json:"version"`
	Status      string   `json:"status"`
	Description string   `json:"description"`
	Reason      string   `json:"reason"`
	Log         []string `json:"log"`
	Current     bool     `json:"current"`
}

// settled waits until a release has that status.
func (s *story) settled(app string, version int, status string) releaseSeen {
	s.Helper()
	var seen releaseSeen
	s.poll(func() error {
		code, body := s.ask(http.MethodGet, fmt.Sprintf("/apps/%s/releases/%d", app, version), nil)
		seen = releaseSeen{}
		if err := json.Unmarshal(body, &seen); err != nil || code != http.StatusOK || seen.Status != status {
			return fmt.Errorf("release %d: %d %s, want %s", version, code, body, status)
		}
		return nil
	})
	return seen
}

// runs waits until exactly those dynos of the app run, such as "web.1 v2", and
// returns their containers' ids in that order.
func (s *story) runs(app string, want ...string) []string {
	s.Helper()
	var ids []string
	s.poll(func() error {
		ids = nil
		containers, err := s.w.Containers(s.Context(), app)
		if err != nil {
			return err
		}
		var names []string
		for _, c := range containers {
			names, ids = append(names, fmt.Sprintf("%s v%d", c.Dyno, c.Release)), append(ids, c.ID)
		}
		if !slices.Equal(names, want) {
			return fmt.Errorf("%s runs %q, want %q", app, names, want)
		}
		return nil
	})
	return ids
}

// untouched fails when other containers of the app run than those.
func (s *story) untouched(app string, ids []string) {
	s.Helper()
	containers, err := s.w.Containers(s.Context(), app)
	s.must(err)
	var got []string
	for _, c := range containers {
		got = append(got, c.ID)
	}
	if !slices.Equal(got, ids) {
		s.Fatalf("containers of %s are %q, want %q as before", app, got, ids)
	}
}

// serves fails when the app does not answer right now.
func (s *story) serves(app, version string) {
	s.Helper()
	s.must(s.says(app, "/", "hello from "+version))
}

// unhealthy waits until /healthz complains about that part, and returns its
// sentence.
func (s *story) unhealthy(part string) string {
	s.Helper()
	var sentence string
	s.poll(func() error {
		answer, err := s.w.Do(s.Context(), e2e.Request{Path: "/healthz"})
		if err != nil {
			return err
		}
		var health struct {
			Checks map[string]string `json:"checks"`
		}
		if err := json.Unmarshal(answer.Body, &health); err != nil {
			return err
		}
		sentence = health.Checks[part]
		if answer.Status != http.StatusServiceUnavailable || sentence == "ok" || sentence == "" {
			return fmt.Errorf("/healthz: %d %s, want 503 because of %s", answer.Status, answer.Body, part)
		}
		return nil
	})
	return sentence
}

// ownedAll lists everything of that kind that carries this platform's label:
// containers that run no longer, too.
func (s *story) ownedAll(list ...string) []string {
	s.Helper()
	if list[0] != "volume" { // which have names
		list = append(list, "--no-trunc")
	}
	out, err := s.w.Docker(s.Context(), append(list, "--quiet", "--filter", "label=renga.platform="+s.platformID())...)
	s.must(err)
	return strings.Fields(out)
}

func (s *story) platformID() string {
	s.Helper()
	text, err := os.ReadFile(filepath.Join(s.w.Dir, "platform.json"))
	s.must(err)
	var file struct {
		ID string `json:"id"`
	}
	s.must(json.Unmarshal(text, &file))
	return file.ID
}

// refusesToServe runs `renga serve`, which must end by itself with exit code 1
// and a sentence that matches. It returns all that it wrote.
func (s *story) refusesToServe(pattern string, args ...string) string {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), 30*time.Second)
	defer cancel()
	_, said, err := s.w.Run(ctx, append([]string{"serve"}, args...)...)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		s.Errorf("renga serve %q: %v, want exit code 1\n%s", args, err, said)
	}
	if !regexp.MustCompile("(?m)^renga: .*" + pattern).MatchString(said) {
		s.Errorf("renga serve %q said\n%s\nwant a line like %q", args, said, "renga: …"+pattern)
	}
	return said
}
