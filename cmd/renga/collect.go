package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"renga"
	"renga/registry"
	"renga/runtime"
)

func (b base) newCollector(reg *registry.Registry, manager *runtime.Manager) (*registry.Collector, error) {
	return registry.NewCollector(registry.CollectOptions{
		Every:   b.settings.GCEvery,
		Grace:   b.settings.GCGrace,
		Running: func(ctx context.Context) (map[renga.AppID][]int, error) { return b.runningReleases(ctx, manager) },
		Kept:    b.docker.KeepImages,
		Log:     b.log,
	}, reg, b.ledger, b.db)
}

// runningReleases are the versions that dynos run, as the dyno manager sees them
// and as they were last seen.
func (b base) runningReleases(ctx context.Context, manager *runtime.Manager) (map[renga.AppID][]int, error) {
	if !manager.Ready() {
		return nil, renga.Errorf(renga.Unavailable, "It is not known yet which dynos run; try again in a minute.")
	}
	apps, err := b.db.AppIDs(ctx)
	if err != nil {
		return nil, err
	}
	seen := manager.Dynos()
	for _, app := range apps {
		dynos, err := b.db.Dynos(ctx, app)
		if err != nil && renga.KindOf(err) != renga.NotFound {
			return nil, err
		}
		seen = append(seen, dynos...)
	}
	running := map[renga.AppID][]int{}
	for _, d := range seen {
		running[d.App] = append(running[d.App], d.Release)
	}
	return running, nil
}

// collectAnswer is what the API answers; see docs/space.md.
type collectAnswer struct {
	Bytes         int64
	Removed, Kept int
	Seconds       float64
	Apps          []struct {
		Name    *string
		Bytes   int64
		Images  int
		Expired []int
	}
}

// collect asks the running platform to free the registry's disk of what nothing
// needs, and prints what went.
func collect(ctx context.Context, p *program, args []string) error {
	var dryRun bool
	s, rest, err := p.parseSettings("gc", args, func(f *flag.FlagSet) {
		f.BoolVar(&dryRun, "dry-run", false, "remove nothing; say what would go, app by app")
	})
	if err != nil {
		return err
	}
	if len(rest) != 0 {
		return errors.New("usage: renga gc [settings] [--dry-run]")
	}
	var got collectAnswer
	if err := askOperatorAPI(ctx, s, http.MethodPost, "/platform/collections", map[string]bool{"dry_run": dryRun}, &got); err != nil {
		return err
	}
	return p.printCollected(got, dryRun)
}

func (p *program) printCollected(got collectAnswer, dryRun bool) error {
	for _, a := range got.Apps {
		name := "(no app any more)"
		if a.Name != nil {
			name = *a.Name
		}
		fmt.Fprintf(p.out, "%-30s %12d bytes, %d manifests%s\n", name, a.Bytes, a.Images, expiring(a.Expired))
	}
	verb := "Removed"
	if dryRun {
		verb = "Would remove"
	}
	_, err := fmt.Fprintf(p.out, "%s %d pieces of content with %d bytes; %d stay.\n", verb, got.Removed, got.Bytes, got.Kept)
	return err
}

func expiring(versions []int) string {
	if len(versions) == 0 {
		return ""
	}
	var names []string
	for _, n := range versions {
		names = append(names, renga.VersionName(n))
	}
	return "; images of " + strings.Join(names, ", ")
}

// askOperatorAPI makes a request to the running platform as its operator.
func askOperatorAPI(ctx context.Context, s Settings, method, path string, body, answer any) error {
	o, err := operator(s)
	if err != nil {
		return err
	}
	if s, err = s.asServed(); err != nil {
		return err
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+s.Listen[0]+path, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	req.Host = "api." + s.Domain
	req.Header.Set("Authorization", "Bearer "+o.Token)
	req.Header.Set("Accept", "application/vnd.heroku+json; version=3")
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("ask the running platform: %w; is `renga serve` running?", err)
	}
	defer func() { _ = res.Body.Close() }()
	content, err := io.ReadAll(io.LimitReader(res.Body, 64<<20))
	if err != nil {
		return fmt.Errorf("ask the running platform: %w", err)
	}
	if res.StatusCode >= http.StatusBadRequest {
		var refused struct{ Message string }
		if json.Unmarshal(content, &refused) != nil || refused.Message == "" {
			refused.Message = "status " + strconv.Itoa(res.StatusCode)
		}
		return errors.New(refused.Message)
	}
	if err := json.Unmarshal(content, answer); err != nil {
		return fmt.Errorf("read the platform's answer: %w", err)
	}
	return nil
}
