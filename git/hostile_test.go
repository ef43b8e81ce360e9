package git_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"renga/git"
)

const (
	pushType  = "application/x-git-receive-pack-request"
	cloneType = "application/x-git-upload-pack-request"
	zeros     = "0000000000000000000000000000000000000000"
	ones      = "1111111111111111111111111111111111111111" // the id of nothing
)

func TestPathsLeadToRepositoriesOnly(t *testing.T) {
	f := newFixture(t)
	w := newWork(t)
	w.commit("a", "1", "one")
	w.git("push", f.url("hello", adaToken), "main")
	for path, want := range map[string]int{
		"/hello.git/info/refs?service=git-upload-pack":                200,
		"/hello.git/info/refs":                                        403,
		"/hello.git/info/refs?service=git-upload-archive":             403,
		"/hello.git/info/refs?service=git-shell":                      403,
		"/hello.git/info/refs?service=upload-pack%20--strict":         403,
		"/hello.git/HEAD":                                             404,
		"/hello.git/config":                                           404,
		"/hello.git/objects/info/packs":                               404,
		"/hello.git/../hello.git/info/refs?service=git-upload-pack":   404,
		"/x/../hello.git/info/refs?service=git-upload-pack":           404,
		"/..%2fhello.git/info/refs?service=git-upload-pack":           404,
		"/%2e%2e%2fid-of-hello.git/info/refs?service=git-upload-pack": 404,
		"/id-of-hello.git.git/info/refs?service=git-upload-pack":      404,
		"/id-of-hello.git/info/refs?service=git-upload-pack":          404, // no app has that name
		"/none.git/info/refs?service=git-upload-pack":                 404,
		"/hello.git%00/info/refs?service=git-upload-pack":             404,
		"/Hello.git/info/refs?service=git-upload-pack":                404,
		"/-x.git/info/refs?service=git-upload-pack":                   404,
		"/hello.git//info/refs?service=git-upload-pack":               404,
		"/": 404,
		"/" + strings.Repeat("a", 61) + ".git/info/refs?service=git-upload-pack": 404,
	} {
		if status, body, _ := f.request(http.MethodGet, path, adaToken, nil, nil); status != want {
			t.Errorf("%s: %d %.80q, want %d", path, status, body, want)
		}
	}
	for method, path := range map[string]string{
		http.MethodPost:   "/hello.git/info/refs?service=git-upload-pack",
		http.MethodGet:    "/hello.git/git-upload-pack",
		http.MethodPut:    "/hello.git/git-receive-pack",
		http.MethodDelete: "/hello.git/git-receive-pack",
	} {
		if status, _, _ := f.request(method, path, adaToken, http.Header{"Content-Type": {pushType}}, nil); status != 405 {
			t.Errorf("%s %s: %d", method, path, status)
		}
	}
}

// TestRequestsThatNoGitClientSends sends them past a client; each must have an answer, and
// leave everything as it was.
func TestRequestsThatNoGitClientSends(t *testing.T) {
	f := newFixture(t)
	w := newWork(t)
	commit := w.commit("a", "1", "one")
	w.git("push", f.url("hello", adaToken), "main")
	line := func(text string) string { return fmt.Sprintf("%04x%s", len(text)+4, text) }
	move := func(from, to, ref string) string {
		return line(from+" "+to+" "+ref+"\x00report-status side-band-64k") + "0000"
	}
	gzipped := func(text string) []byte {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = io.WriteString(z, text) // a buffer takes everything
		_ = z.Close()
		return b.Bytes()
	}
	emptyPack := "PACK\x00\x00\x00\x02\x00\x00\x00\x00\x02\x9d\x08\x82\x3b\xd8\xa8\xea\xb5\x10\xad\x6a\xc7\x5c\x82\x3c\xfd\x3e\xd3\x1e"
	for name, c := range map[string]struct {
		service, kind, coding string
		body                  []byte
		status                int
		say                   string
	}{
		"the probe":              {"receive-pack", pushType, "", []byte("0000"), 200, ""},
		"nothing":                {"receive-pack", pushType, "", nil, 200, ""},
		"a form":                 {"receive-pack", "application/x-www-form-urlencoded", "", []byte("0000"), 415, "not what a git client sends"},
		"another type":           {"upload-pack", pushType, "", []byte("0000"), 415, "not what a git client sends"},
		"another coding":         {"upload-pack", cloneType, "br", []byte("0000"), 415, "gzip"},
		"a push that is gzipped": {"receive-pack", pushType, "gzip", gzipped("0000"), 415, "gzip only"},
		"no gzip":                {"upload-pack", cloneType, "gzip", []byte("no gzip"), 400, "could not be read"},
		"a bomb":                 {"upload-pack", cloneType, "gzip", gzipped(strings.Repeat("0", 50<<20)), 413, "too much at once"},
		"bad length":             {"upload-pack", cloneType, "", []byte("zzzzwant"), 400, "git:"},
		"short length":           {"upload-pack", cloneType, "", []byte("0003"), 400, "git:"},
		"cut line":               {"upload-pack", cloneType, "", []byte("00ffwant"), 400, "git:"},
		"a want of nothing":      {"upload-pack", cloneType, "", []byte(line("want "+ones+"\n") + "0000" + line("done\n")), 200, "not our ref"},
		"push: bad length":       {"receive-pack", pushType, "", []byte("zzzzfoo0000"), 200, "git:"},
		"push: a word":           {"receive-pack", pushType, "", []byte(line("hello")), 200, "git:"},
		"push: no pack":          {"receive-pack", pushType, "", []byte(move(commit, ones, "refs/heads/main")), 200, "unpack"},
		"push: a bad pack": {"receive-pack", pushType, "",
			[]byte(move(commit, ones, "refs/heads/main") + "PACKnonsense"), 200, "unpack"},
		"push: an object missing": {"receive-pack", pushType, "",
			[]byte(move(commit, ones, "refs/heads/main") + emptyPack), 200, "ng refs/heads/main"},
		"push: ref out of refs": {"receive-pack", pushType, "", []byte(move(zeros, commit, "../../x") + emptyPack), 200, "ng ../../x"},
		"push: ref with dots": {"receive-pack", pushType, "",
			[]byte(move(zeros, commit, "refs/heads/../../x") + emptyPack), 200, "ng refs/heads/../../x"},
		"push: HEAD": {"receive-pack", pushType, "", []byte(move(commit, commit, "HEAD") + emptyPack), 200, "ng HEAD"},
		"push: twice the same": {"receive-pack", pushType, "", []byte(line(zeros+" "+commit+" refs/heads/x\x00report-status") +
			line(zeros+" "+commit+" refs/heads/x") + "0000" + emptyPack), 200, "ng refs/heads/x"},
		"push: from where main never was": {"receive-pack", pushType, "",
			[]byte(move(ones, commit, "refs/heads/main") + emptyPack), 200,
			"Somebody else pushed at the same time: the branch main is at " + commit[:10]},
		"push: deletion of what is not there": {"receive-pack", pushType, "",
			[]byte(move(ones, zeros, "refs/heads/none")), 200, "unpack ok"},
	} {
		h := http.Header{"Content-Type": {c.kind}}
		if c.coding != "" {
			h.Set("Content-Encoding", c.coding)
		}
		status, body, _ := f.request(http.MethodPost, "/hello.git/git-"+c.service, adaToken, h, c.body)
		if status != c.status || !strings.Contains(body, c.say) {
			t.Errorf("%s: %d %q, want %d %q", name, status, body, c.status, c.say)
		}
	}
	f.wantAt("hello", "refs/heads/main", commit)
	f.wantAt("hello", "refs/heads/x", "")
	if n := len(f.built()); n != 1 {
		t.Errorf("%d builds, want the first only", n)
	}
	f.wantGood("hello")
}

// TestOnlyTheHookOfAPushSpeaksForIt asks the hook's socket for what only git may ask.
func TestOnlyTheHookOfAPushSpeaksForIt(t *testing.T) {
	f := newFixture(t)
	w := newWork(t)
	commit := w.commit("a", "1", "one")
	info, err := os.Stat(filepath.Join(f.dir, "hook"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket: %v, %v", info.Mode(), err)
	}
	ask := func(secret string) int {
		t.Helper()
		t.Chdir(filepath.Join(f.dir, "home")) // a directory beside the socket, as repositories are
		return git.Hook(strings.NewReader(zeros+" "+commit+" refs/heads/main\n"), io.Discard, func(name string) string {
			return map[string]string{"RENGA_GIT_PUSH": secret}[name]
		})
	}
	for _, secret := range []string{"", "guessed", strings.Repeat("A", 26)} {
		if ask(secret) == 0 {
			t.Errorf("with the secret %q a push is taken", secret)
		}
	}
	f.does(nil)
	w.git("push", f.url("hello", adaToken), "main")
	if ask("") == 0 {
		t.Error("a push that has ended is taken")
	}
	if n := len(f.built()); n != 1 {
		t.Errorf("%d builds", n)
	}
}

// TestGitSeesNothingOfOurs looks at the environment of git's processes.
func TestGitSeesNothingOfOurs(t *testing.T) {
	t.Setenv("REDIS_URL", "redis://:secret@localhost")
	t.Setenv("GIT_DIR", filepath.Join(t.TempDir(), "nowhere"))
	t.Setenv("GIT_TRACE", "1")
	f := newFixture(t)
	program := filepath.Join(t.TempDir(), "git")
	seen := filepath.Join(t.TempDir(), "seen")
	systems := lookPath(t, "git")
	script := "#!/bin/sh\n[ \"$HOME\" = '" + filepath.Join(f.dir, "home") + "' ] && env >>" + seen + "\nexec " + systems + " \"$@\"\n"
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	w := newWork(t)
	w.commit("a", "1", "one")
	t.Setenv("PATH", filepath.Dir(program)+":"+os.Getenv("PATH"))
	w.git("push", f.url("hello", adaToken), "main")
	env, err := os.ReadFile(seen)
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"secret", "nowhere", "GIT_TRACE", adaToken} {
		if bytes.Contains(env, []byte(word)) {
			t.Errorf("git sees %q", word)
		}
	}
	if !bytes.Contains(env, []byte("GIT_CONFIG_NOSYSTEM=1")) {
		t.Error("git was not looked at")
	}
}

func TestWithoutGitThatIsTold(t *testing.T) {
	f := newFixture(t)
	t.Setenv("PATH", t.TempDir())
	status, body, _ := f.request(http.MethodGet, "/hello.git/info/refs?service=git-receive-pack", adaToken, nil, nil)
	if status != 503 || !strings.Contains(body, "Git is not installed where the platform runs.") {
		t.Errorf("%d %s", status, body)
	}
}

func TestAnAccountHasAShareOfAllPushes(t *testing.T) {
	f := newFixture(t, func(o *git.Options) { o.AtOnce = 4 })
	head := "POST /hello.git/git-receive-pack HTTP/1.1\r\nHost: x\r\nAuthorization: Basic " + basic(adaToken) +
		"\r\nContent-Type: " + pushType + "\r\nContent-Length: 1000\r\n\r\n00ffx"
	first := f.dial(head)
	kind := http.Header{"Content-Type": {pushType}}
	poll(t, "one push is under way", func() bool {
		_, body, _ := f.request(http.MethodPost, "/hello.git/git-receive-pack", adaToken, kind, []byte("0005x"))
		return strings.Contains(body, "Your account has too many pushes and clones under way.")
	})
	if status, body, _ := f.request(http.MethodGet, "/fresh.git/info/refs?service=git-receive-pack", bobToken, nil, nil); status != 200 {
		t.Errorf("another account: %d %s", status, body)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	poll(t, "the client that is gone holds nothing", func() bool {
		status, _, _ := f.request(http.MethodGet, "/hello.git/info/refs?service=git-receive-pack", adaToken, nil, nil)
		return status == 200
	})
	f.wantNothingKept("hello")
}

// TestASlowClientIsNotWaitedForForever sends the beginning of a push, and nothing more; or a
// byte now and then.
func TestASlowClientIsNotWaitedForForever(t *testing.T) {
	for name, change := range map[string]func(*git.Options){
		"silent":  func(o *git.Options) { o.Idle = 100 * time.Millisecond },
		"dribble": func(o *git.Options) { o.TransferTimeout = 500 * time.Millisecond },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, change)
			for _, service := range []string{"receive-pack", "upload-pack"} {
				c := f.dial("POST /hello.git/git-" + service + " HTTP/1.1\r\nHost: x\r\nAuthorization: Basic " + basic(adaToken) +
					"\r\nContent-Type: application/x-git-" + service + "-request\r\nContent-Length: 100000\r\n\r\n0fffhello")
				if name == "dribble" {
					go func() {
						for tick := time.NewTicker(20 * time.Millisecond); ; <-tick.C {
							if _, err := io.WriteString(c, "x"); err != nil {
								return
							}
						}
					}()
				}
				if err := c.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
					t.Fatal(err)
				}
				if got, err := io.ReadAll(c); err != nil && !strings.Contains(err.Error(), "reset") {
					t.Errorf("%s: the connection stays open: %v, %q", service, err, got)
				}
			}
			f.wantNothingKept("hello")
		})
	}
}

func FuzzRequests(f *testing.F) {
	f.Add("/hello.git/git-receive-pack", "0000", "", true)
	f.Add("/hello.git/git-receive-pack", "003f"+zeros+" "+zeros+" refs/heads/x\x000000PACK", "", true)
	f.Add("/hello.git/git-upload-pack", "0011command=fetch0001000fno-progress0000", "version=2", false)
	f.Add("/hello.git/info/refs", "", "version=1", false)
	f.Fuzz(func(t *testing.T, path, body, protocol string, push bool) {
		x := newFixture(t)
		kind := cloneType
		if push {
			kind = pushType
		}
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			status := x.serve(method, path, kind, protocol, body)
			if status >= 500 && status != 501 {
				t.Errorf("%s %q: %d", method, path, status)
			}
		}
		if left, err := os.ReadDir(x.repo("hello")); err == nil {
			for _, e := range left {
				if e.Name() == "hooks" || strings.HasSuffix(e.Name(), ".lock") {
					t.Errorf("left: %s", e.Name())
				}
			}
		}
		if got := x.at("hello", "refs/heads/main"); got != "" {
			t.Errorf("main is at %s", got)
		}
	})
}
