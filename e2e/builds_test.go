package e2e_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"renga/e2e"
	"renga/e2e/builder"
)

// checkout is a working copy of an app's source code.
type checkout struct {
	*story
	dir string
	env []string
}

// newCheckout has the Python app, committed.
func (s *story) newCheckout() *checkout {
	s.Helper()
	c := &checkout{story: s, dir: s.TempDir(), env: []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + s.TempDir(), "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.com", "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.com",
	}}
	s.must(builder.Python.Write(c.dir))
	c.git("init", "--quiet", "--initial-branch=main")
	c.git("remote", "add", "heroku", "http://x:"+s.token()+"@"+s.w.Addr+"/hello.git")
	c.commit("First")
	return c
}

func (c *checkout) command(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(c.Context(), "git", args...)
	cmd.Dir, cmd.Env = c.dir, c.env
	return cmd
}

func (c *checkout) git(args ...string) string {
	c.Helper()
	out, err := c.command(args...).CombinedOutput()
	if err != nil {
		c.Fatalf("git %s: %v\n%s", args[0], err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit commits all there is, and gives the commit's id.
func (c *checkout) commit(message string) string {
	c.Helper()
	c.git("add", "--all")
	c.git("commit", "--quiet", "--allow-empty", "--message="+message)
	return c.git("rev-parse", "HEAD")
}

// rejected pushes what must not pass, and gives what git says.
func (c *checkout) rejected() string {
	c.Helper()
	out, err := c.command("push", "heroku", "main").CombinedOutput()
	if err == nil {
		c.Fatalf("the push passed:\n%s", out)
	}
	return string(out)
}

// remote is the commit of the app's branch.
func (c *checkout) remote() string {
	c.Helper()
	id, _, _ := strings.Cut(c.git("ls-remote", "heroku", "refs/heads/main"), "\t")
	return id
}

// released makes sure that the newest release is so.
func (s *story) released(version int, description string) {
	s.Helper()
	var all []struct {
		Version             int
		Description, Status string
	}
	s.poll(func() error {
		s.must(json.Unmarshal(s.api(http.StatusOK, http.MethodGet, "/apps/hello/releases", nil), &all))
		last := all[len(all)-1]
		if last.Version != version || last.Description != description || last.Status != "succeeded" {
			return fmt.Errorf("the newest release is %+v; want v%d %q", last, version, description)
		}
		return nil
	})
}

func (s *story) has(text string, wanted ...string) {
	s.Helper()
	for _, want := range wanted {
		if !strings.Contains(text, want) {
			s.Errorf("%q is not in\n%s", want, text)
		}
	}
}

// build builds an archive that is sent, and gives the build when it is over.
func (s *story) build(archive []byte, version string) (state, reason string) {
	s.Helper()
	var source struct {
		Blob struct {
			Get string `json:"get_url"`
			Put string `json:"put_url"`
		} `json:"source_blob"`
	}
	s.must(json.Unmarshal(s.api(http.StatusCreated, http.MethodPost, "/sources", nil), &source))
	sent, err := s.w.Do(s.Context(), s.signed(http.MethodPut, source.Blob.Put, archive))
	s.must(err)
	if sent.Status != http.StatusOK {
		s.Fatalf("the source is answered by %d %s", sent.Status, sent.Body)
	}
	var b struct {
		ID, Status string
		Reason     string `json:"failure_message"`
		Output     string `json:"output_stream_url"`
	}
	asked := map[string]any{"source_blob": map[string]any{"url": source.Blob.Get, "version": version}}
	s.must(json.Unmarshal(s.api(http.StatusCreated, http.MethodPost, "/apps/hello/builds", asked), &b))
	said, err := s.w.Do(s.Context(), s.signed(http.MethodGet, b.Output, nil)) // it ends with the build
	s.must(err)
	s.has(string(said.Body), "-----> Launching...")
	s.must(json.Unmarshal(s.api(http.StatusOK, http.MethodGet, "/apps/hello/builds/"+b.ID, nil), &b))
	return b.Status, b.Reason
}

// signed asks a URL that was handed out, without a token.
func (s *story) signed(method, text string, body []byte) e2e.Request {
	s.Helper()
	at, err := url.Parse(text)
	s.must(err)
	return e2e.Request{Method: method, Host: at.Hostname(), Path: at.RequestURI(), Body: body}
}

func TestSourceCodeIsBuiltAndServed(t *testing.T) {
	ref, _ := builder.Python.Make(t)
	s := newStory(t)
	s.start("--builder=" + ref)
	c := s.newCheckout()
	answer := strings.TrimSpace(builder.Python.Answer)

	said := c.git("push", "heroku", "main")
	first := c.git("rev-parse", "HEAD")
	s.has(said, "remote: "+builder.Python.Fetches, "remote:        Released v2")
	s.released(2, "Deploy "+first[:8])
	s.poll(func() error { return s.says("hello", "/", answer) })

	second := c.commit("Second")
	s.has(c.git("push", "heroku", "main"), "remote: "+builder.Python.Reuses, "remote:        Released v3")
	s.released(3, "Deploy "+second[:8])

	s.must(builder.Python.Broken.Write(c.dir))
	c.commit("Broken")
	s.has(c.rejected(), builder.Python.Broken.Says, "A buildpack failed", "pre-receive hook declined")
	s.released(3, "Deploy "+second[:8])
	if at := c.remote(); at != second {
		t.Errorf("main is at %s; want %s", at, second)
	}
	s.must(s.says("hello", "/", answer))

	c.git("reset", "--quiet", "--hard", second)
	archive, err := c.command("archive", "--format=tar.gz", "--prefix=hello-main/", "HEAD").Output()
	s.must(err)
	if state, reason := s.build(archive, "v1.2"); state != "succeeded" {
		t.Fatalf("the build is %s: %s", state, reason)
	}
	s.released(4, "Deploy v1.2")

	c.killedWhileItBuilds()
}

// killedWhileItBuilds kills Renga in the middle of a push's build.
func (c *checkout) killedWhileItBuilds() {
	third := c.commit("Third")
	push := c.command("push", "heroku", "main")
	said, err := push.StderrPipe()
	c.must(err)
	c.must(push.Start())
	lines := bufio.NewScanner(said)
	for lines.Scan() && !strings.Contains(lines.Text(), "===> ANALYZING") {
	}
	c.must(c.w.Kill())
	for lines.Scan() { // to the end
	}
	if push.Wait() == nil {
		c.Error("the push passed, though Renga was killed")
	}
	c.start("--builder=" + builder.Python.Builder)
	c.poll(func() error {
		if left := c.ownedAll("ps", "--all", "--filter", "label=renga.kind=build"); len(left) > 0 {
			return fmt.Errorf("containers are left: %v", left)
		}
		return nil
	})
	c.poll(func() error {
		var all []struct {
			Status string
			Reason string                   `json:"failure_message"`
			Source struct{ Version string } `json:"source_blob"`
		}
		c.must(json.Unmarshal(c.api(http.StatusOK, http.MethodGet, "/apps/hello/builds", nil), &all))
		last := all[len(all)-1]
		if last.Source.Version != third || last.Status != "failed" || !strings.HasSuffix(last.Reason, "Push again.") {
			return fmt.Errorf("the build is %+v", last)
		}
		return nil
	})
	c.released(4, "Deploy v1.2")
	c.has(c.git("push", "heroku", "main"), "remote:        Released v5")
	c.released(5, "Deploy "+third[:8])
	if left, err := os.ReadDir(filepath.Join(c.w.Dir, "builds", "sources")); err != nil || len(left) > 0 {
		c.Errorf("%d sources are left, %v", len(left), err)
	}
}
