package git_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"renga"
	"renga/children"
	"renga/git"
)

// gate is a builder's that stops in a build.
type gate struct {
	begun chan renga.BuildOrder
	goOn  chan error
}

func newGate() *gate { return &gate{make(chan renga.BuildOrder, 10), make(chan error)} }

func (b *gate) build(ctx context.Context, order renga.BuildOrder, out io.Writer) (renga.Build, error) {
	fmt.Fprintln(out, "-----> Waiting with", order.Source.Message)
	b.begun <- order
	select {
	case err := <-b.goOn:
		return renga.Build{Version: 2}, err
	case <-ctx.Done():
		return renga.Build{}, ctx.Err()
	}
}

// startPush starts git push, and gives what it says in the end.
func (f *fixture) startPush(w work, args ...string) (*exec.Cmd, <-chan string) {
	f.t.Helper()
	cmd := gitCommand(f.t.Context(), w.dir, append([]string{"push"}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // with its helper
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	said := make(chan string, 1)
	go func() {
		err := cmd.Wait()
		said <- fmt.Sprintf("%s%v", out.String(), err)
	}()
	return cmd, said
}

func wantSaid(t *testing.T, said <-chan string, words ...string) {
	t.Helper()
	select {
	case all := <-said:
		for _, word := range words {
			if !strings.Contains(all, word) {
				t.Errorf("the push says not %q:\n%s", word, all)
			}
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the push does not end")
	}
}

// TestOfTwoPushesTheNewerOneWins has both under way at once, from the same branch.
func TestOfTwoPushesTheNewerOneWins(t *testing.T) {
	for name, older := range map[string]error{
		"the older build is ended":       renga.Errorf(renga.Conflict, "replaced"),
		"the older one is released even": nil,
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			one, two := newWork(t), newWork(t)
			one.commit("a", "1", "older")
			newer := two.commit("a", "2", "newer")
			builds := map[string]*gate{"older": newGate(), "newer": newGate()}
			f.does(func(ctx context.Context, order renga.BuildOrder, out io.Writer) (renga.Build, error) {
				return builds[order.Source.Message].build(ctx, order, out)
			})
			_, olderSays := f.startPush(one, f.url("hello", adaToken), "main")
			<-builds["older"].begun
			_, newerSays := f.startPush(two, f.url("hello", adaToken), "main")
			<-builds["newer"].begun
			builds["older"].goOn <- older
			wantSaid(t, olderSays, "A newer push to this app has taken the place of this one.", "[remote rejected]")
			f.wantAt("hello", "refs/heads/main", "")
			builds["newer"].goOn <- nil
			wantSaid(t, newerSays, "Verifying deploy... done.", "[new branch]", "<nil>")
			f.wantAt("hello", "refs/heads/main", newer)
			f.wantGood("hello")
		})
	}
}

// TestABuildGoesOnWithoutItsClient kills the client in the middle of a build.
func TestABuildGoesOnWithoutItsClient(t *testing.T) {
	f := newFixture(t)
	w := newWork(t)
	commit := w.commit("a", "1", "one")
	b := newGate()
	f.does(func(ctx context.Context, order renga.BuildOrder, out io.Writer) (renga.Build, error) {
		got, err := b.build(ctx, order, out)
		for range 2000 { // more than any buffer takes
			if _, err := fmt.Fprintln(out, strings.Repeat("x", 1000)); err != nil {
				return got, err
			}
		}
		return got, err
	})
	cmd, said := f.startPush(w, f.url("hello", adaToken), "main")
	<-b.begun
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	wantSaid(t, said, "killed")
	b.goOn <- nil
	poll(t, "the branch moves", func() bool { return f.at("hello", "refs/heads/main") == commit })
}

// TestAClientThatTakesNothingHoldsNoBuildUp does not read what the build says.
func TestAClientThatTakesNothingHoldsNoBuildUp(t *testing.T) {
	f := newFixture(t, func(o *git.Options) { o.Idle = 300 * time.Millisecond })
	w := newWork(t)
	commit := w.commit("a", "1", "one")
	f.does(func(_ context.Context, _ renga.BuildOrder, out io.Writer) (renga.Build, error) {
		for range 20_000 {
			if _, err := fmt.Fprintln(out, strings.Repeat("x", 1000)); err != nil {
				return renga.Build{}, err
			}
		}
		return renga.Build{Version: 2}, nil
	})
	pack := w.pipe(commit+"\n", "pack-objects", "--revs", "--stdout", "-q")
	line := zeros + " " + commit + " refs/heads/main\x00report-status side-band-64k"
	body := fmt.Sprintf("%04x%s0000", len(line)+4, line) + pack
	f.dial(fmt.Sprintf("POST /hello.git/git-receive-pack HTTP/1.1\r\nHost: x\r\nAuthorization: Basic %s\r\nContent-Type: %s\r\n"+
		"Content-Length: %d\r\n\r\n%s", basic(adaToken), pushType, len(body), body))
	poll(t, "the branch moves", func() bool { return f.at("hello", "refs/heads/main") == commit })
}

func TestRunEndsWithAllProcesses(t *testing.T) {
	f := newFixture(t)
	w := newWork(t)
	w.commit("a", "1", "one")
	b := newGate()
	f.does(b.build)
	_, said := f.startPush(w, f.url("hello", adaToken), "main")
	<-b.begun
	f.stop()
	wantSaid(t, said, "Renga is being restarted. Try again in a moment.", "exit status 1")
	f.wantAt("hello", "refs/heads/main", "")
	f.wantNothingKept("hello")
	if left := processesIn(t, f.dir); len(left) > 0 {
		t.Errorf("still there: %v", left)
	}
	f.does(nil)
	f.start()
	w.git("push", f.url("hello", adaToken), "main")
}

func TestADeletedAppsRepositoryGoes(t *testing.T) {
	f := newFixture(t)
	w := newWork(t)
	w.commit("a", "1", "one")
	w.git("push", f.url("hello", adaToken), "main")
	w.git("push", f.url("other", adaToken), "main")
	w.commit("a", "2", "two")
	b := newGate()
	f.does(b.build)
	_, said := f.startPush(w, f.url("hello", adaToken), "main")
	<-b.begun
	for range 2 { // it may be asked for again
		if err := f.git.RemoveOf(t.Context(), "id-of-hello"); err != nil {
			t.Fatal(err)
		}
	}
	wantSaid(t, said, "The app is being deleted.", "exit status 1")
	left, err := filepath.Glob(filepath.Join(f.dir, "id-of-*"))
	if err != nil || len(left) != 1 || left[0] != f.repo("other") {
		t.Errorf("left: %v, %v", left, err)
	}

	// One that went while nobody looked goes at the next start; without a list of apps none does.
	f.stop()
	f.fakeDirectory.mu.Lock()
	delete(f.apps, "other")
	f.fail = renga.Errorf(renga.Unavailable, "Redis has lost its data.")
	f.fakeDirectory.mu.Unlock()
	if err := f.git.Resume(t.Context()); err == nil {
		t.Error("resumed without a list of apps")
	}
	if _, err := os.Stat(f.repo("other")); err != nil {
		t.Error(err)
	}
	f.fail = nil
	f.start()
	if _, err := os.Stat(f.repo("other")); err == nil {
		t.Error("the repository of an app that is gone stays")
	}
}

// TestAKilledServerLeavesAGoodRepository kills the server in the middle of a build, and makes
// what a kill of git leaves as well.
func TestAKilledServerLeavesAGoodRepository(t *testing.T) {
	f := newFixture(t)
	w := newWork(t)
	first := w.commit("a", "1", "one")
	w.git("push", f.url("hello", adaToken), "main")
	f.stop()

	server := exec.CommandContext(t.Context(), os.Args[0]) //nolint:gosec // this test
	server.Env = append(os.Environ(), "GIT_TEST_SERVE="+f.dir)
	server.Stderr = os.Stderr
	stdout, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := children.Start(server, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	says := bufio.NewScanner(stdout)
	says.Scan()
	url := strings.Replace(says.Text(), "://", "://_:"+adaToken+"@", 1) + "/hello.git"
	second := w.commit("a", "2", "two")
	_, said := f.startPush(w, url, "main")
	if says.Scan(); says.Text() != "building" {
		t.Fatalf("the server says %q", says.Text())
	}
	if err := server.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = server.Wait() // it was killed
	wantSaid(t, said, "exit status 1")
	poll(t, "git's processes end by themselves", func() bool { return len(processesIn(t, f.dir)) == 0 })
	f.wantAt("hello", "refs/heads/main", first)

	for _, left := range []string{
		"objects/tmp_objdir-incoming-abcdef/x", "objects/pack/tmp_pack_abc", "refs/heads/main.lock", "packed-refs.lock",
	} {
		path := filepath.Join(f.repo("hello"), left)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f.start()
	f.wantGood("hello")
	for _, pattern := range []string{"objects/tmp_*", "objects/incoming-*", "objects/pack/tmp_*", "*.lock", "refs/heads/*.lock"} {
		if left, err := filepath.Glob(filepath.Join(f.repo("hello"), pattern)); err != nil || len(left) > 0 {
			t.Errorf("left: %v, %v", left, err)
		}
	}
	w.git("push", f.url("hello", adaToken), "main")
	f.wantAt("hello", "refs/heads/main", second)
}

// serveUntilKilled is another process: a server whose builds do not end.
func serveUntilKilled(dir string) {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	d := &fakeDirectory{
		tokens: map[string]renga.Bearer{adaToken: bearer(ada, renga.ScopeGlobal)},
		apps:   map[string]renga.App{"hello": {ID: "id-of-hello", Name: "hello", Owner: ada}},
	}
	b := &fakeBuilder{}
	b.does(func(ctx context.Context, _ renga.BuildOrder, _ io.Writer) (renga.Build, error) {
		fmt.Println("building")
		<-ctx.Done()
		return renga.Build{}, ctx.Err()
	})
	g, err := git.New(git.Options{Dir: dir, Hook: self}, d, d, b)
	if err != nil {
		panic(err)
	}
	fmt.Println(httptest.NewServer(g).URL)
	panic(g.Run(context.Background()))
}

// processesIn lists processes that work in a directory.
func processesIn(t *testing.T, dir string) []string {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, link := range all {
		if at, err := os.Readlink(link); err == nil && strings.HasPrefix(at, dir+"/") {
			found = append(found, link)
		}
	}
	return found
}

func TestTidyingKeepsARepositorySmall(t *testing.T) {
	f := newFixture(t)
	w := newWork(t)
	w.commit("a", "first", "one")
	w.git("push", "-q", f.url("hello", adaToken), "main:feature")
	for i := range 51 { // git packs anew above fifty packs
		w.commit("a", fmt.Sprint(i), "more")
		w.git("push", "-q", "--receive-pack=git -c receive.unpackLimit=1 -c receive.autogc=false receive-pack", f.repo("hello"), "main:feature")
	}
	last := w.commit("a", "last", "more")
	w.git("push", "-q", f.url("hello", adaToken), "main:feature")
	poll(t, "packs are put together", func() bool {
		packs, err := filepath.Glob(filepath.Join(f.repo("hello"), "objects", "pack", "*.pack"))
		return err == nil && len(packs) < 10
	})
	f.wantAt("hello", "refs/heads/feature", last)
	f.wantGood("hello")
}
