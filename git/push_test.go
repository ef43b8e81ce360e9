package git_test

import (
	"context"
	"crypto/rand"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"renga"
	"renga/git"
)

func TestAPushIsBuiltBeforeTheBranchMoves(t *testing.T) {
	f := newFixture(t)
	w := newWork(t)
	w.write("bin/run.sh", "echo hi\n")
	commit := w.commit("app.js", "hi", "Say hi\n\nto everybody")
	f.does(func(_ context.Context, _ renga.BuildOrder, out io.Writer) (renga.Build, error) {
		f.wantAt("hello", "refs/heads/main", "")
		_, err := io.WriteString(out, "       npm says hi\n")
		return renga.Build{Version: 7}, err
	})
	out := w.git("push", f.url("hello", adaToken), "main")
	for _, line := range []string{
		"remote: Building source:", "remote: -----> Building 2 files", "remote:        npm says hi", "remote:        Released v7",
		"remote:        https://hello.renga.test/ deployed to Renga", "remote: Verifying deploy... done.",
	} {
		before, after, ok := strings.Cut(out, line)
		if !ok {
			t.Fatalf("not there, or too early: %q\n%s", line, before)
		}
		out = after
	}
	f.wantAt("hello", "refs/heads/main", commit)
	want := renga.BuildOrder{App: "id-of-hello", By: ada, Replaces: true, Source: renga.BuildSource{
		Commit: commit, Branch: "main", Author: "Ada Lovelace <ada@example.com>", Message: "Say hi",
	}}
	if got := f.built(); len(got) != 1 || !reflect.DeepEqual(got[0], want) {
		t.Errorf("orders %+v, want one: %+v", got, want)
	}
	if got := f.files[0]; got["app.js"] != "hi" || got["bin/run.sh"] != "echo hi\n" {
		t.Errorf("the builder got %v", got)
	}

	if out := w.git("push", f.url("hello", adaToken), "main"); !strings.Contains(out, "up-to-date") || len(f.built()) != 1 {
		t.Errorf("the same commit again: %s, %d builds", out, len(f.built()))
	}
	clone := work{t, t.TempDir()}
	clone.git("clone", "-q", f.url("hello", adaToken), ".")
	if got := clone.git("log", "--format=%H"); got != commit {
		t.Errorf("the clone has %s, want %s", got, commit)
	}
}

func TestOutputComesAsItIsWritten(t *testing.T) {
	f := newFixture(t)
	w := newWork(t)
	w.commit("a", "1", "one")
	goOn := make(chan struct{})
	f.does(func(_ context.Context, _ renga.BuildOrder, out io.Writer) (renga.Build, error) {
		_, err := io.WriteString(out, "first line\n")
		<-goOn
		return renga.Build{Version: 2}, err
	})
	cmd := gitCommand(t.Context(), w.dir, "push", f.url("hello", adaToken), "main")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	wait := newWaiter(stderr)
	wait.until(t, "remote: first line")
	close(goOn)
	wait.until(t, "Released v2")
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func TestAFailedBuildRejectsThePush(t *testing.T) {
	f := newFixture(t)
	w := newWork(t)
	first := w.commit("a", "1", "one")
	w.git("push", f.url("hello", adaToken), "main")
	second := w.commit("a", "2", "two")
	f.does(func(context.Context, renga.BuildOrder, io.Writer) (renga.Build, error) {
		return renga.Build{}, renga.Errorf(renga.Invalid, "The Gemfile is broken.")
	})
	out := w.fails("! [remote rejected] main -> main (pre-receive hook declined)", "push", f.url("hello", adaToken), "main")
	if !strings.Contains(out, "remote:  !     Push rejected: The Gemfile is broken.") {
		t.Errorf("the reason is not told:\n%s", out)
	}
	f.wantAt("hello", "refs/heads/main", first)
	if _, err := gitCommand(t.Context(), w.dir, "--git-dir", f.repo("hello"), "cat-file", "-e", second).Output(); err == nil {
		t.Error("the commit that failed is kept")
	}
	f.does(func(context.Context, renga.BuildOrder, io.Writer) (renga.Build, error) {
		return renga.Build{}, os.ErrPermission
	})
	out = w.fails("the platform's log says why", "push", f.url("hello", adaToken), "main")
	if strings.Contains(out, os.ErrPermission.Error()) {
		t.Errorf("an inner error is told:\n%s", out)
	}
	f.does(nil)
	w.git("push", f.url("hello", adaToken), "main")
	f.wantAt("hello", "refs/heads/main", second)
	f.wantGood("hello")
}

func TestWhichBranchesAreDeployed(t *testing.T) {
	f := newFixture(t)
	w := newWork(t)
	url := f.url("hello", adaToken)
	one := w.commit("a", "1", "one")
	out := w.git("push", url, "main:feature", "main:refs/tags/v1")
	if !strings.Contains(out, "remote: Pushed to non-main branch, skipping build.") || len(f.built()) != 0 {
		t.Errorf("%d builds:\n%s", len(f.built()), out)
	}
	f.wantAt("hello", "refs/heads/feature", one)
	f.wantAt("hello", "refs/tags/v1", one)

	w.git("push", url, "main:master")
	f.wantAt("hello", "HEAD", one) // clones check out what is there
	two := w.commit("a", "2", "two")
	w.git("push", url, one+":refs/heads/x", "main", "HEAD~:feature", "main:master")
	f.wantAt("hello", "refs/heads/main", two)
	f.wantAt("hello", "refs/heads/master", two)
	var got []string
	for _, o := range f.built() {
		got = append(got, o.Source.Branch+" "+o.Source.Commit)
	}
	if want := []string{"master " + one, "main " + two}; !slices.Equal(got, want) {
		t.Errorf("built %v, want %v", got, want)
	}
	w.git("push", url, ":master")
	w.fails("The branch main is what is deployed, and cannot be deleted.", "push", url, ":main")
	w.git("push", url, ":feature", ":refs/tags/v1")
	f.wantAt("hello", "refs/heads/main", two)
	f.wantAt("hello", "refs/heads/feature", "")
	w.fails("A branch main/sub would leave no place for main", "push", url, "main:main/sub")

	w.git("reset", "-q", "--hard", one)
	w.fails("non-fast-forward", "push", url, "main")
	w.git("push", "--force", url, "main")
	f.wantAt("hello", "refs/heads/main", one)
	if n := len(f.built()); n != 3 {
		t.Errorf("%d builds, want the forced one to be the third", n)
	}
}

func TestWhatCannotBeBuiltIsToldInASentence(t *testing.T) {
	f := newFixture(t)
	w := newWork(t)
	url := f.url("hello", adaToken)
	w.commit("a", "1", "one")
	w.commit("a", "2", "two")
	w.git("tag", "-a", "v1", "-m", "an annotated tag")
	w.fails("This is a tag, and a branch is at a commit.", "push", url, "v1:refs/heads/main")

	shallow := work{t, t.TempDir()}
	shallow.git("clone", "-q", "--depth=1", "file://"+w.dir, ".")
	shallow.fails("git fetch --unshallow", "push", url, "main")

	w.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", w.dir, "vendor/lib")
	w.git("commit", "-q", "-m", "a submodule")
	w.fails("Submodules are not supported: vendor/lib.", "push", url, "main")
	if n := len(f.built()); n != 0 {
		t.Errorf("%d builds of what cannot be built", n)
	}
	f.wantAt("hello", "refs/heads/main", "")
	f.wantNothingKept("hello")
}

func TestPointersOfLFSAreBuiltWithAWarning(t *testing.T) {
	f := newFixture(t)
	w := newWork(t)
	w.write("assets/.gitattributes", "# big ones\n*.psd filter=lfs diff=lfs merge=lfs -text\n")
	w.git("add", "-A")
	pointer := "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
	blob := w.pipe(pointer, "hash-object", "-w", "--stdin")
	w.git("update-index", "--add", "--cacheinfo", "100644,"+blob+",assets/logo.psd")
	w.git("commit", "-q", "-m", "a pointer")
	out := w.git("push", f.url("hello", adaToken), "main")
	if !strings.Contains(out, "remote:  !     Git LFS is not supported") || f.files[0]["assets/logo.psd"] != pointer {
		t.Errorf("built %q:\n%s", f.files[0]["assets/logo.psd"], out)
	}
	status, body, h := f.request("POST", "/hello.git/info/lfs/objects/batch", adaToken, nil, []byte("{}"))
	if status != 501 || !strings.Contains(body, `"message":"Git LFS is not supported here.`) ||
		h.Get("Content-Type") != "application/vnd.git-lfs+json" {
		t.Errorf("%d %s", status, body)
	}
}

// TestLinksStayLinks pushes links that lead out of the tree, and files that are called as
// those of a repository are.
func TestLinksStayLinks(t *testing.T) {
	f := newFixture(t)
	w := newWork(t)
	if err := os.Symlink("../../../../etc/passwd", filepath.Join(w.dir, "link")); err != nil {
		t.Fatal(err)
	}
	w.write("hooks/pre-receive", "#!/bin/sh\nexit 1\n")
	w.write("config", "[core]\n\thooksPath = hooks\n\tfsmonitor = touch /tmp/owned\n")
	w.write("objects/info/alternates", "/\n")
	w.commit("HEAD", "ref: refs/heads/x", "files of a repository")
	w.git("push", f.url("hello", adaToken), "main")
	if got := f.files[0]; got["link"] != "-> ../../../../etc/passwd" || got["hooks/pre-receive"] == "" {
		t.Errorf("built %v", got)
	}
	if _, err := os.Stat(filepath.Join(f.repo("hello"), "hooks")); err == nil {
		t.Error("the repository has hooks of its own")
	}
}

func TestALargePushInPieces(t *testing.T) {
	f := newFixture(t)
	w := newWork(t)
	content := make([]byte, 5<<20)
	_, _ = rand.Read(content) // it never fails
	commit := w.commit("big", string(content), "more than git sends in one piece")
	w.git("push", f.url("hello", adaToken), "main")
	f.wantAt("hello", "refs/heads/main", commit)
	f.wantGood("hello")
}

func TestAPushThatIsTooLargeIsRefused(t *testing.T) {
	f := newFixture(t, func(o *git.Options) { o.MaxBytes = 1 << 20 })
	w := newWork(t)
	content := make([]byte, 3<<20)
	_, _ = rand.Read(content) // it never fails
	w.commit("big", string(content), "big")
	w.fails("pack exceeds maximum allowed size (1024.00 KiB)", "push", f.url("hello", adaToken), "main")
	f.wantNothingKept("hello")

	// A small pack may be a large tree.
	bomb := newWork(t)
	bomb.write("zeros", strings.Repeat("0", 1<<20))
	for i := range 5 {
		bomb.write("copy"+strings.Repeat("x", i), strings.Repeat("0", 1<<20))
	}
	bomb.commit("small", "1", "a bomb")
	bomb.fails("The source code is too large when it is unpacked.", "push", f.url("hello", adaToken), "main")
	f.wantNothingKept("hello")

	full := newWork(t)
	small := make([]byte, 700<<10)
	_, _ = rand.Read(small) // it never fails
	full.commit("a", string(small), "one")
	full.git("push", f.url("hello", adaToken), "main")
	_, _ = rand.Read(small) // it never fails
	full.commit("a", string(small), "two")
	full.git("push", f.url("hello", adaToken), "main")
	full.commit("b", "1", "three")
	full.fails("The app's repository has 1 MB, and may have 1.", "push", f.url("hello", adaToken), "main")
}

func TestAFullDiskTakesNoPush(t *testing.T) {
	f := newFixture(t, func(o *git.Options) {
		o.CheckSpace = func() error { return renga.Errorf(renga.NoSpace, "The disk is full.") }
	})
	w := newWork(t)
	w.commit("a", "1", "one")
	w.fails("remote: The disk is full.", "push", f.url("hello", adaToken), "main")
}

func TestAPushMakesItsApp(t *testing.T) {
	f := newFixture(t)
	w := newWork(t)
	commit := w.commit("a", "1", "one")
	if out := w.git("ls-remote", f.url("hello", adaToken)); out != "" {
		t.Errorf("an app without a repository has refs: %s", out)
	}
	w.git("push", f.url("fresh", bobToken), "main")
	f.wantAt("fresh", "refs/heads/main", commit)
	if a, err := f.AppByRepository(t.Context(), "fresh"); err != nil || a.Owner != bob {
		t.Errorf("made %+v, %v", a, err)
	}
	w.fails("is reserved for the platform", "push", f.url("api", bobToken), "main")
	w.fails("There is no app missing that you have access to.", "clone", f.url("missing", bobToken), "x")

	f = newFixture(t, func(o *git.Options) { o.CreateOnPush = false })
	w.fails("There is no app fresh that you have access to. Create it first, then push again.", "push", f.url("fresh", adaToken), "main")
	if _, err := f.AppByRepository(t.Context(), "fresh"); err == nil {
		t.Error("the app was made")
	}
}

func TestAFormerNameLeadsToTheApp(t *testing.T) {
	f := newFixture(t)
	w := newWork(t)
	commit := w.commit("a", "1", "one")
	w.git("push", f.url("hello", adaToken), "main")
	f.fakeDirectory.mu.Lock()
	f.apps["renamed"] = renga.App{ID: "id-of-hello", Name: "renamed", Owner: ada}
	delete(f.apps, "hello")
	f.former["hello"] = "renamed"
	f.fakeDirectory.mu.Unlock()
	for _, name := range []string{"hello", "renamed"} {
		if got := w.git("ls-remote", f.url(name, adaToken), "main"); !strings.HasPrefix(got, commit) {
			t.Errorf("%s has %q", name, got)
		}
	}
	out := w.fails("There is no app hello that you have access to.", "ls-remote", f.url("hello", bobToken))
	if strings.Contains(out, "renamed") {
		t.Errorf("a stranger learns the name of now:\n%s", out)
	}
}

// waiter reads until something is said.
type waiter struct {
	r   io.Reader
	all strings.Builder
}

func newWaiter(r io.Reader) *waiter { return &waiter{r: r} }

func (w *waiter) until(t *testing.T, say string) {
	t.Helper()
	buf := make([]byte, 1000)
	for !strings.Contains(w.all.String(), say) {
		n, err := w.r.Read(buf)
		w.all.Write(buf[:n])
		if err != nil {
			t.Fatalf("%v, and %q was not said:\n%s", err, say, w.all.String())
		}
	}
}
