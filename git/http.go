package git

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"renga"
)

// route is what a path must be. The name becomes part of no path of ours: repositories are
// called by ids.
var route = regexp.MustCompile(`^/([a-z][a-z0-9-]{0,59})\.git/(info/refs|git-receive-pack|git-upload-pack|info/lfs/.*)$`)

// Repository matches the beginning of paths that are a repository's. On hosts that answer
// other things as well, these are for git.
var Repository = regexp.MustCompile(`^/[a-z][a-z0-9-]*\.git/`)

// call is what a request asks for.
type call struct {
	name    string // the app's
	service string // receive-pack or upload-pack
	push    bool
	shows   bool // the refs, before anything is transferred
}

// answer is an error with a status of its own.
type answer struct {
	status  int
	message string
}

// Error is the message.
func (a answer) Error() string { return a.message }

var (
	errNoPath = answer{http.StatusNotFound, "There are only repositories here, of apps: /<app>.git."}
	errDumb   = answer{http.StatusForbidden, "This git client is too old: only the smart HTTP protocol is spoken here, git 1.6.6 or newer."}
	errMethod = answer{http.StatusMethodNotAllowed, "This method is not for that path."}
	errType   = answer{http.StatusUnsupportedMediaType, "This is not what a git client sends."}
	errCoding = answer{http.StatusUnsupportedMediaType, "Only what a clone asks for may be compressed, and with gzip only."}
)

// maxRequest bounds what a clone may ask, in bytes, unpacked: some 100,000 wants and haves.
const maxRequest = 8 << 20

// ServeHTTP answers everything below /<app>.git/.
func (g *Git) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	w.Header().Set("Cache-Control", "no-cache, max-age=0, must-revalidate")
	c, badCall := parseCall(req)
	who, err := g.authenticate(req)
	switch {
	case err != nil:
	case badCall != nil:
		err = badCall
	default:
		err = g.serve(w, req, c, who)
	}
	if err != nil {
		g.answerError(w, req, c, err)
	}
}

// parseCall reads what is asked for.
func parseCall(req *http.Request) (call, error) {
	found := route.FindStringSubmatch(req.URL.Path)
	if found == nil {
		return call{}, errNoPath
	}
	c := call{name: found[1], service: strings.TrimPrefix(found[2], "git-")}
	method := http.MethodPost
	switch {
	case strings.HasPrefix(found[2], "info/lfs/"):
		return call{}, errLFS
	case found[2] == "info/refs":
		method, c.shows = http.MethodGet, true
		c.service = strings.TrimPrefix(req.URL.Query().Get("service"), "git-")
	}
	c.push = c.service == "receive-pack"
	switch {
	case c.service != "receive-pack" && c.service != "upload-pack":
		return call{}, errDumb
	case req.Method != method:
		return call{}, errMethod
	case c.shows:
		return c, nil
	case req.Header.Get("Content-Type") != "application/x-git-"+c.service+"-request":
		return call{}, errType
	}
	switch req.Header.Get("Content-Encoding") {
	case "", "identity":
		return c, nil
	case "gzip":
		if !c.push {
			return c, nil
		}
	}
	return call{}, errCoding
}

// serve answers a call. As everywhere below, an error means that nothing has been answered
// yet.
func (g *Git) serve(w http.ResponseWriter, req *http.Request, c call, who caller) error {
	app, err := g.authorize(req.Context(), who, c.name, c.push)
	if err != nil {
		return err
	}
	if c.push {
		if err := g.hasRoom(app); err != nil {
			return err
		}
	}
	switch {
	case c.shows:
		return g.showRefs(w, req, c, who, app)
	case c.push:
		return g.receive(w, req, c, who, app)
	default:
		return g.upload(w, req, c, who, app)
	}
}

// hasRoom is an error when the disk is full or the app's repository is.
func (g *Git) hasRoom(app renga.App) error {
	if err := g.o.CheckSpace(); err != nil {
		return err
	}
	if app.ID == "" {
		return nil
	}
	has, err := size(g.repos.path(app.ID))
	if err == nil && has >= g.o.MaxBytes {
		err = renga.Errorf(renga.NoSpace, "The app's repository has %d MB, and may have %d. "+
			"Whoever runs the platform may set --max-repository-size higher.", has>>20, g.o.MaxBytes>>20)
	}
	return err
}

// showRefs tells which refs there are.
func (g *Git) showRefs(w http.ResponseWriter, req *http.Request, c call, who caller, app renga.App) error {
	ctx, cancel := context.WithTimeoutCause(req.Context(), g.o.TransferTimeout, errTooSlow)
	defer cancel()
	ctx, j, err := g.jobs.begin(ctx, job{kind: c.kind(), app: app.ID, account: who.account.ID})
	if err != nil {
		return err
	}
	defer g.jobs.done(j)
	dir, err := g.shown(ctx, app.ID)
	if err != nil {
		return err
	}
	out := g.newAnswer(w, "application/x-git-"+c.service+"-advertisement")
	protocol := protocolOf(req)
	if line := "# service=git-" + c.service + "\n"; protocol == "" || c.push {
		out.before = packet(line) + "0000"
	}
	cmd := g.in(dir).seeing(protocol).command(ctx, c.service, "--stateless-rpc", "--advertise-refs", dir)
	said := &capped{left: 1 << 10}
	cmd.Stdout, cmd.Stderr = out, said
	return g.finish(out, said, run(ctx, cmd))
}

func (c call) kind() kind {
	if c.push {
		return pushing
	}
	return cloning
}

// upload sends what a client lacks. It ends with its client.
func (g *Git) upload(w http.ResponseWriter, req *http.Request, c call, who caller, app renga.App) error {
	ctx, cancel := context.WithTimeoutCause(req.Context(), g.o.TransferTimeout, errTooSlow)
	defer cancel()
	ctx, j, err := g.jobs.begin(ctx, job{kind: cloning, app: app.ID, account: who.account.ID})
	if err != nil {
		return err
	}
	defer g.jobs.done(j)
	dir, err := g.shown(ctx, app.ID)
	if err != nil {
		return err
	}
	in, err := g.readInput(w, req)
	if err != nil {
		return err
	}
	defer in.end()
	// It is all read before anything is answered, as HTTP/1.1 has it.
	asked, err := io.ReadAll(io.LimitReader(in, maxRequest+1))
	if err != nil {
		return errUnread
	}
	if len(asked) > maxRequest {
		return answer{http.StatusRequestEntityTooLarge, "This asks for too much at once."}
	}
	out := g.newAnswer(w, "application/x-git-upload-pack-result")
	cmd := g.in(dir).seeing(protocolOf(req)).command(ctx, "upload-pack", "--stateless-rpc", dir)
	said := &capped{left: 1 << 10}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(string(asked)), out, said
	return g.finish(out, said, run(ctx, cmd))
}

var errUnread = answer{http.StatusBadRequest, "The request could not be read to its end. Try again."}

// finish ends an answer. What git found wrong it has told the client, mostly; if nothing was
// answered, the client is told now.
func (g *Git) finish(out *answerWriter, said *capped, err error) error {
	switch {
	case err == nil:
		out.begin()
		return nil
	case out.begun:
		g.log.Info("git ended with an error", "err", err, "said", said.text())
		if out.outlives {
			// A client of a push waits for more, unless it is told that this was all.
			_, _ = out.Write([]byte(fatal(renga.MessageOf(err, "Git ended unexpectedly; the platform's log says why."))))
		}
		return nil
	case renga.KindOf(err) != renga.Internal:
		return err
	case said.Len() > 0: // such as: a bad line of a packet
		return answer{http.StatusBadRequest, "git: " + said.text()}
	}
	return err
}

// protocolOf is the variable by which git learns which protocol a client speaks; empty for
// the old one.
func protocolOf(req *http.Request) string {
	if req.Header.Get("Git-Protocol") == "version=2" {
		return "GIT_PROTOCOL=version=2"
	}
	return ""
}

// receive takes a push.
func (g *Git) receive(w http.ResponseWriter, req *http.Request, c call, who caller, app renga.App) error {
	in, err := g.readInput(w, req)
	if err != nil {
		return err
	}
	defer in.end()
	body := bufio.NewReader(in)
	const probe = "0000" // by which clients find out whether they may, before they send much
	first, err := body.Peek(len(probe) + 1)
	switch {
	case errors.Is(err, io.EOF) && (string(first) == probe || len(first) == 0):
		g.newAnswer(w, resultType).begin()
		return nil
	case err != nil:
		return errUnread
	}
	err = g.receiveFrom(req.Context(), body, g.newAnswer(w, resultType), in, c, who, app)
	if err != nil {
		in.drain()
	}
	return err
}

const resultType = "application/x-git-receive-pack-result"

// receiveFrom has git take a push. It goes on without its client once all is here.
func (g *Git) receiveFrom(ctx context.Context, body io.Reader, out *answerWriter, in *input, c call, who caller, app renga.App) error {
	ctx, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(nil)
	ctx, j, err := g.jobs.begin(ctx, job{kind: pushing, app: app.ID, account: who.account.ID})
	if err != nil {
		return err
	}
	defer g.jobs.done(j)
	if app.ID == "" {
		if app, err = g.creator.CreateApp(ctx, c.name, who.account.ID); err != nil {
			return takenName(c.name, err)
		}
		g.jobs.concerns(j, app.ID)
	}
	dir := g.repos.path(app.ID)
	if err := errors.Join(g.repos.checkHook(), g.make(ctx, dir)); err != nil {
		return err
	}
	// Until the hook speaks, the push has only so much time to come in and be checked.
	timer := time.AfterFunc(g.o.TransferTimeout, func() { stop(errTooSlow) })
	defer timer.Stop()
	p := g.pushes.begin(&push{
		app: app, who: who, dir: dir, arrived: func() { timer.Reset(g.o.BuildTimeout) },
		whenEnded: func(do func(error)) { context.AfterFunc(ctx, func() { do(context.Cause(ctx)) }) },
	})
	defer func() { g.pushes.done(p, ctx.Err() != nil) }()

	// Git may answer while the client sends. The connection is not used again, for the
	// server cannot tell where the next request would begin if not all was read.
	_ = in.rc.EnableFullDuplex() // HTTP/2 always has it
	out.outlives = true
	out.w.Header().Set("Connection", "close")
	cmd := g.in(dir).seeing(pushVariable+"="+p.secret).command(ctx, "receive-pack", "--stateless-rpc", dir)
	said := &capped{left: 1 << 10}
	cmd.Stdout, cmd.Stderr = out, said
	terminate := cmd.Cancel
	cmd.Cancel = func() error {
		if g.pushes.hasSpoken(p) {
			return nil // the hook is told, and with it git and its client
		}
		return terminate()
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := start(cmd); err != nil {
		return err
	}
	fed := make(chan struct{})
	go func() { // ends with the body, or when that is interrupted
		defer close(fed)
		_, err := io.Copy(stdin, io.LimitReader(body, g.o.MaxBytes+maxRequest))
		_ = stdin.Close() // git sees the end, or has ended
		if err != nil {
			in.drain()
		}
	}()
	err = wait(ctx, cmd)
	if ctx.Err() != nil {
		in.interrupt()
	}
	<-fed
	g.afterPush(context.WithoutCancel(ctx), app.ID, dir)
	return g.finish(out, said, err)
}

// takenName tells of a name that somebody else's app has.
func takenName(name string, err error) error {
	if renga.KindOf(err) == renga.Conflict {
		return renga.Errorf(renga.Forbidden, "Name %s is already taken.", name)
	}
	return err
}

// afterPush leaves the repository as clones want it.
func (g *Git) afterPush(ctx context.Context, app renga.AppID, dir string) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := g.pointHead(ctx, dir); err != nil {
		g.log.Warn("a repository's HEAD could not be set", "app", app, "err", err)
	}
	select {
	case g.tidying <- app:
	default: // the next push asks again
	}
}

// statuses is the table from kinds of errors to statuses. Clients show the text of a 4xx.
var statuses = map[renga.Kind]int{
	renga.Invalid:      http.StatusUnprocessableEntity,
	renga.Forbidden:    http.StatusForbidden,
	renga.Conflict:     http.StatusConflict,
	renga.NotFound:     http.StatusNotFound,
	renga.Unauthorized: http.StatusUnauthorized,
	renga.Unavailable:  http.StatusServiceUnavailable,
	renga.NoSpace:      http.StatusInsufficientStorage,
	renga.TooMany:      http.StatusTooManyRequests,
}

// answerError tells what went wrong: by status and text, or, in the middle of a push, where
// clients show no text of an error, within git's protocol.
func (g *Git) answerError(w http.ResponseWriter, req *http.Request, c call, err error) {
	said, ok := err.(answer) //nolint:errorlint // nothing wraps one
	if !ok {
		status, known := statuses[renga.KindOf(err)]
		if !known {
			status = http.StatusInternalServerError
		}
		said = answer{status, renga.MessageOf(err, "Git failed here; the platform's log says why.")}
	}
	if said.status >= http.StatusInternalServerError {
		g.log.Error("git request failed", "method", req.Method, "path", req.URL.Path, "status", said.status, "err", err)
	}
	h := w.Header()
	switch {
	case said.status == http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Basic realm="Renga: an API token is the password"`)
	case said.status == http.StatusServiceUnavailable || said.status == http.StatusTooManyRequests:
		h.Set("Retry-After", "5")
	case said == errLFS: // which git-lfs shows
		h.Set("Content-Type", "application/vnd.git-lfs+json")
		w.WriteHeader(said.status)
		_ = json.NewEncoder(w).Encode(map[string]string{"message": said.message}) // the client may be gone
		return
	}
	if c.push && !c.shows && said.status != http.StatusUnauthorized {
		h.Set("Content-Type", "application/x-git-receive-pack-result")
		_, _ = io.WriteString(w, fatal(said.message)) // the client may be gone
		return
	}
	h.Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(said.status)
	_, _ = fmt.Fprintln(w, said.message) // the client may be gone
}

// fatal ends an answer to a push with an error that the client shows.
func fatal(message string) string { return packet("\x03"+message+"\n") + "0000" }

// packet is a line as git's protocol has it: its length in four hex digits, then it.
func packet(line string) string {
	length := strconv.FormatInt(int64(len(line)+4), 16)
	return strings.Repeat("0", 4-len(length)) + length + line
}
