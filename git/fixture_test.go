package git_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"renga"
	"renga/git"
)

// TestMain is also what git runs as its hook.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == git.HookName {
		os.Exit(git.RunHook())
	}
	if dir := os.Getenv("GIT_TEST_SERVE"); dir != "" {
		serveUntilKilled(dir)
	}
	os.Exit(m.Run())
}

const (
	ada, bob renga.AccountID = "ada", "bob"
	adaToken                 = "token-of-ada"
	bobToken                 = "token-of-bob"
)

// fakeDirectory knows accounts by their tokens and apps by their names.
type fakeDirectory struct {
	mu     sync.Mutex
	tokens map[string]renga.Bearer
	apps   map[string]renga.App
	former map[string]string // names of now by former ones
	fail   error
	shown  []renga.ShownToken
}

func (d *fakeDirectory) Holder(_ context.Context, shown renga.ShownToken) (renga.Bearer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shown = append(d.shown, shown)
	if b, ok := d.tokens[shown.Token]; ok {
		return b, nil
	}
	if shown.Token == "tried-too-often" {
		return renga.Bearer{}, renga.Errorf(renga.TooMany, "Wait a minute.")
	}
	return renga.Bearer{}, renga.Errorf(renga.Unauthorized, "no such token")
}

func (d *fakeDirectory) Apps(context.Context) ([]renga.App, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []renga.App
	for _, a := range d.apps {
		all = append(all, a)
	}
	return all, d.fail
}

func (d *fakeDirectory) AppByRepository(_ context.Context, name string) (renga.App, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if now, ok := d.former[name]; ok {
		name = now
	}
	if a, ok := d.apps[name]; ok {
		return a, nil
	}
	return renga.App{}, renga.Errorf(renga.NotFound, "no such app")
}

func (d *fakeDirectory) CreateApp(_ context.Context, name string, by renga.AccountID) (renga.App, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, taken := d.apps[name]; taken {
		return renga.App{}, renga.Errorf(renga.Conflict, "Name is taken.")
	}
	a := renga.App{ID: renga.AppID("id-of-" + name), Name: name, Owner: by}
	d.apps[name] = a
	return a, nil
}

func (d *fakeDirectory) set(a renga.App) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.apps[a.Name] = a
}

// fakeBuilder keeps what it is asked to build.
type fakeBuilder struct {
	mu     sync.Mutex
	orders []renga.BuildOrder
	files  []map[string]string // of each build; links as "-> target"
	// build is what a test has it do after the source was read; nil succeeds.
	build func(ctx context.Context, order renga.BuildOrder, out io.Writer) (renga.Build, error)
}

func (b *fakeBuilder) Build(ctx context.Context, order renga.BuildOrder, source io.Reader, out io.Writer) (renga.Build, error) {
	files, err := readTar(source)
	if err != nil {
		return renga.Build{}, err
	}
	b.mu.Lock()
	b.orders = append(b.orders, order)
	b.files = append(b.files, files)
	version, build := len(b.orders)+1, b.build
	b.mu.Unlock()
	fmt.Fprintf(out, "-----> Building %d files\n", len(files))
	built := renga.Build{Version: version}
	if build != nil {
		built, err = build(ctx, order, out)
	}
	if err == nil {
		fmt.Fprintf(out, "       Released v%d\n", built.Version)
	}
	return built, err
}

func (b *fakeBuilder) does(build func(context.Context, renga.BuildOrder, io.Writer) (renga.Build, error)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.build = build
}

func (b *fakeBuilder) built() []renga.BuildOrder {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]renga.BuildOrder(nil), b.orders...)
}

func readTar(r io.Reader) (map[string]string, error) {
	files := map[string]string{}
	all := tar.NewReader(r)
	for {
		h, err := all.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		switch h.Typeflag {
		case tar.TypeReg:
			content, err := io.ReadAll(io.LimitReader(all, 1000))
			if err != nil {
				return nil, err
			}
			files[h.Name] = string(content)
		case tar.TypeSymlink:
			files[h.Name] = "-> " + h.Linkname
		}
	}
}

// fixture is a Git that is served, with its parts.
type fixture struct {
	*fakeDirectory
	*fakeBuilder
	t    *testing.T
	git  *git.Git
	dir  string // of the repositories
	http *httptest.Server
	stop func()
}

func newFixture(t *testing.T, change ...func(*git.Options)) *fixture {
	t.Helper()
	f := &fixture{
		t: t, dir: filepath.Join(t.TempDir(), "git"), fakeBuilder: &fakeBuilder{},
		fakeDirectory: &fakeDirectory{
			tokens: map[string]renga.Bearer{
				adaToken: bearer(ada, renga.ScopeGlobal), bobToken: bearer(bob, renga.ScopeGlobal),
			},
			apps: map[string]renga.App{"hello": {ID: "id-of-hello", Name: "hello", Owner: ada}}, former: map[string]string{},
		},
	}
	f.start(change...)
	return f
}

func bearer(who renga.AccountID, scopes ...renga.Scope) renga.Bearer {
	return renga.Bearer{
		Account:       renga.Account{ID: who, Email: string(who) + "@example.com"},
		Authorization: renga.Authorization{ID: "of-" + string(who), Scopes: scopes},
	}
}

// start starts a Git on what is in the directory.
func (f *fixture) start(change ...func(*git.Options)) {
	f.t.Helper()
	self, err := os.Executable()
	if err != nil {
		f.t.Fatal(err)
	}
	o := git.Options{
		Dir: f.dir, Hook: self, CreateOnPush: true, MaxBytes: 64 << 20,
		URL: func(a renga.App) string { return "https://" + a.Name + ".renga.test/" },
	}
	for _, c := range change {
		c(&o)
	}
	g, err := git.New(o, f.fakeDirectory, f.fakeDirectory, f.fakeBuilder)
	if err != nil {
		f.t.Fatal(err)
	}
	if err := g.Resume(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
	f.git, f.http = g, httptest.NewServer(g)
	ctx, cancel := context.WithCancel(context.WithoutCancel(f.t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	f.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			f.t.Errorf("Run: %v", err)
		}
		f.http.CloseClientConnections()
		f.http.Close()
	})
	f.t.Cleanup(func() { f.stop() })
}

// url is that of an app's repository, with a token.
func (f *fixture) url(app, token string) string {
	return strings.Replace(f.http.URL, "://", "://_:"+token+"@", 1) + "/" + app + ".git"
}

func (f *fixture) addr() string { return strings.TrimPrefix(f.http.URL, "http://") }

func (f *fixture) repo(app string) string { return filepath.Join(f.dir, "id-of-"+app+".git") }

// work is a directory with a git repository in it.
type work struct {
	t   *testing.T
	dir string
}

func newWork(t *testing.T) work {
	t.Helper()
	w := work{t, t.TempDir()}
	w.git("init", "-q", "-b", "main")
	return w
}

func gitCommand(ctx context.Context, dir string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	own := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "GIT_") })
	cmd.Env = append(own, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=Ada Lovelace", "GIT_AUTHOR_EMAIL=ada@example.com", "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.com")
	return cmd
}

// try runs git and gives all that it says.
func (w work) try(args ...string) (string, error) {
	out, err := gitCommand(w.t.Context(), w.dir, args...).CombinedOutput()
	return string(out), err
}

func (w work) git(args ...string) string {
	w.t.Helper()
	out, err := w.try(args...)
	if err != nil {
		w.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(out)
}

// pipe runs git with something to read.
func (w work) pipe(input string, args ...string) string {
	w.t.Helper()
	cmd := gitCommand(w.t.Context(), w.dir, args...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.Output()
	if err != nil {
		w.t.Fatalf("git %s: %v", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out))
}

// fails runs git, which must fail and say so.
func (w work) fails(say string, args ...string) string {
	w.t.Helper()
	out, err := w.try(args...)
	if err == nil {
		w.t.Fatalf("git %s succeeded:\n%s", strings.Join(args, " "), out)
	}
	if !strings.Contains(out, say) {
		w.t.Fatalf("git %s says not %q:\n%s", strings.Join(args, " "), say, out)
	}
	return out
}

func (w work) write(name, content string) {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), 0o600)); err != nil {
		w.t.Fatal(err)
	}
}

// commit commits a file and gives the commit's id.
func (w work) commit(name, content, message string) string {
	w.t.Helper()
	w.write(name, content)
	w.git("add", "-A")
	w.git("commit", "-q", "-m", message)
	return w.git("rev-parse", "HEAD")
}

// at is where a ref of an app's repository is; empty if it is not there.
func (f *fixture) at(app, ref string) string {
	f.t.Helper()
	out, err := gitCommand(f.t.Context(), f.t.TempDir(), "--git-dir", f.repo(app), "rev-parse", "--verify", "--quiet", ref).Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		f.t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func (f *fixture) wantAt(app, ref, commit string) {
	f.t.Helper()
	if got := f.at(app, ref); got != commit {
		f.t.Errorf("%s of %s is at %q, want %q", ref, app, got, commit)
	}
}

// wantNothingKept makes sure that of a push nothing is left that was cut short.
func (f *fixture) wantNothingKept(app string) {
	f.t.Helper()
	poll(f.t, "quarantines are removed", func() bool {
		left, err := filepath.Glob(filepath.Join(f.repo(app), "objects", "*incoming*"))
		return err == nil && len(left) == 0
	})
	packs, err := filepath.Glob(filepath.Join(f.repo(app), "objects", "pack", "*"))
	if err != nil || len(packs) != 0 {
		f.t.Errorf("packs of a push that failed: %v, %v", packs, err)
	}
}

// wantGood has git check a repository.
func (f *fixture) wantGood(app string) {
	f.t.Helper()
	out, err := gitCommand(f.t.Context(), f.t.TempDir(), "--git-dir", f.repo(app), "fsck", "--full", "--strict").CombinedOutput()
	if err != nil {
		f.t.Errorf("the repository of %s is broken: %v\n%s", app, err, out)
	}
}

func poll(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in 30 seconds: %s", what)
		}
	}
}

// request sends a request and gives its status and body.
func (f *fixture) request(method, path, token string, header http.Header, body []byte) (int, string, http.Header) {
	f.t.Helper()
	req, err := http.NewRequestWithContext(f.t.Context(), method, f.http.URL, bytes.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	req.URL.Opaque = "//" + f.addr() + path // as it is, not cleaned
	for k, v := range header {
		req.Header[k] = v
	}
	if token != "" {
		req.SetBasicAuth("_", token)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }() // it is read
	got, err := io.ReadAll(res.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return res.StatusCode, string(got), res.Header
}

// dial opens a connection and sends the head of a request.
func (f *fixture) dial(head string) net.Conn {
	f.t.Helper()
	c, err := (&net.Dialer{}).DialContext(f.t.Context(), "tcp", f.addr())
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = c.Close() }) // it may be closed
	if _, err := io.WriteString(c, head); err != nil {
		f.t.Fatal(err)
	}
	return c
}

func basic(token string) string { return base64.StdEncoding.EncodeToString([]byte("_:" + token)) }

func lookPath(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// serve calls the handler itself, with any path.
func (f *fixture) serve(method, path, kind, protocol, body string) int {
	req := httptest.NewRequest(method, "http://x/", strings.NewReader(body)).WithContext(f.t.Context())
	req.URL.Path = path
	req.URL.RawQuery = "service=git-receive-pack"
	req.Header.Set("Content-Type", kind)
	req.Header.Set("Git-Protocol", protocol)
	req.SetBasicAuth("_", adaToken)
	w := httptest.NewRecorder()
	f.git.ServeHTTP(w, req)
	return w.Code
}
