package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"runtime/debug"

	"renga"
	"renga/addons"
	"renga/durable"
	"renga/registry"
	"renga/releaser"
	"renga/seal"
	"renga/store"
	"renga/store/redisserver"
)

// version is set by the linker (see the Makefile).
var version string

// versionName is the version the binary was built as, or the commit it was
// built from.
func versionName() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return s.Value[:12]
		}
	}
	return info.Main.Version
}

func printVersion(_ context.Context, p *program, _ []string) error {
	_, err := fmt.Fprintf(p.out, "renga %s %s\n", versionName(), defaultPlatform)
	return err
}

// printToken prints the operator's token. It needs the right to read the data
// directory and nothing else.
func printToken(_ context.Context, p *program, args []string) error {
	s, _, err := p.parseSettings("token", args)
	if err != nil {
		return err
	}
	o, err := operator(s)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(p.out, o.Token)
	return err
}

func operator(s Settings) (operatorFile, error) {
	o, err := loadJSON[operatorFile](s.path("operator.json"))
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("no platform has been started on %s yet: run `renga serve`, or name its data directory with --data", s.Data)
	}
	return o, err
}

// verify walks the chain of an app's releases and names the first bad one. It
// reads files only and may run beside a running platform.
func verify(ctx context.Context, p *program, args []string) error {
	s, rest, err := p.parseSettings("verify", args)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return errors.New("usage: renga verify [settings] APP")
	}
	if err := renga.ValidateAppName(rest[0]); err != nil {
		return err
	}
	ledger, err := openLedger(s)
	if err != nil {
		return err
	}
	good, err := ledger.Verify(ctx, rest[0])
	if err != nil {
		return fmt.Errorf("%s: %d releases are good; %w", rest[0], good, err)
	}
	_, err = fmt.Fprintf(p.out, "%s: all %d releases are good\n", rest[0], good)
	return err
}

func openLedger(s Settings) (*registry.Ledger, error) {
	if _, err := operator(s); err != nil { // a mistyped directory must not be made
		return nil, err
	}
	keys, err := openKeys(s, false)
	if err != nil {
		return nil, err
	}
	return registry.OpenLedger(s.path("registry"), keys)
}

// openKeys opens the keyset. Only a new platform gets a new one: with another
// key no release could be opened any more.
func openKeys(s Settings, isNew bool) (*seal.Keyset, error) {
	path := s.path("keys", "seal.json")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) && !isNew {
		return nil, fmt.Errorf("the key file %s is missing, and without it no release can be opened: restore it from a backup", path)
	}
	return seal.Open(path)
}

// rotate adds a new key. A running platform uses it from its next start on.
func rotate(_ context.Context, p *program, args []string) error {
	s, _, err := p.parseSettings("rotate", args)
	if err != nil {
		return err
	}
	if _, err := operator(s); err != nil {
		return err
	}
	keys, err := openKeys(s, false)
	if err != nil {
		return err
	}
	if err := keys.Rotate(); err != nil {
		return err
	}
	_, err = fmt.Fprintln(p.out, "New releases are sealed with a new key from the next start on. Back up "+s.path("keys")+".")
	return err
}

// recoverRecords rebuilds Redis from the registry. It may run beside a running
// platform, which goes on by itself afterwards.
func recoverRecords(ctx context.Context, p *program, args []string) error {
	var unreleased bool
	s, _, err := p.parseSettings("recover", args, func(f *flag.FlagSet) {
		f.BoolVar(&unreleased, "unreleased", false, "bring add-ons back, too, that no release has: none of them was destroyed")
	})
	if err != nil {
		return err
	}
	ledger, err := openLedger(s)
	if err != nil {
		return err
	}
	platform, err := loadJSON[platformFile](s.path("platform.json"))
	if err != nil {
		return err
	}
	o, err := operator(s)
	if err != nil {
		return err
	}
	keys, err := openKeys(s, false)
	if err != nil {
		return err
	}
	return withSealedStore(ctx, p, s, keys, func(db *store.Store) error {
		return p.restore(ctx, db, ledger, restorer{db, platform.ID, unreleased}, o)
	})
}

func (p *program) restore(ctx context.Context, db *store.Store, ledger *registry.Ledger, to restorer, o operatorFile) error {
	if err := db.BeginRestore(ctx, to.platform); err != nil {
		return err
	}
	all, err := releaser.Recover(ctx, ledger, to)
	if err != nil {
		return err
	}
	if err := db.EndRestore(ctx, to.platform); err != nil {
		return err
	}
	if err := db.EnsureAccount(ctx, o.account(), o.Token); err != nil {
		return err
	}
	return p.reportRecovered(all, o)
}

// restorer restores into the Redis of one platform.
type restorer struct {
	db       *store.Store
	platform string
	// unreleased says that notes of add-ons that no release has are of today.
	unreleased bool
}

func (r restorer) Restore(ctx context.Context, a renga.App, rs []renga.ReleaseRecord) error {
	return r.db.Restore(ctx, r.platform, a, rs)
}

func (r restorer) RestoreAlias(ctx context.Context, app renga.AppID, name string) error {
	return r.db.RestoreAlias(ctx, r.platform, app, name)
}

func (r restorer) RestoreAccount(ctx context.Context, a renga.Account) error {
	return r.db.RestoreAccount(ctx, r.platform, a)
}

func (r restorer) RestoreAddOn(ctx context.Context, note renga.AddOn, newest map[renga.AppID]renga.Release) error {
	credentials := addons.Newest{}
	for app, last := range newest {
		credentials[app] = last.Inputs.Credentials
		if last.Version > 0 && credentials[app] == nil {
			credentials[app] = map[renga.AddOnID]renga.Credentials{}
		}
	}
	a, err := addons.Revive(note, credentials, r.unreleased)
	if err != nil {
		return err
	}
	return r.db.RestoreAddOn(ctx, r.platform, a)
}

func (p *program) reportRecovered(all []releaser.Recovered, o operatorFile) error {
	bad := 0
	for _, one := range all {
		fmt.Fprintf(p.out, "%s: %d releases, %d add-ons, %s\n", one.App, one.Releases, one.AddOns, ownedBy(one, o))
		if one.Err != nil {
			bad++
			fmt.Fprintf(p.out, "%s: what follows is not recovered: %v\n", one.App, one.Err)
		}
	}
	if bad > 0 {
		return fmt.Errorf("%d of %d apps could not be recovered whole", bad, len(all))
	}
	_, err := fmt.Fprintf(p.out, "%d apps recovered. Formations start anew: one web dyno each. "+
		"Owners but the operator need a new password: `renga password EMAIL`.\n", len(all))
	return err
}

// ownedBy says whose a recovered app is, or how it gets an owner.
func ownedBy(one releaser.Recovered, o operatorFile) string {
	switch {
	case one.Owner.Email != "":
		return "owner " + one.Owner.Email
	case string(one.Owner.ID) == o.ID:
		return "owner " + o.Email
	case one.Releases == 0:
		return "not recovered"
	}
	return "no owner that is known: give it one with `renga owner " + one.App + " EMAIL`"
}

// withStore opens the store for a command: the given Redis, or the supervised
// one, started for as long as the command takes when it does not run.
func withStore(ctx context.Context, p *program, s Settings, do func(*store.Store) error) error {
	return withSealedStore(ctx, p, s, nil, do)
}

// withSealedStore is withStore for a command that writes secrets.
func withSealedStore(ctx context.Context, p *program, s Settings, keys store.Sealer, do func(*store.Store) error) error {
	log := slog.New(slog.NewTextHandler(p.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	at, stop := store.Options{URL: s.RedisURL, Sealer: keys, Log: log}, func() error { return nil }
	if at.URL == "" {
		server, end, err := borrowRedis(ctx, s, log)
		if err != nil {
			return err
		}
		at.URL, at.Full, stop = server.URL(), server.Full, end
	}
	db, err := store.Open(ctx, at)
	if err != nil {
		return errors.Join(err, stop())
	}
	return errors.Join(do(db), db.Close(), stop())
}

// borrowRedis uses the supervised server of a running platform, or runs one
// itself. Only in the latter case does stop end it.
func borrowRedis(ctx context.Context, s Settings, log *slog.Logger) (server *redisserver.Server, stop func() error, err error) {
	lock, err := lockDir(s.Data)
	server, serverErr := redisserver.New(s.path("redis"), s.RedisServer, log)
	if serverErr != nil {
		return nil, nil, serverErr
	}
	if err != nil { // the platform runs, and its Redis with it
		return server, func() error { return nil }, nil
	}
	if err := server.Start(ctx); err != nil {
		return nil, nil, errors.Join(err, lock.Close())
	}
	running, end := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- server.Run(running) }()
	return server, func() error {
		end()
		return errors.Join(<-ended, lock.Close())
	}, nil
}

// checkSpace tells whether so many bytes more leave enough of the disk free.
func (s Settings) checkSpace(bytes int64) error {
	free, err := durable.FreeBytes(s.Data)
	if err == nil && free-bytes < s.MinFreeDisk {
		err = renga.Errorf(renga.NoSpace, "%d MB are free below %s, too few for %d MB more: free some space.", free>>20, s.Data, bytes>>20)
	}
	return err
}
