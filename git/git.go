// Package git takes `git push` over HTTP, has what was pushed built before the branch
// moves, and serves clones.
//
// The protocol is git's own ("smart HTTP"): the system's git does it, one process for
// each request, on a bare repository for each app. Our own code finds out who comes, bounds
// what one client can take up (limits.go, process.go), and runs the hook.
//
// The hook pre-receive is this program again, started by git under that name (hook.go).
// It hands the pushed refs to the server over a socket (deploy.go). What was pushed is
// still in a directory of its own then, the quarantine, which git removes when the hook
// says no: of a push that fails nothing is kept. What the hook prints the client shows as
// lines that begin with "remote:".
package git

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"renga"
)

// Directory knows accounts and apps.
type Directory interface {
	// Holder is the account of an API token, and how far the token goes;
	// renga.Unauthorized if there is no such token, renga.TooMany while whoever
	// shows it has to wait because of others that did not exist.
	Holder(ctx context.Context, shown renga.ShownToken) (renga.Bearer, error)
	// Apps are all apps.
	Apps(ctx context.Context) ([]renga.App, error)
	// AppByRepository is the app of that name, or else the one that had it last;
	// an error of kind NotFound when there is none.
	AppByRepository(ctx context.Context, name string) (renga.App, error)
}

// Creator makes apps.
type Creator interface {
	// CreateApp is renga.Conflict when the name is taken.
	CreateApp(ctx context.Context, name string, by renga.AccountID) (renga.App, error)
}

// Builder builds what was pushed.
type Builder interface {
	// Build builds and releases source, a tar of the commit's tree, and returns when that is
	// over. What is said meanwhile goes to output as it comes, the release's version at the
	// end. The sentence of an error is for whoever pushed; the ref does not move then.
	Build(ctx context.Context, order renga.BuildOrder, source io.Reader, output io.Writer) (renga.Build, error)
}

// Options are what New needs.
type Options struct {
	Dir string // of the repositories
	// Hook is the program that git runs as its hook: this one.
	Hook string
	// MaxBytes is what one push may bring, and what a repository may have in all.
	MaxBytes int64
	// CheckSpace is an error when the disk has no room for what is pushed; nil if it
	// always has.
	CheckSpace func() error
	// CreateOnPush has a push to a name that no app has make the app.
	CreateOnPush bool
	// URL is where an app answers.
	URL func(app renga.App) string
	Log *slog.Logger

	// Idle is how long a client may keep us waiting for the next bytes, to send or to take
	// them; a minute by default.
	Idle time.Duration
	// TransferTimeout bounds a clone, and how long a push may take to come in; an hour by
	// default.
	TransferTimeout time.Duration
	// BuildTimeout bounds what comes after that; three hours by default. Builds have
	// bounds of their own.
	BuildTimeout time.Duration
	// AtOnce is how many pushes there may be at once, and how many clones; a quarter of
	// them by one account. 32 by default.
	AtOnce int
}

func (o Options) withDefaults() Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.URL == nil {
		o.URL = func(renga.App) string { return "" }
	}
	if o.CheckSpace == nil {
		o.CheckSpace = func() error { return nil }
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = 1 << 30
	}
	if o.Idle == 0 {
		o.Idle = time.Minute
	}
	if o.TransferTimeout == 0 {
		o.TransferTimeout = time.Hour
	}
	if o.BuildTimeout == 0 {
		o.BuildTimeout = 3 * time.Hour
	}
	if o.AtOnce == 0 {
		o.AtOnce = 32
	}
	return o
}

// Git is the room, and the HTTP handler of repositories.
type Git struct {
	o       Options
	dir     Directory
	creator Creator
	builder Builder
	log     *slog.Logger
	repos   repositories
	hook    net.Listener
	jobs    *jobs
	pushes  *pushes
	tidying chan renga.AppID
}

// New makes the directories and the hook's socket. It starts nothing: call Resume, then
// serve, with Run beside.
func New(o Options, dir Directory, creator Creator, builder Builder) (*Git, error) {
	o = o.withDefaults()
	var err error
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return nil, fmt.Errorf("open the git repositories: %w", err)
	}
	repos := repositories{dir: o.Dir, hook: o.Hook}
	if err := repos.prepare(); err != nil {
		return nil, fmt.Errorf("open the git repositories: %w", err)
	}
	hook, err := listenForHooks(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("open the socket of git's hook: %w", err)
	}
	if _, err := exec.LookPath("git"); err != nil {
		o.Log.Error("git is not installed: nothing can be pushed with it or cloned. On Debian: apt-get install git", "err", err)
	}
	return &Git{
		o: o, dir: dir, creator: creator, builder: builder, log: o.Log,
		repos: repos, hook: hook, jobs: newJobs(o.AtOnce), pushes: newPushes(),
		tidying: make(chan renga.AppID, 100),
	}, nil
}

// listenForHooks opens the socket over which hooks speak to the server. Nobody but this
// user reaches it: the directory is closed to others, and so is the socket.
//
// A socket's path is short, 107 bytes, and that of the directory may be long: so it is
// named through the open directory.
func listenForHooks(dir string) (net.Listener, error) {
	open, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = open.Close() }() // it was not read
	path := filepath.Join(dir, socketName)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	short := fmt.Sprintf("/proc/self/fd/%d/%s", open.Fd(), socketName)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: short})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false) // that name means nothing once the directory is closed
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// Resume puts right what a crash left, and removes the repositories of apps that are gone.
// Call it while nothing is served.
func (g *Git) Resume(ctx context.Context) error {
	apps, err := g.dir.Apps(ctx)
	if err != nil {
		return err // without a list of apps none is gone
	}
	return g.repos.putRight(apps)
}

// Run answers hooks and keeps repositories tidy until ctx ends. Then it ends all processes,
// and returns when they are gone.
func (g *Git) Run(ctx context.Context) error {
	server := &http.Server{Handler: http.HandlerFunc(g.answerHook), ReadHeaderTimeout: time.Minute}
	var parts errgroup.Group
	parts.Go(func() error {
		if err := server.Serve(g.hook); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("answer git's hooks: %w", err)
		}
		return nil
	})
	parts.Go(func() error {
		g.tidyUp(ctx)
		return nil
	})
	<-ctx.Done()
	g.jobs.end()
	_ = server.Close() // no hook is left to be answered
	return parts.Wait()
}

// tidyUp has git pack what many pushes left, one repository at a time.
func (g *Git) tidyUp(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case app := <-g.tidying:
			if err := g.tidy(ctx, app); err != nil && ctx.Err() == nil {
				g.log.Warn("git could not tidy a repository up", "app", app, "err", err)
			}
		}
	}
}

func (g *Git) tidy(ctx context.Context, app renga.AppID) error {
	ctx, cancel := context.WithTimeoutCause(ctx, g.o.TransferTimeout, errTooSlow)
	defer cancel()
	ctx, j, err := g.jobs.begin(ctx, job{kind: tidying, app: app})
	if err != nil {
		return err
	}
	defer g.jobs.done(j)
	_, err = g.in(g.repos.path(app)).output(ctx, 1<<10, "gc", "--auto", "--quiet")
	return err
}

// RemoveOf removes an app's repository, and ends what is under way there. It may be called
// again.
func (g *Git) RemoveOf(_ context.Context, app renga.AppID) error {
	g.jobs.endOf(app)
	return g.repos.remove(app)
}
