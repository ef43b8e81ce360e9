package git

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"

	"renga"
)

// branches are those that are deployed. Of a push to both, the first is.
var branches = [2]string{"main", "master"}

// maxRefs is how many refs one push may move, and maxLines how much git says of them.
const (
	maxRefs  = 10_000
	maxLines = 8 << 20
)

// update is one ref that a push moves; the ids are of zeros where there is none.
type update struct{ old, new, ref string }

func (u update) deletes() bool { return strings.Trim(u.new, "0") == "" }
func (u update) makes() bool   { return strings.Trim(u.old, "0") == "" }

// branch is the branch that is deployed, or empty.
func (u update) branch() string {
	for _, b := range branches {
		if u.ref == "refs/heads/"+b {
			return b
		}
	}
	return ""
}

// answerHook is the server's side of the hook.
func (g *Git) answerHook(w http.ResponseWriter, req *http.Request) {
	p, ok := g.pushes.take(req.Header.Get(secretHeader))
	if !ok {
		http.Error(w, "This is no push.", http.StatusForbidden)
		return
	}
	p.arrived()
	w.Header().Set("Trailer", resultTrailer)
	out := &flusher{w, http.NewResponseController(w)}
	lines, err := io.ReadAll(io.LimitReader(req.Body, maxLines)) // before anything is answered, as HTTP/1.1 has it
	ctx, cancel := context.WithCancelCause(req.Context())
	defer cancel(nil)
	p.whenEnded(cancel)
	if err == nil {
		err = g.judge(ctx, p, lines, req.Header.Get(quarantineHeader), out)
	}
	if err == nil {
		w.Header().Set(resultTrailer, resultOK)
		return
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if renga.KindOf(err) == renga.Internal {
		g.log.Error("a push failed", "app", p.app.Name, "err", err)
	}
	sentence := renga.MessageOf(err, "Renga failed; the platform's log says why. Push again, or tell whoever runs the platform.")
	fmt.Fprintf(out, "\n !     Push rejected: %s\n\n", sentence)
}

// flusher sends each piece at once.
type flusher struct {
	io.Writer
	rc *http.ResponseController
}

func (f *flusher) Write(p []byte) (int, error) {
	n, err := f.Writer.Write(p)
	if err == nil {
		err = f.rc.Flush()
	}
	return n, err
}

// judge is an error if the push is not to be taken. What is to be deployed is, first.
func (g *Git) judge(ctx context.Context, p *push, lines []byte, quarantine string, out io.Writer) error {
	pushed, err := g.quarantined(p, quarantine)
	if err != nil {
		return err
	}
	updates, err := readUpdates(lines)
	if err != nil {
		return err
	}
	if err := g.checkDeletions(ctx, p, updates); err != nil {
		return err
	}
	u, deploys := toDeploy(updates)
	if deploys {
		err = g.deploy(ctx, p, pushed, u, out)
	} else if hasBranch(updates) {
		fmt.Fprint(out, "\nPushed to non-main branch, skipping build.\n\n")
	}
	if err == nil {
		err = g.pushes.accept(p)
	}
	if err != nil {
		return err
	}
	for _, u := range updates {
		g.log.Info("audit", "action", "source pushed", "app", p.app.Name, "ref", u.ref, "commit", u.new, "before", u.old,
			"account", p.who.account.ID, "email", p.who.account.Email, "token", p.who.token)
	}
	if deploys {
		fmt.Fprint(out, "\nVerifying deploy... done.\n")
	}
	return nil
}

var (
	quarantineName = regexp.MustCompile(`^(incoming|tmp_objdir)-[A-Za-z0-9_-]+$`)
	updateLine     = regexp.MustCompile(`^([0-9a-f]{40}) ([0-9a-f]{40}) (refs/[^\x00-\x20\x7f]+)$`)
)

// quarantined is the repository with what was pushed, which git holds in a directory of its
// own, of that name, as long as the hook runs.
func (g *Git) quarantined(p *push, dir string) (workspace, error) {
	objects := filepath.Join(p.dir, "objects")
	own := g.in(p.dir).seeing("GIT_DIR=" + p.dir)
	if dir == "" {
		return own, nil // nothing came that was not there
	}
	if !quarantineName.MatchString(dir) {
		return workspace{}, fmt.Errorf("git names %q as its quarantine", dir)
	}
	dir = filepath.Join(objects, dir)
	return own.seeing("GIT_OBJECT_DIRECTORY="+dir, "GIT_ALTERNATE_OBJECT_DIRECTORIES="+objects, "GIT_QUARANTINE_PATH="+dir), nil
}

// readUpdates reads the lines that git hands to its hook.
func readUpdates(text []byte) ([]update, error) {
	var all []update
	seen := map[string]bool{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		found := updateLine.FindStringSubmatch(lines.Text())
		switch {
		case found == nil:
			return nil, renga.Errorf(renga.Invalid, "The name of a ref is none: %q.", renga.Clip(lines.Text(), 200))
		case seen[found[3]]:
			return nil, renga.Errorf(renga.Invalid, "%s is there twice.", renga.Clip(found[3], 200))
		case len(all) == maxRefs:
			return nil, renga.Errorf(renga.Invalid, "A push may move %d refs. Push some of them first.", maxRefs)
		}
		u := update{found[1], found[2], found[3]}
		for _, b := range branches {
			if strings.HasPrefix(u.ref, "refs/heads/"+b+"/") {
				return nil, renga.Errorf(renga.Invalid, "A branch %s would leave no place for %s, which is deployed. Give it another name.",
					renga.Clip(strings.TrimPrefix(u.ref, "refs/heads/"), 200), b)
			}
		}
		seen[u.ref] = true
		all = append(all, u)
	}
	return all, lines.Err()
}

// toDeploy finds what is to be deployed: main, or else master.
func toDeploy(updates []update) (update, bool) {
	for _, b := range branches {
		for _, u := range updates {
			if u.branch() == b && !u.deletes() && u.new != u.old {
				return u, true
			}
		}
	}
	return update{}, false
}

func hasBranch(updates []update) bool {
	for _, u := range updates {
		if strings.HasPrefix(u.ref, "refs/heads/") && !u.deletes() {
			return true
		}
	}
	return false
}

// checkDeletions refuses to delete the branch that is deployed, unless the other one stays.
func (g *Git) checkDeletions(ctx context.Context, p *push, updates []update) error {
	stays := map[string]bool{}
	for _, b := range branches {
		_, err := g.in(p.dir).output(ctx, 100, "rev-parse", "--verify", "--quiet", "refs/heads/"+b)
		stays[b] = err == nil
	}
	deletes := ""
	for _, u := range updates {
		if b := u.branch(); b != "" {
			stays[b] = !u.deletes()
			if u.deletes() {
				deletes = b
			}
		}
	}
	if deletes != "" && !stays[branches[0]] && !stays[branches[1]] {
		return renga.Errorf(renga.Invalid, "The branch %s is what is deployed, and cannot be deleted. "+
			"To remove the app, destroy it.", deletes)
	}
	return nil
}

// deploy has a commit built and released.
func (g *Git) deploy(ctx context.Context, p *push, pushed workspace, u update, out io.Writer) error {
	if err := g.pushes.deploy(ctx, p); err != nil {
		return err
	}
	if err := g.checkUnmoved(ctx, p, u); err != nil {
		return err
	}
	source, err := pushed.inspect(ctx, u.new, out)
	if err != nil {
		return err
	}
	source.Branch = u.branch()
	if err := g.pushes.check(p); err != nil {
		return err
	}
	fmt.Fprint(out, "Building source:\n\n")
	built, err := g.build(ctx, p, pushed, source, out)
	if newer := g.pushes.check(p); newer != nil {
		return newer
	}
	if err != nil {
		return err
	}
	if built.Version > 0 {
		fmt.Fprintf(out, "       %s deployed to Renga\n", g.o.URL(p.app))
	}
	return nil
}

// checkUnmoved is an error if the branch is not where the client saw it: git would refuse to
// move it after it was built.
func (g *Git) checkUnmoved(ctx context.Context, p *push, u update) error {
	at, err := g.in(p.dir).output(ctx, 100, "rev-parse", "--verify", "--quiet", u.ref)
	if ctx.Err() != nil {
		return err
	}
	at = strings.TrimSpace(at) // nothing if there is no such branch
	if at == u.old || at == "" && u.makes() {
		return nil
	}
	return renga.Errorf(renga.Conflict, "Somebody else pushed at the same time: the branch %s is at %s now. Fetch it and push again.",
		u.branch(), cmp.Or(at[:min(len(at), 10)], "nothing"))
}

// build hands the source to the builder.
func (g *Git) build(ctx context.Context, p *push, pushed workspace, source renga.BuildSource, out io.Writer) (renga.Build, error) {
	order := renga.BuildOrder{App: p.app.ID, By: p.who.account.ID, Source: source, Replaces: true}
	archive := pushed.archive(ctx, source.Commit, 4*g.o.MaxBytes)
	built, err := g.builder.Build(ctx, order, archive, out)
	if unread := archive.end(); err != nil && renga.KindOf(unread) == renga.Invalid {
		err = unread // the builder only knows that it could not read
	}
	return built, err
}
